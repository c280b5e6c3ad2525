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
from tests.support.subscribing import WHAT, Heard, Socket, connected, headers, heard

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


async def test_whoever_takes_nothing_is_cut_off_and_others_go_on(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch, subscriptions="patience: 1s, keepAlive: 60s") as people:
        people.sql("UPDATE people SET name = ? WHERE id = '1'", "x" * 200_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(people.mesh.http.port), limit=1024)
        sent = {
            "Host": "x",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": "graphql-transport-ws",
            **headers("chief"),
        }
        head = "GET /graphql HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_frame('{"type":"connection_init"}'))
        writer.write(_frame(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": QUERY}})))
        await asyncio.sleep(0.5)  # it reads no more
        async with connected(people.url, max_msg_size=0) as quick:
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
        writer.close()


async def test_a_drain_says_goodbye(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch) as people, connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        stopping = asyncio.create_task(people.stop())
        assert await socket.closed() == (1001, "The process is shutting down.")
        assert await stopping == 0


def _frame(text: str) -> bytes:
    """A masked text frame, as clients send them; the mask is zero."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data


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
