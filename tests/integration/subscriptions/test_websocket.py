# SPDX-License-Identifier: Apache-2.0
"""Subscriptions over WebSocket: graphql-transport-ws to the letter, and what each subscriber hears."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from dictamesh.runtime.events.retention import TopicAge, delete_old
from dictamesh.runtime.gateway.subscriptions.running import READERS
from dictamesh.runtime.observe import trace
from tests.support.running import until
from tests.support.subscribing import WHAT, Heard, Socket, connected, frame, heard, slow, streamed

SOURCE_REQUESTS = "dictamesh_source_requests_total{"
QUERY = f"subscription {{ personChanged {WHAT} }}"


async def test_a_change_comes_as_the_record_is_now(people: Heard) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await people.ask('{ person(id: "2") { name } }')  # now it is cached
        await socket.subscribe(QUERY, "2")
        await socket.quiet(0.3)
        people.sql("UPDATE people SET name = 'Bea' WHERE id = '2'")
        written = await people.change("2")
        for _ in range(2):
            message = await socket.next()
            told = message["payload"]["data"]["personChanged"]
            assert message["type"] == "next"
            assert told["node"] == {"id": "2", "name": "Bea", "email": "bob@x.example", "boss": {"name": "Ann"}}
            assert told["event"]["id"] == str(written)
            assert (told["event"]["type"], told["event"]["key"]) == ("UPDATED", "2")
            assert told["event"]["changedFields"] == ["name"]
        answer = await people.ask('{ person(id: "2") { name } }')
        assert answer["data"]["person"]["name"] == "Bea"


async def test_the_handshake_is_as_the_protocol_says(people: Heard) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(people.url) as socket:
        assert await Socket(socket).closed() == (4406, "Subprotocol not acceptable; it is graphql-transport-ws")
    cases: list[tuple[list[Any], int]] = [
        ([{"id": "1", "type": "subscribe", "payload": {"query": QUERY}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "nonsense"}], 4400),
        ([{"type": "connection_init"}, {"id": 7, "type": "subscribe", "payload": {"query": QUERY}}], 4400),
        (["no JSON"], 4400),
        ([[1]], 4400),
        ([{"type": "connection_init", "payload": {"X-API-Key": "wrong"}}], 4403),
        ([{"type": "connection_init", "payload": {"headers": {"X-Purpose": "none such"}}}], 4403),
        ([{"type": "connection_init"}, *[{"id": "1", "type": "subscribe", "payload": {"query": QUERY}}] * 2], 4409),
    ]
    for messages, code in cases:
        async with connected(people.url, init=False) as socket:
            for message in messages:
                await (
                    socket.socket.send_str(message) if isinstance(message, str) else socket.socket.send_json(message)
                )
            assert (await socket.closed())[0] == code, messages


async def test_ping_complete_and_queries(people: Heard) -> None:
    async with connected(people.url, init=False) as socket:
        await socket.send(type="ping")
        assert await socket.next() == {"type": "pong"}
        await socket.begin()
        await socket.send(type="ping", payload={"any": 1})
        assert await socket.next() == {"type": "pong"}
        await socket.subscribe('{ person(id: "1") { name } }', "q")
        assert await socket.next() == {"id": "q", "type": "next", "payload": {"data": {"person": {"name": "Ann"}}}}
        assert await socket.next() == {"id": "q", "type": "complete"}
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        await socket.send(id="1", type="complete")
        await socket.quiet(0.3)
        await people.change("1")
        await socket.quiet()
        await socket.subscribe(QUERY)  # the id is free again
        await socket.quiet(0.3)
        await people.change("1")
        assert (await socket.next())["id"] == "1"


async def test_credentials_of_browsers_come_with_the_first_message(people: Heard) -> None:
    async with connected(people.url, None, payload={"X-API-Key": "heard_chief-0123456789abcdef"}) as socket:
        await socket.subscribe('{ person(id: "1") { email } }')
        assert (await socket.next())["payload"]["data"] == {"person": {"email": "ann@x.example"}}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(people.url, protocols=("graphql-transport-ws",), origin="https://evil.example")
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { personChanged { nonsense } }", "VALIDATION_ERROR"),
        ("subscription { personChanged { event { id } } badgeChanged { event { id } } }", "VALIDATION_ERROR"),
        ("subscription { personChanged { event { id ", "PARSE_FAILED"),
        ('subscription { personChanged(after: "AAAA") { event { id } } }', "VALIDATION_ERROR"),
        ("subscription { personChanged(filter: {name: {eq: null}}) { event { id } } }", "VALIDATION_ERROR"),
        (
            "subscription S($no: Boolean = false) { personChanged @include(if: $no) { event { id } } }",
            "VALIDATION_ERROR",
        ),
        (
            "subscription { personChanged { node { staff(limit: 900) { staff(limit: 900) { id } } } } }",
            "LIMIT_EXCEEDED",
        ),
        ("mutation { nonsense }", "VALIDATION_ERROR"),
        (7, "VALIDATION_ERROR"),
    ],
)
async def test_what_is_refused_ends_the_operation_alone(people: Heard, query: Any, code: str) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(query)
        message = await socket.next()
        assert (message["id"], message["type"]) == ("1", "error")
        assert {each["extensions"]["code"] for each in message["payload"]} == {code}
        await socket.subscribe("{ __typename }", "2")
        assert (await socket.next())["payload"]["data"] == {"__typename": "Query"}


async def test_a_subscription_goes_on_behind_a_cursor(people: Heard) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        first = await people.change("1")
        message = (await socket.next())["payload"]["data"]["personChanged"]["event"]
        assert message["id"] == str(first)
    missed = [str(await people.change(record, fields=("country",))) for record in ("1", "2", "3", "1")]
    query = f"subscription S($after: String) {{ personChanged(after: $after) {WHAT} }}"
    async with connected(people.url) as socket:
        await socket.subscribe(query, variables={"after": message["cursor"]})
        found = [(await socket.next())["payload"]["data"]["personChanged"]["event"] for _ in missed]
        assert sorted(each["id"] for each in found) == sorted(missed)
        assert [each["id"] for each in found if each["key"] == "1"] == [missed[0], missed[3]]
        assert len({len(each["cursor"]) for each in found}) == 1
        await socket.quiet(0.3)
        last = await people.change("1")
        assert (await socket.next())["payload"]["data"]["personChanged"]["event"]["id"] == str(last)


async def test_one_trace_from_the_event_to_the_message(people: Heard) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        at = trace.begin()
        await people.change("1", trace=at)
        sent = trace.parse((await socket.next())["payload"]["extensions"]["traceparent"])
        assert sent is not None
        assert sent.trace_id == at.trace_id
        assert sent.span_id != at.span_id


async def test_bounds_of_connections_and_of_the_process(tmp_path, dsn: str, monkeypatch) -> None:
    async with (
        heard(tmp_path, dsn, monkeypatch, subscriptions="max: 3, perConnection: 2") as people,
        connected(people.url) as socket,
        connected(people.url) as other,
    ):
        for number in range(3):
            await socket.subscribe(QUERY, str(number))
        message = await socket.next()
        assert (message["id"], message["payload"][0]["extensions"]["code"]) == ("2", "LIMIT_EXCEEDED")
        await other.subscribe(QUERY)
        await other.quiet(0.2)
        await other.subscribe(QUERY, "2")
        assert (await other.next())["payload"][0]["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        metrics = people.mesh.metrics.exposition().decode()
        assert 'dictamesh_subscriptions_active{transport="ws"} 3.0' in metrics


async def test_pings_put_the_first_message_off_no_longer(people: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dictamesh.runtime.gateway.subscriptions.websocket.INIT_WITHIN", 1.0)

    async def pings(socket: Socket) -> None:
        while True:
            await socket.send(type="ping")
            await asyncio.sleep(0.2)

    async with connected(people.url, init=False) as socket:
        pinging = asyncio.create_task(pings(socket))
        try:
            assert (await socket.closed())[0] == 4408
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)


async def test_a_caller_holds_no_more_than_may_be_and_others_go_on(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch, subscriptions="perCaller: 2") as people:
        async with connected(people.url, "reader") as one, connected(people.url, "reader") as other:
            for socket, at in ((one, "1"), (other, "1"), (other, "2")):
                await socket.subscribe(QUERY, at)
            refused = await other.next()
            assert (refused["id"], refused["payload"][0]["extensions"]["code"]) == ("2", "RATE_LIMIT_EXCEEDED")
            async with connected(people.url, "reader", init=False) as third:
                await third.send(type="connection_init")
                assert await third.closed() == (4429, "Too many connections of this caller")
            async with connected(people.url, "german") as german:
                await german.subscribe(QUERY)
                await german.quiet(0.3)
            async with streamed(people.url, QUERY, "reader") as events:
                assert (await events.next())[2]["errors"][0]["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        async with connected(people.url, "reader") as socket:  # whoever left counts no more
            await socket.subscribe(QUERY)
            await socket.quiet(0.3)


async def test_a_flood_of_operations_is_read_no_faster_than_it_is_answered(tmp_path, dsn: str, monkeypatch) -> None:
    """Each operation beyond those that a connection may hold was a task that waited for the client to read."""
    async with (
        heard(tmp_path, dsn, monkeypatch, subscriptions="perConnection: 1, patience: 60s") as people,
        slow(people, "chief", QUERY, narrow=True) as (_, writer),
    ):
        before = len(asyncio.all_tasks())
        for number in range(20_000):
            begin = {"id": f"{number:0>250}", "type": "subscribe", "payload": {"query": QUERY}}
            writer.write(frame(json.dumps(begin)))
            if number % 1000 == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        assert len(asyncio.all_tasks()) - before < 50


async def test_operations_that_are_ended_at_once_are_no_more_than_may_be(tmp_path, dsn: str, monkeypatch) -> None:
    most = 0

    async def count() -> None:
        nonlocal most
        while True:
            most = max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0)

    async with (
        heard(tmp_path, dsn, monkeypatch, subscriptions="perConnection: 2") as people,
        slow(people, "chief", QUERY) as (reader, writer),
    ):
        before = len(asyncio.all_tasks())
        counting = asyncio.create_task(count())
        for number in range(500):
            begin = {"id": f"n{number}", "type": "subscribe", "payload": {"query": QUERY}}
            writer.write(frame(json.dumps(begin)) + frame(json.dumps({"id": f"n{number}", "type": "complete"})))
        writer.write(frame('{"id": "q", "type": "subscribe", "payload": {"query": "{ __typename }"}}'))
        async with asyncio.timeout(60):
            while b"__typename" not in await reader.read(10_000):
                pass
        counting.cancel()
    assert most - before < 30


async def test_whoever_takes_nothing_is_cut_off_and_others_go_on(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch, subscriptions="patience: 1s, keepAlive: 60s") as people:
        people.sql("UPDATE people SET name = ? WHERE id = '1'", "x" * 200_000)
        async with slow(people, "chief", QUERY), connected(people.url, max_msg_size=0) as quick:
            await quick.subscribe("subscription { personChanged { event { id } } }")
            await quick.quiet(0.3)
            for _ in range(10):
                await people.write(*(people.event("1") for _ in range(10)))
            for _ in range(100):
                await quick.next()
            metrics = people.mesh.metrics
            await until(
                lambda: 'subscriptions_ended_total{outcome="slow"} 1.0' in metrics.exposition().decode(), "cut off"
            )
            await people.change("2")
            assert (await quick.next())["type"] == "next"


async def test_a_drain_says_goodbye(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch) as people, connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        stopping = asyncio.create_task(people.stop())
        assert await socket.closed() == (1001, "The process is shutting down.")
        assert await stopping == 0


async def test_whoever_was_away_too_long_is_told_so(people: Heard) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        await people.change("1")
        cursor = (await socket.next())["payload"]["data"]["personChanged"]["event"]["cursor"]
    await people.change("1")
    pool = people.mesh.store.pool
    now = (await pool.rows(b"SELECT clock_timestamp() AS now"))[0]["now"]
    assert await delete_old(pool, TopicAge(people.mesh.world.plan.entities["people#Person"].topic.name, now)) == 2
    kept = await people.change("1")
    query = f"subscription S($after: String) {{ personChanged(after: $after) {WHAT} }}"
    async with connected(people.url) as socket:
        await socket.subscribe(query, variables={"after": cursor})
        message = (await socket.next())["payload"]
        assert message["data"]["personChanged"]["event"]["id"] == str(kept)
        assert message["extensions"]["lost"] is True
        await people.change("1")
        assert "lost" not in (await socket.next())["payload"]["extensions"]


async def test_many_subscribers_ask_a_source_a_few_times(people: Heard) -> None:
    async with connected(people.url) as one, connected(people.url) as other:
        for number in range(20):
            await one.subscribe(QUERY, f"a{number}")
            await other.subscribe(QUERY, f"b{number}")
        await one.quiet(1)
        before = _reads(people)
        await people.change("3")
        for socket in (one, other):
            assert len({(await socket.next())["id"] for _ in range(20)}) == 20
        assert _reads(people) - before <= 2 * READERS  # a person and the boss


def _reads(people: Heard) -> float:
    text = people.mesh.metrics.exposition().decode()
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(SOURCE_REQUESTS))


@pytest.mark.parametrize(
    "data", [b"\x00binary", "x" * 200_000, "[" * 50_000, '{"type": "subscribe", "id": "' + "9" * 300 + '"}']
)
async def test_what_no_client_sends_ends_the_connection_alone(people: Heard, data: bytes | str) -> None:
    async with connected(people.url) as socket, connected(people.url) as other:
        await (socket.socket.send_bytes(data) if isinstance(data, bytes) else socket.socket.send_str(data))
        assert (await socket.closed())[0] in {1009, 4400}
        await other.subscribe("{ __typename }")
        assert (await other.next())["type"] == "next"
