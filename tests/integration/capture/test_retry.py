# SPDX-License-Identifier: Apache-2.0
"""Dead letters tried again: by what came, or by what the source holds now; nothing newer is undone (EV-12)."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.capture.contract import Batch
from dictamesh.runtime.capture.letters import KeptLetters
from dictamesh.runtime.capture.messages import Message, MessageReader
from dictamesh.runtime.capture.retry import Retrying
from dictamesh.runtime.capture.snapshot import snapshot
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.events.dead_letters import TOPIC, DeadLetter, put
from dictamesh.runtime.events.kept_letters import Letter, Which, forget, letters, settle
from dictamesh.runtime.events.log import LoggedEvent, bounds, read_events
from dictamesh.runtime.events.seal import seal_of
from dictamesh.specs.limits import Limit, Limited
from dictamesh.specs.types import STRING
from tests.integration.capture.conftest import KEY, Mesh, plan_of, until
from tests.support.recorder import IDS, Listening
from tests.support.webhooks import SEAL, Shop, delivery, order, orders, shop


async def pending(pool: Pool, mesh: str = "test") -> list[Letter]:
    return await letters(pool, Which(mesh, status="pending"))


async def only(pool: Pool, mesh: str = "test") -> Letter:
    (letter,) = await letters(pool, Which(mesh))
    return letter


async def no_line(_server: str) -> Line | None:
    return None


async def no_group(group: str, _event: LoggedEvent) -> bool:
    raise LookupError(group)


def trying(pool: Pool, plan: Any, recorder: Any, line: Callable[[str], Awaitable[Line | None]] = no_line) -> Retrying:
    return Retrying(pool, plan, SEAL, IDS, KEY, lambda _: recorder, line, no_group)


def mended(one: Shop, entity: EntityPlan) -> tuple[Any, Listening]:
    """The plan of a shop whose spec was mended, and its recorder."""
    plan = replace(one.plan, entities={entity.address: entity})
    return plan, Listening(one.recorder.pool, plan, entity, SEAL)


async def captured(mesh: Mesh, recorder: Any, count: int) -> None:
    """Take one snapshot, until so many events and its end have come."""

    async def done() -> bool:
        return len(await mesh.events()) >= count and "pass" not in (await recorder.position(mesh.state) or {"pass": 1})

    async with mesh.making(recorder) as making:
        work = asyncio.create_task(snapshot(making).run())
        await until(done, 60)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_one_poison_record_of_ten_thousand(mesh: Mesh, catalog: Pool) -> None:
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 1000, pause: 0s}}", ["age"])
    ages = ["17"] * 10_000
    ages[5_000] = "'seventeen'"
    values = ",".join(f"('c-{n}', 'ana', {age}, NULL, NULL)" for n, age in enumerate(ages))
    mesh.sql(f"INSERT INTO customers VALUES {values}")
    recorder = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
    await captured(mesh, recorder, 9_999)
    (letter,) = await pending(catalog, "acme")
    assert (letter.key, letter.stage, letter.rule) == ("c-5000", "map", "DATA_INVALID customers#Customer.age")
    assert "c-5000" not in {each.entity_id for each in await mesh.events()}

    plan = plan_of("{snapshot: {every: 1h, page: 1000, pause: 0s}}", ["age"])
    entity = plan.entities["customers#Customer"]
    text = tuple(replace(f, type=STRING) if f.name == "age" else f for f in entity.fields)
    columns = tuple(replace(c, type=STRING) if c.name == "age" else c for c in entity.source.columns)
    entity = replace(entity, fields=text, source=replace(entity.source, columns=columns))
    mesh.plan = replace(plan, entities={**plan.entities, entity.address: entity})
    async with mesh.making(recorder) as making:

        async def line(_server: str) -> Line | None:
            return making.line

        tries = trying(catalog, mesh.plan, mesh.recorder(dead=KeptLetters(SEAL, TOPIC)), line)
        assert (await tries.retry(letter)).became == "retried"
    settled = await only(catalog, "acme")
    assert (settled.status, settled.sealed) == ("retried", None)
    assert "c-5000" in {each.entity_id for each in await mesh.events()}
    assert len({each.entity_id for each in await mesh.events()}) == 10_000


async def test_what_the_source_holds_now_counts(mesh: Mesh, catalog: Pool) -> None:
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 10, pause: 0s}}", ["age"])
    mesh.sql("INSERT INTO customers VALUES ('a', 'ana', 'x', NULL, NULL), ('b', 'bob', 'x', NULL, NULL)")
    mesh.sql("INSERT INTO customers VALUES ('c', 'cy', 'x', NULL, NULL), ('d', 'dan', 1, NULL, NULL)")
    recorder = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
    await captured(mesh, recorder, 1)
    mesh.sql("UPDATE customers SET age = 5, name = 'anna' WHERE id = 'a'", "DELETE FROM customers WHERE id = 'b'")
    async with mesh.making(recorder) as making:

        async def line(_server: str) -> Line | None:
            return making.line

        tries = trying(catalog, mesh.plan, recorder, line)
        became = {each.key: await tries.retry(each) for each in await pending(catalog, "acme")}
    assert {key: each.became for key, each in became.items()} == {"a": "retried", "b": "retried", "c": "failed"}
    (left,) = await pending(catalog, "acme")
    assert (left.key, left.attempts) == ("c", 2)
    assert await mesh.told() == [("a", "1", "CREATED"), ("d", "1", "CREATED")]


async def test_a_source_that_does_not_answer_counts_no_attempt(mesh: Mesh, catalog: Pool) -> None:
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 10, pause: 0s}}", ["age"])
    mesh.sql("INSERT INTO customers VALUES ('a', 'ana', 'x', NULL, NULL), ('d', 'dan', 1, NULL, NULL)")
    recorder = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
    await captured(mesh, recorder, 1)
    letter = await only(catalog, "acme")
    outcome = await trying(catalog, mesh.plan, recorder).retry(letter)
    assert (outcome.became, outcome.rule) == ("kept", "SOURCE_UNAVAILABLE")
    assert await only(catalog, "acme") == letter


async def test_a_webhook_body_is_read_by_the_mended_spec(catalog: Pool) -> None:
    async with shop(catalog) as one:
        body = {"delivery": 1, "event": "order.changed", "data": {"id": "o-1", "total": "1.50"}}
        assert (await one.send(body))[0] == 400
        letter = await only(catalog)
        outcome = await trying(catalog, one.plan, one.recorder).retry(letter)
        assert (outcome.became, outcome.rule) == ("failed", "UNKNOWN_EVENT_TYPE")
        assert (await only(catalog)).attempts == 2
        plan, recorder = mended(one, order({"event": {"updated": "order.changed"}}))
        assert (await trying(catalog, plan, recorder).retry(letter)).became == "retried"
        assert [each.entity_id for each in await recorder.log()] == ["o-1"]
        assert (await only(catalog)).status == "retried"


async def test_a_row_is_mapped_by_the_mended_spec(catalog: Pool) -> None:
    async with shop(catalog) as one:
        assert (await one.send(delivery(1, total="free", revision=3)))[0] == 202
        letter = await only(catalog)
        assert (letter.stage, letter.key, letter.rule) == ("map", "o-1", "DATA_INVALID orders#Order.total")
        assert (await trying(catalog, one.plan, one.recorder).retry(letter)).became == "failed"
        entity = order()
        fields = tuple(replace(each, type=STRING) if each.name == "total" else each for each in entity.fields)
        plan, recorder = mended(one, replace(entity, fields=fields))
        assert (await trying(catalog, plan, recorder).retry(letter)).became == "retried"
        without, whole = await recorder.log()
        assert (without.envelope["payload"]["total"], without.envelope["metadata"]["unread"]) == (None, "total")
        assert (whole.envelope["payload"]["total"], whole.envelope["changed_fields"]) == ("free", ["total"])
        assert whole.event_id != without.event_id
        assert (await only(catalog)).status == "retried"


async def test_what_changed_since_is_not_undone(catalog: Pool) -> None:
    async with shop(catalog) as one:
        await one.send(delivery(1, total="free"))
        await one.send({"delivery": 2, "event": "?", "data": {"id": "o-2", "total": "1"}})
        assert len(await pending(catalog)) == 2
        await one.send({**delivery(1, total="2.00"), "delivery": 3})
        await one.send({**delivery(2, total="2.00"), "delivery": 4})
        fields = tuple(replace(f, type=STRING) if f.name == "total" else f for f in order().fields)
        plan, recorder = mended(one, replace(order({"event": {"updated": ["updated", "?"]}}), fields=fields))
        for letter in await pending(catalog):
            assert (await trying(catalog, plan, recorder).retry(letter)).became == "superseded"
        assert {each.status for each in await letters(catalog, Which("test"))} == {"dropped"}
        told = [each.envelope for each in await one.recorder.log()]
        assert [each["payload"]["total"] for each in told if each["entity"]["id"] == "o-1"] == [None, "2.00"]
        assert [each["payload"]["total"] for each in told if each["entity"]["id"] == "o-2"] == ["2.00"]


def _held(field: FieldPlan) -> FieldPlan:
    return replace(field, limits=(Limited(Limit.MINIMUM, 0),)) if field.name in {"total", "revision"} else field


async def test_the_newest_delivery_of_a_record_is_the_one_that_is_tried(catalog: Pool) -> None:
    """With a letter of each rule the older one goes first, and the newest passes for what is undone by it."""
    strict = replace(order(), fields=tuple(map(_held, order().fields)))
    async with shop(catalog, strict) as one:
        for number, (total, revision) in enumerate([("1.00", 1), ("-2.00", 2), ("3.00", -3)]):
            assert (await one.send({**delivery(1, total=total, revision=revision), "delivery": number}))[0] == 202
        letter = await only(catalog)
        assert (letter.rule, letter.attempts) == ("CONTRACT_VIOLATION orders#Order.revision", 2)
        plan, recorder = mended(one, order())
        assert (await trying(catalog, plan, recorder).retry(letter)).became == "retried"
        told = [each.envelope["payload"] for each in await recorder.log()]
        assert [(each["total"], each["revision"]) for each in told] == [("1.00", 1), ("3.00", -3)]
        assert await pending(catalog) == []


async def test_what_was_deleted_since_is_not_brought_back(catalog: Pool) -> None:
    strict = replace(order(), fields=tuple(map(_held, order().fields)))
    words = {"updated": "updated", "deleted": "deleted"}
    async with shop(catalog, replace(strict, changes=order({"event": words}).changes)) as one:
        await one.send(delivery(1, total="-1.00"))
        assert (await one.send({**delivery(1, "deleted"), "delivery": 2}))[0] == 202
        plan, recorder = mended(one, order({"event": words}))
        letter = await only(catalog)
        assert (await trying(catalog, plan, recorder).retry(letter)).became == "superseded"
        assert await recorder.log() == []


async def test_a_message_is_read_by_the_mended_spec(catalog: Pool) -> None:
    def entity(**more: Any) -> EntityPlan:
        return orders({"kafka": {"topic": "t", "bootstrap": "b:1", **more}})

    async with shop(catalog, order()) as one:
        plan, recorder = mended(one, entity())
        (state,) = states_of("test", entity())
        message = Message(b"o-1", json.dumps({"after": {"id": "o-1", "total": 1}}).encode(), "t/0/7", 1_700_000_000_000)
        await recorder.record(Batch(state, bad=[await MessageReader(entity(), entity().changes.kafka).read(message)]))
        letter = await only(catalog)
        assert (letter.rule, letter.kind, letter.origin) == ("NO_KEY", "kafka", "t/0/7")
        assert (await trying(catalog, plan, recorder).retry(letter)).rule == "NO_KEY"
        plan, recorder = mended(one, entity(payload="after"))
        assert (await trying(catalog, plan, recorder).retry(letter)).became == "retried"
        (event,) = await recorder.log()
        assert event.envelope["timestamp"] == 1_700_000_000_000


async def test_what_cannot_be_tried_here_is_kept(catalog: Pool) -> None:
    async with shop(catalog) as one:
        await one.send(delivery(1, total="free"))
        letter = await only(catalog)
        tries = trying(catalog, one.plan, one.recorder)
        assert (await tries.retry(replace(letter, entity="gone#Gone"))).became == "kept"
        assert (await tries.retry(replace(letter, kind=None))).became == "kept"
        assert (await tries.retry(replace(letter, sealed=None))).became == "kept"
        other = replace(tries, seal=seal_of(b"another"))
        assert (await other.retry(letter)).became == "kept"
        assert await only(catalog) == letter


async def test_an_event_is_handed_to_its_consumers_again(catalog: Pool) -> None:
    async with shop(catalog) as one:
        await one.send(delivery(1))
        (event,) = await one.recorder.log()
        origin = f"{event.topic}/{event.partition}/{event.offset}"
        failed = DeadLetter(
            "handle", "HANDLER_FAILED", "the handler failed", origin, group="g", event_id=event.event_id
        )
        async with catalog.transaction() as connection:
            await put(connection, "test", event.topic, "orders#Order", [failed], SEAL)
        letter, taken = await only(catalog), []

        async def take(group: str, given: LoggedEvent) -> bool:
            taken.append((group, given.event_id))
            return len(taken) > 1

        tries = trying(catalog, one.plan, one.recorder)
        assert (await tries.retry(letter)).became == "kept"
        tries = replace(tries, handle=take)
        assert (await tries.retry(letter)).became == "failed"
        assert (await only(catalog)).attempts == 2
        assert (await tries.retry(replace(letter, origin=f"{event.topic}/0/99"))).became == "kept"
        assert (await tries.retry(letter)).became == "retried"
        assert taken == [("g", event.event_id)] * 2
        assert (await only(catalog)).status == "retried"


async def test_settling_destroys_bodies_and_is_told_once(catalog: Pool) -> None:
    async with shop(catalog) as one:
        for number in range(3):
            await one.send(delivery(number, total="free"))
        found = [each.id for each in await pending(catalog)]
        for count in (2, 0):
            async with catalog.transaction() as connection:
                assert await settle(connection, "test", found[:2], "dropped", to=TOPIC) == count
        assert [each.sealed is None for each in await letters(catalog, Which("test", tuple(found)))] == [
            True,
            True,
            False,
        ]
        told = [each for p in await bounds(catalog, TOPIC) for each in await read_events(catalog, TOPIC, p, 0)]
        assert sorted(each.event_type for each in told) == ["CREATED"] * 3 + ["UPDATED"] * 2
        assert {each.envelope["metadata"]["status"] for each in told} == {"pending", "dropped"}
        assert await letters(catalog, Which("test", (uuid.uuid4(),))) == []


async def test_bodies_about_a_data_subject_are_destroyed(catalog: Pool) -> None:
    async with shop(catalog) as one:
        for number, note in enumerate(["c-77", "c-770", "nobody"]):
            await one.send(delivery(number, total="free", note=note))
        await one.send(b'{"broken": "c-77')
        (by_key,) = [each for each in await pending(catalog) if each.key == "o-2"]
        async with catalog.transaction() as connection:
            holds = lambda body: b'"c-77"' in body or body.endswith(b'"c-77')  # noqa: E731
            assert await forget(connection, "test", "orders#Order", [by_key.key], SEAL, holds) == 3
        assert [each.key for each in await pending(catalog) if each.sealed is not None] == ["o-1"]
        async with catalog.transaction() as connection:
            assert await forget(connection, "test", "orders#Order", [], seal_of(b"another"), lambda _: False) == 1
