# SPDX-License-Identifier: Apache-2.0
"""Dead letters: sealed in their table, told of without values in a topic, the same failure once (EV-12)."""

import uuid

import psycopg
import pytest

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.events.dead_letters import TOPIC, DeadLetter, put
from dictamesh.runtime.events.log import bounds, read_events
from dictamesh.runtime.events.seal import Unreadable, seal_of

SEAL = seal_of(b"a secret of the mesh")
CANARY = b'{"email": "canary@example.com"}'
ENTITY = "shop#Order"


def letter(**changes: object) -> DeadLetter:
    told = {"stage": "map", "rule": "DATA_INVALID shop#Order.total", "error": "a value does not fit", "origin": "o 1"}
    return DeadLetter(**{**told, "body": CANARY, "kind": "webhook", **changes})


async def written(pool: Pool, *bad: DeadLetter) -> list[dict]:
    async with pool.transaction() as connection:
        await put(connection, "m", "shop.orders", ENTITY, bad, SEAL)
    return await pool.rows(b"SELECT * FROM dictamesh_dead_letters ORDER BY first_failed_at, origin")


async def told(pool: Pool) -> list:
    found = await bounds(pool, TOPIC)
    return [each for partition in found for each in await read_events(pool, TOPIC, partition, 0)]


async def test_a_body_is_sealed_and_its_record_bears_no_value(catalog: Pool) -> None:
    (row,) = await written(catalog, letter(key="o-1", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01"))
    assert CANARY not in row["body"]
    assert SEAL.opened(row["body"], ENTITY, row["seal_id"]) == CANARY
    (event,) = await told(catalog)
    assert (event.entity_type, event.entity_id, event.event_type) == ("DeadLetter", str(row["id"]), "CREATED")
    assert event.envelope["metadata"]["rule"] == "DATA_INVALID shop#Order.total"
    assert event.envelope["metadata"]["stage"] == "map"
    assert event.envelope["trace_context"]["trace_id"] == "ab" * 16
    assert "canary" not in str(event)


async def test_the_same_failure_counts_an_attempt_and_keeps_the_newest_body(catalog: Pool) -> None:
    await written(catalog, letter(key="o-1"), letter(key="o-2"))
    rows = await written(catalog, letter(key="o-1", body=b"newer", origin="o 9"), letter(key="o-1", body=b"newest"))
    assert sorted((row["record_key"], row["attempts"]) for row in rows) == [("o-1", 3), ("o-2", 1)]
    newest = next(row for row in rows if row["record_key"] == "o-1")
    assert SEAL.opened(newest["body"], ENTITY, newest["seal_id"]) == b"newest"
    assert newest["last_failed_at"] > newest["first_failed_at"]
    assert len(await told(catalog)) == 2


async def test_records_without_a_key_are_told_apart_by_their_bytes(catalog: Pool) -> None:
    rows = await written(catalog, letter(body=b"{"), letter(body=b"["), letter(body=b"{"))
    assert sorted(row["attempts"] for row in rows) == [1, 2]


async def test_a_failed_handler_is_known_by_its_event_and_group(catalog: Pool) -> None:
    event = uuid.uuid4()
    failed = letter(stage="handle", kind=None, body=None, event_id=event, group="metadata-catalog-consumer")
    (row,) = await written(catalog, failed, failed)
    assert (row["attempts"], row["event_id"], row["body"]) == (2, event, None)
    assert (await told(catalog))[0].envelope["metadata"]["event_id"] == str(event)


async def test_nothing_stays_of_a_transaction_that_fails(catalog: Pool) -> None:
    async with catalog.transaction() as connection:
        await put(connection, "m", "shop.orders", ENTITY, [letter()], SEAL)
        raise psycopg.Rollback
    assert await catalog.rows(b"SELECT 1 FROM dictamesh_dead_letters") == []
    assert await told(catalog) == []


def test_a_seal_opens_nothing_of_another_key_or_owner() -> None:
    sealed = SEAL.closed(CANARY, ENTITY)
    with pytest.raises(Unreadable):
        seal_of(b"another secret").opened(sealed, ENTITY, SEAL.id)
    with pytest.raises(Unreadable):
        SEAL.opened(sealed, "shop#Customer", SEAL.id)
    with pytest.raises(Unreadable):
        SEAL.opened(sealed[:5], ENTITY, SEAL.id)
