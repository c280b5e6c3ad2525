# SPDX-License-Identifier: Apache-2.0
"""The webhook of the example's shop: each change is posted, signed, and again until somebody takes it."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

TAKEN = range(200, 300)
PAUSES = (0.1, 5.0)  # seconds: the first, the longest
MOST = 10_000  # changes that wait for somebody to take them


class Hook:
    """Tells `url` of changes in their order; None: nobody is told."""

    def __init__(self, secret: str, url: str | None = None) -> None:
        self.url = url
        self._secret = secret.encode()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST)

    def tell(self, what: str, product: dict[str, Any]) -> None:
        """Tell of a change: `created`, `updated` or `deleted`."""
        if self.url is not None:
            body = {"id": str(uuid.uuid4()), "type": f"product.{what}", "product": product}
            self._waiting.put_nowait(json.dumps(body).encode())

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers of a delivery: the signature covers the time and the body."""
        now = str(int(time.time()))
        digest = hmac.new(self._secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Shop-Time": now, "X-Shop-Signature": f"sha256={digest}"}

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Deliver for as long as the application runs (a cleanup context of it)."""
        work = asyncio.create_task(self._deliver())
        yield
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    async def _deliver(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                body, pause = await self._waiting.get(), PAUSES[0]
                while not await self._taken(session, body):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, PAUSES[1])

    async def _taken(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        """Whether the delivery is done: taken, or refused for good."""
        if self.url is None:
            return True
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(self.url, data=body, headers=self.signed(body)) as answer:
                return answer.status in TAKEN or answer.status == 400
        return False
