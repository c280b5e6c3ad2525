# SPDX-License-Identifier: Apache-2.0
"""Notification hooks: signed, in order, tried again, buried in the end; never twice at two replicas."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web

from dictamesh.runtime.observe import trace
from tests.support.running import until
from tests.support.subscribing import Heard, heard

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


@dataclass
class Receiver:
    """Somebody who takes notifications, as `answers` says; the last one counts on."""

    answers: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(b"0123456789abcdef", content, hashlib.sha256)).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"
        self.got.append((dict(request.headers), orjson.loads(body)))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def hooked(tmp_path, dsn: str, monkeypatch, receiver: Receiver) -> AsyncIterator[Heard]:
    monkeypatch.setenv("HEARD_HOOK", SECRET)
    monkeypatch.setenv("HEARD_HOOK_URL", f"{receiver.url}/hook")
    hook = ', deadLetters: {retries: 1}, hooks: {crm: {url: "${env:HEARD_HOOK_URL}", secret: "${env:HEARD_HOOK}"'
    events = f"{hook}, entities: [people#Person]}}}}"
    async with heard(tmp_path, dsn, monkeypatch, events=events) as people:

        async def begun() -> bool:
            rows = await people.mesh.store.pool.rows(
                b"SELECT 1 FROM dictamesh_consumer_offsets WHERE group_name = 'hook:crm'"
            )
            return bool(rows)

        await until(begun, "the hook has begun")
        yield people


async def test_each_event_is_sent_once_signed_and_in_order(hooked: Heard, receiver: Receiver) -> None:
    at = trace.begin()
    written = [await hooked.change("1", trace=at) for _ in range(5)]
    await hooked.change("x", entity="people#Badge")
    await until(lambda: len(receiver.got) >= 5, "all are there")
    await asyncio.sleep(0.5)
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [str(each) for each in written]
    headers, body = receiver.got[0]
    assert body["entity"]["id"] == "1"
    assert body["payload"] is None
    sent = trace.parse(headers["traceparent"])
    assert sent is not None
    assert sent.trace_id == at.trace_id


async def test_what_is_not_taken_is_tried_again_and_then_buried(hooked: Heard, receiver: Receiver) -> None:
    receiver.answers[:] = [503, 200, 503, 503, 200]
    first, second, third = [await hooked.change("1") for _ in range(3)]
    await until(lambda: len(receiver.got) >= 5, "all were tried")
    expected = [first, first, second, second, third]
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [str(each) for each in expected]

    async def buried() -> bool:
        rows = await hooked.mesh.store.pool.rows(
            b"SELECT event_id, consumer_group, stage, attempts FROM dictamesh_dead_letters"
        )
        return [tuple(row.values()) for row in rows] == [(second, "hook:crm", "handle", 2)]

    await until(buried, "a dead letter is there")


@pytest.mark.parametrize("status", [302, 400, 404, 410])
async def test_what_will_never_be_taken_is_buried_at_once(hooked: Heard, receiver: Receiver, status: int) -> None:
    receiver.answers[:] = [status]
    await hooked.change("1")

    async def buried() -> bool:
        return bool(await hooked.mesh.store.pool.rows(b"SELECT 1 FROM dictamesh_dead_letters"))

    await until(buried, "a dead letter is there")
    assert len(receiver.got) == 1
