# SPDX-License-Identifier: Apache-2.0
"""What a webhook answered with 202 is in the log, once, however often the runtime is killed (AD-7)."""

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.running import Runtime, Sources, command, example_sources, example_tree, start, until

PATH = "/webhooks/products/Product"
TOPIC = "products.shop.entity_changed"


class Sender:
    """Sends one delivery after the other in each of its lanes, again until it is taken; knows what was taken."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.url: str | None = None
        self.taken: dict[str, int] = {}
        self.answers: Counter[int] = Counter()
        self.ended = False
        self._numbers = itertools.count()

    async def lane(self, session: aiohttp.ClientSession) -> None:
        while not self.ended:
            number = next(self._numbers)
            row = {"id": f"w-{number}", "sku": "s", "name": "saw", "price": {"amount": "1.00"}, "inventory": number}
            body = json.dumps({"id": f"d-{number}", "type": "product.created", "product": row}).encode()
            while (status := await self._post(session, body)) not in {200, 202}:
                await asyncio.sleep(0.02)
            self.taken[f"w-{number}"] = status

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> int:
        if self.url is None:
            return 0
        try:
            async with session.post(self.url, data=body, headers=self.sources.hook.signed(body)) as answer:
                self.answers[answer.status] += 1
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0


@pytest.mark.timeout(300)
async def test_what_was_taken_is_in_the_log_once(tmp_path: Path) -> None:
    config, home = example_tree(tmp_path), tmp_path / "data"
    async with example_sources(tmp_path) as sources, aiohttp.ClientSession() as session:
        sender = Sender(sources)
        lanes = [asyncio.create_task(sender.lane(session)) for _ in range(20)]
        runtime: Runtime | None = None
        for kill in range(3):
            runtime = await start(config, home, sources.environment)
            sender.url = runtime.url + PATH
            before = len(sender.taken)
            await until(lambda before=before: len(sender.taken) > before + 150, "deliveries are taken", 60)
            if kill < 2:
                runtime.process.kill()
                await runtime.process.wait()
                await asyncio.gather(*runtime.readers)
                sender.url = None
        sender.ended = True
        await asyncio.gather(*lanes)
        assert runtime is not None
        events = await logged(config, home, sources)
        await runtime.stop()
    counts = Counter(each["entity"]["id"] for each in events if each["entity"]["id"].startswith("w-"))
    assert counts == Counter(sender.taken.keys())
    assert set(sender.answers) <= {200, 202, 429, 503}
    assert len({each["event_id"] for each in events}) == len(events)


async def logged(config: Path, home: Path, sources: Sources) -> list[dict[str, Any]]:
    at = ("--config", str(config), "--data-dir", str(home), "--format", "json", "--from", "beginning")
    code, out, err = await command("events", "tail", *at, "--topic", TOPIC, environment=sources.environment)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]
