# SPDX-License-Identifier: Apache-2.0
"""Subscriptions as server-sent events: one operation for each connection, resumed by `Last-Event-ID`."""

import asyncio

import aiohttp
import pytest

from tests.support.running import until
from tests.support.subscribing import WHAT, Heard, headers, heard, streamed

QUERY = f"subscription {{ personChanged {WHAT} }}"
RESUMED = "subscription S($after: String) { personChanged(after: $after) { event { id } } }"


async def _begun(people: Heard, count: int = 1) -> None:
    text = f'dictamesh_subscriptions_active{{transport="sse"}} {count}.0'
    await until(lambda: text in people.mesh.metrics.exposition().decode(), "subscribed")
    await asyncio.sleep(0.2)


async def test_changes_come_as_events_and_go_on_behind_the_last_one(people: Heard) -> None:
    async with streamed(people.url, QUERY) as events:
        assert events.response.headers["Content-Type"] == "text/event-stream"
        await _begun(people)
        written = await people.change("2")
        name, cursor, data = await events.next()
        seen = data["data"]["personChanged"]
        assert (name, seen["event"]["id"], seen["node"]["name"]) == ("next", str(written), "Bob")
        assert cursor == seen["event"]["cursor"]
    missed = await people.change("2")
    async with streamed(people.url, RESUMED, headers={"Last-Event-ID": cursor}) as events:
        assert (await events.next())[2]["data"]["personChanged"]["event"]["id"] == str(missed)


async def test_by_get_and_queries_and_refusals(people: Heard) -> None:
    async with aiohttp.ClientSession() as session:
        sent = {**headers("chief"), "Accept": "text/event-stream"}
        async with session.get(people.url, params={"query": '{ person(id: "1") { name } }'}, headers=sent) as response:
            text = await response.text()
            assert text == 'event: next\ndata: {"data":{"person":{"name":"Ann"}}}\n\nevent: complete\ndata: \n\n'
        body = {"query": 'subscription { personChanged(filter: {email: {eq: "x"}}) { event { id } } }'}
        async with session.post(people.url, json=body, headers={**sent, **headers("reader")}) as response:
            text = await response.text()
            assert '"code":"FORBIDDEN"' in text
            assert text.endswith("event: complete\ndata: \n\n")
        async with session.post(people.url, json=body, headers={**sent, "X-API-Key": "wrong"}) as response:
            assert response.status == 401
        async with session.post(people.url, json={"query": QUERY}, headers=headers("chief")) as response:
            told = await response.json()
            assert told["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
            assert "text/event-stream" in told["errors"][0]["message"]


async def test_a_quiet_stream_is_kept_alive_and_a_drain_completes_it(tmp_path, dsn: str, monkeypatch) -> None:
    async with (
        heard(tmp_path, dsn, monkeypatch, subscriptions="keepAlive: 200ms") as people,
        streamed(people.url, QUERY) as events,
    ):
        await _begun(people)
        assert await events.response.content.readline() == b":\n"
        stopping = asyncio.create_task(people.stop())
        async with asyncio.timeout(10):
            assert (await events.next())[0] == "complete"
        assert await stopping == 0


async def test_whoever_leaves_is_counted_out(people: Heard) -> None:
    async with streamed(people.url, QUERY):
        await _begun(people)
    await _begun(people, 0)


async def test_credentials_that_end_are_told(tmp_path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        heard(tmp_path, dsn, monkeypatch, subscriptions="recheck: 300ms") as people,
        streamed(people.url, QUERY, "reader") as events,
    ):
        await _begun(people)
        monkeypatch.setenv("HEARD_READER", "another-0123456789abcdef")
        assert await people.mesh.reload("signal") == "applied"
        assert (await events.next())[2]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await events.next())[0] == "complete"
