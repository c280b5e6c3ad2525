# SPDX-License-Identifier: Apache-2.0
"""The load: `python -m tests.bench.load URL QUERY` asks over keep-alive connections, and checks every answer.

Bounded by a count of requests and by seconds, whichever comes first. Prints JSON: requests, seconds, milliseconds of
the median and the 99th percentile.
"""

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import time

import aiohttp
import uvloop


async def attack(
    url: str, query: str, key: str | None, count: int, connections: int, seconds: float
) -> dict[str, float]:
    """Ask `count` times over `connections` connections; raises RuntimeError where an answer differs from the first."""
    body = json.dumps({"query": query}).encode()
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    left, times = count, list[float]()
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections), headers=headers) as session:
        expected = await _ask(session, url, body)

        async def connection() -> None:
            nonlocal left
            while left > 0 and (began := time.monotonic()) < deadline:
                left -= 1
                if await _ask(session, url, body) != expected:
                    raise RuntimeError("an answer differs from the first")
                times.append(time.monotonic() - began)

        began = time.monotonic()
        await asyncio.gather(*(connection() for _ in range(connections)))
    times.sort()
    return {
        "requests": len(times) + 1,
        "seconds": time.monotonic() - began,
        "p50": statistics.median(times) * 1000,
        "p99": times[int(len(times) * 0.99)] * 1000,
    }


async def _ask(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    async with session.post(url, data=body) as response:
        text = await response.read()
        if response.status != 200 or b'"errors"' in text:
            raise RuntimeError(f"{response.status}: {text[:500]!r}")
        return hashlib.sha256(text).digest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("query")
    parser.add_argument("--key")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    found = uvloop.run(attack(given.url, given.query, given.key, given.count, given.connections, given.seconds))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
