# SPDX-License-Identifier: Apache-2.0
"""Batches become events, versions and a position, all or nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture.contract import Bad, Batch, Ousted, Recorded, Seen
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.events.payload import NoPayload
from tests.integration.capture.conftest import PRODUCT, Mesh, counts, plan_of, row

JSON = "name: age, logicalType: object"


async def test_the_first_sight_of_a_record_creates_it_and_the_same_again_is_nothing(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    done = await recorder.record(Batch(mesh.state, [row("c1"), row("c2")], position={"at": 1}))
    assert counts(done) == (2, 0, 0, 0, 0)
    assert sum(done.positions.values()) == 2
    assert await recorder.position(mesh.state) == {"at": 1}
    again = await mesh.recorder().record(Batch(mesh.state, [row("c1"), row("c2")]))
    assert counts(again) == (0, 0, 0, 2, 0)
    assert await recorder.position(mesh.state) == {"at": 1}
    assert await mesh.told() == [("c1", "1", "CREATED"), ("c2", "1", "CREATED")]


async def test_changed_fields_are_exact_computed_ones_included(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1", age=1, store_id="s1")]))
    await recorder.record(Batch(mesh.state, [row("c1", age=2, store_id="s1")]))
    await recorder.record(Batch(mesh.state, [row("c1", "bo", age=2, store_id="s1")]))
    await recorder.record(Batch(mesh.state, [row("c1", "bo", age=2)]))
    events = await mesh.events()
    assert [set(each.changed_fields) for each in events] == [
        {"id", "name", "age", "label", "storeId"},
        {"age"},
        {"name", "label"},
        {"storeId"},
    ]
    assert [each.envelope["entity"]["version"] for each in events] == ["1", "2", "3", "4"]


async def test_several_changes_of_one_record_in_a_batch_stay_several_in_order(mesh: Mesh) -> None:
    seen = [row("c1"), row("c1", "bo"), Seen(columns={"id": "c1"}, deleted=True), row("c1")]
    done = await mesh.recorder().record(Batch(mesh.state, seen))
    assert counts(done) == (2, 1, 1, 0, 0)
    assert [each.event_type for each in await mesh.events()] == ["CREATED", "UPDATED", "DELETED", "CREATED"]
    assert [each.envelope["entity"]["version"] for each in await mesh.events()] == ["1", "2", "3", "4"]


async def test_a_deleted_record_is_forgotten_but_for_its_version(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    gone = Seen(columns={"id": "c1"}, deleted=True)
    await recorder.record(Batch(mesh.state, [row("c1")]))
    await recorder.record(Batch(mesh.state, [gone]))
    assert counts(await recorder.record(Batch(mesh.state, [gone]))) == (0, 0, 0, 1, 0)
    kept = await mesh.pool.rows(b"SELECT version, deleted, field_hashes, content_hash FROM dictamesh_entity_state")
    assert kept == [{"version": 2, "deleted": True, "field_hashes": b"", "content_hash": b""}]


async def test_the_envelope_says_where_the_record_belongs_and_since_when(mesh: Mesh) -> None:
    at = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = replace(row("c1", store_id="s1"), at=at, traceparent=trace)
    await mesh.recorder().record(Batch(mesh.state, [seen]))
    event = (await mesh.events())[0]
    envelope = event.envelope
    assert event.timestamp == at
    assert (envelope["source_system"], envelope["domain"]) == ("crm", "crm")
    assert envelope["relationships"] == [
        {
            "type": "Store",
            "entity_id": "s1",
            "source_system": "crm",
            "relationship_kind": "store",
            "display_name": None,
        }
    ]
    assert envelope["trace_context"]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert envelope["trace_context"]["parent_span_id"] == "b7ad6b7169203331"
    assert len(envelope["entity"]["etag"]) == 32


async def test_no_value_is_kept_and_equal_values_of_two_records_cannot_be_told(mesh: Mesh) -> None:
    await mesh.recorder().record(Batch(mesh.state, [row("c1", "zanzibar"), row("c2", "zanzibar")]))
    rows = await mesh.pool.rows(b"SELECT s::text AS t, field_hashes AS h FROM dictamesh_entity_state s")
    assert all("zanzibar" not in each["t"] for each in rows)
    pairs = [{each["h"][at + 8 : at + 16] for at in range(0, len(each["h"]), 16)} - {b"\0" * 8} for each in rows]
    assert not pairs[0] & pairs[1]
    log = await mesh.pool.rows(b"SELECT l::text AS t FROM dictamesh_event_log l")
    assert all("zanzibar" not in each["t"].lower() for each in log)


async def test_a_second_delivery_adds_nothing_though_the_record_changed_since(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    first, second = replace(row("c1", "a"), event_id="d1"), replace(row("c1", "b"), event_id="d2")
    await recorder.record(Batch(mesh.state, [first, second]))
    assert counts(await recorder.record(Batch(mesh.state, [first, second, first]))) == (0, 0, 0, 3, 0)
    assert [each.envelope["entity"]["version"] for each in await mesh.events()] == ["1", "2"]


async def test_what_a_stream_tells_again_after_a_crash_has_the_same_id(mesh: Mesh) -> None:
    state = replace(mesh.state, kind="postgres")
    told = [replace(row("c1", name), origin=f"0/{n}") for n, name in enumerate("aba")]
    await mesh.recorder().record(Batch(state, told))
    before = await mesh.told()
    await mesh.recorder().record(Batch(state, told[1:]))
    assert await mesh.told() == before
    assert len(before) == 3


class Kept:
    """Dead letters in memory."""

    def __init__(self) -> None:
        self.bad: list[Bad] = []

    async def put(self, connection: Any, entity: Any, state: Any, bad: Any) -> None:
        self.bad += bad


async def test_a_bad_record_becomes_a_dead_letter_once_and_the_others_go_on(mesh: Mesh) -> None:
    mesh.plan = plan_of(required=["age"])
    kept = Kept()
    recorder = mesh.recorder(dead=kept)
    seen = [row(f"c{n}") for n in range(200)]
    seen[100] = row("c100", age="many")
    done = await recorder.record(Batch(mesh.state, seen))
    assert counts(done) == (199, 0, 0, 0, 1)
    assert (kept.bad[0].stage, kept.bad[0].rule, kept.bad[0].key) == (
        "map",
        "DATA_INVALID customers#Customer.age",
        "c100",
    )
    assert "many" not in kept.bad[0].error
    assert counts(await recorder.record(Batch(mesh.state, seen)))[4] == 0
    assert counts(await recorder.record(Batch(mesh.state, [row("c100")]))) == (1, 0, 0, 0, 0)
    assert len(kept.bad) == 1


async def test_a_field_that_cannot_be_read_is_null_and_the_rest_of_the_record_is_told(mesh: Mesh) -> None:
    """S4: the rest of the row lives, in events as in answers; what was wrong with the field is a dead letter."""
    kept = Kept()

    async def told(*seen: Seen) -> tuple[list[str], dict[str, Any] | None, str | None]:
        done = await mesh.recorder(Whole(), kept).record(Batch(mesh.state, seen))
        if not done.created + done.updated:
            return [], None, None
        envelope = max(await mesh.events(), key=lambda each: int(each.envelope["entity"]["version"])).envelope
        return envelope["changed_fields"], envelope["payload"], envelope["metadata"].get("unread")

    every = ["age", "id", "label", "name", "storeId"]
    changed, payload, unread = await told(row("c1", age="many"))
    assert (sorted(changed), unread) == (every, "age")
    assert payload == {"id": "c1", "name": "ana", "age": None, "label": "ANA", "storeId": None}
    assert await told(row("c1", age="many")) == ([], None, None)
    assert await told(row("c1", age="lots")) == ([], None, None)  # null as before, but another thing to look at
    assert [each.rule for each in kept.bad] == ["DATA_INVALID customers#Customer.age"] * 2
    changed, payload, unread = await told(row("c1", "bea", age="lots"))
    assert (changed, unread, len(kept.bad)) == (["name", "label"], "age", 3)  # the newest record is kept
    assert (await told(row("c1", "bea", age=7)))[0::2] == (["age"], None)
    assert (await told(row("c1", "bea", age="many")))[0::2] == (["age"], "age")
    assert len(kept.bad) == 4
    stand = (await states.stands(mesh.pool, "acme"))[0]
    assert (stand.live, stand.bad) == (1, 1)
    await told(row("c1", "bea", age=8))
    assert (await states.stands(mesh.pool, "acme"))[0].bad == 0


async def test_a_required_field_at_fault_is_told_before_one_that_is_not(mesh: Mesh) -> None:
    mesh.plan = plan_of(required=["name"])
    kept = Kept()
    done = await mesh.recorder(dead=kept).record(Batch(mesh.state, [row("c1", name=["a"], age="many")]))
    assert counts(done) == (0, 0, 0, 0, 1)
    assert [each.rule for each in kept.bad] == ["DATA_INVALID customers#Customer.name"]


@pytest.mark.parametrize("bad", [row(None), row("a\0b"), row("x" * 2000), row("*"), row("\ud800")])
async def test_a_record_without_a_key_that_can_be_kept_is_bad(mesh: Mesh, bad: Seen) -> None:
    kept = Kept()
    done = await mesh.recorder(dead=kept).record(Batch(mesh.state, [row("c1"), bad]))
    assert counts(done) == (1, 0, 0, 0, 1)
    assert kept.bad[0].stage == "key"


class Whole(NoPayload):
    """Tells every value."""

    def of(self, entity: Any, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return row


async def test_a_text_that_the_log_cannot_hold_is_left_out_and_the_rest_is_told(mesh: Mesh) -> None:
    kept = Kept()
    seen = [row("c1"), row("c2", "a\0b"), row("c3"), row("c4", "\ud800"), row("c5")]
    done = await mesh.recorder(Whole(), kept).record(Batch(mesh.state, seen, position={"at": 5}))
    assert counts(done) == (5, 0, 0, 0, 2)
    assert {(each.key, each.rule) for each in kept.bad} == {
        ("c2", "DATA_INVALID customers#Customer.name"),
        ("c4", "DATA_INVALID customers#Customer.name"),
    }
    told = {each.entity_id: each.envelope for each in await mesh.events()}
    assert told["c2"]["metadata"]["unread"] == "label,name"
    assert told["c2"]["payload"] == {"id": "c2", "name": None, "age": 1, "label": None, "storeId": None}
    assert await mesh.recorder().position(mesh.state) == {"at": 5}
    again = await mesh.recorder(Whole(), kept).record(Batch(mesh.state, seen))
    assert (counts(again), len(kept.bad)) == ((0, 0, 0, 5, 0), 2)


async def test_a_required_text_that_the_log_cannot_hold_costs_the_record_its_event(mesh: Mesh) -> None:
    mesh.plan = plan_of(required=["name"])
    kept = Kept()
    done = await mesh.recorder(Whole(), kept).record(Batch(mesh.state, [row("c1"), row("c2", "a\0b")]))
    assert counts(done) == (1, 0, 0, 0, 1)
    assert [each.key for each in kept.bad] == ["c2"]


async def test_a_full_pass_deletes_what_it_did_not_see(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row(f"c{n}") for n in range(5)]))
    await recorder.record(Batch(mesh.state, pass_id="p1"))
    await recorder.record(Batch(mesh.state, [row("c1")], pass_id="p1"))
    other = replace(mesh.state, kind="webhook")
    await mesh.recorder().record(Batch(other, [row("c7")]))
    assert await recorder.unseen(mesh.state, "p1") == 4
    done = await recorder.record(Batch(mesh.state, [row("c2")], complete="p1", position={"at": 2}))
    assert counts(done) == (0, 0, 3, 1, 0)
    live = await mesh.pool.rows(b"SELECT entity_id FROM dictamesh_entity_state WHERE NOT deleted ORDER BY 1")
    assert [each["entity_id"] for each in live] == ["c1", "c2", "c7"]
    assert await recorder.position(mesh.state) == {"at": 2}


async def whole(mesh: Mesh, id_: str, seen: list[Seen], position: Mapping[str, Any] | None) -> Recorded:
    """One full pass; its position comes from what is stored, as ways make it."""
    recorder = mesh.recorder()
    before = await recorder.position(mesh.state) or {}
    await recorder.record(Batch(mesh.state, position={**before, "pass": id_}, pass_id=id_))
    return await recorder.record(Batch(mesh.state, seen, complete=id_, position=position))


async def test_a_source_that_answers_with_next_to_nothing_is_believed_the_second_time(
    mesh: Mesh, caplog: pytest.LogCaptureFixture
) -> None:
    everything = [row(f"c{n}") for n in range(101)]
    await whole(mesh, "1", everything, {"at": 1})
    done = await whole(mesh, "2", [], {"at": 2})
    assert (done.deleted, done.doubted) == (0, 101)
    assert "did not find 101 of 101 records" in caplog.text
    assert (await mesh.recorder().position(mesh.state)) == {"at": 2, "doubted": True}
    done = await whole(mesh, "3", everything, {"at": 3})  # it was an outage
    assert counts(done) == (0, 0, 0, 101, 0)
    done = await whole(mesh, "4", everything[:50], {"at": 4})
    assert (done.deleted, done.doubted, done.unchanged) == (0, 51, 50)
    done = await whole(mesh, "5", everything[:50], {"at": 5})
    assert (done.deleted, done.doubted) == (51, 0)
    assert (await mesh.recorder().position(mesh.state)) == {"at": 5}
    assert (await whole(mesh, "6", [], {"at": 6})).deleted == 50  # few records may go at once


async def test_a_pass_after_which_no_other_comes_is_believed(mesh: Mesh) -> None:
    await whole(mesh, "1", [row(f"c{n}") for n in range(101)], {"at": 1})
    assert (await whole(mesh, "2", [], None)).deleted == 101


async def test_a_full_pass_with_a_record_that_has_no_key_deletes_nothing(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1"), row("c2")]))
    await recorder.record(Batch(mesh.state, pass_id="p1"))
    await recorder.record(Batch(mesh.state, [row("c1"), row(None)], pass_id="p1"))
    assert counts(await recorder.record(Batch(mesh.state, complete="p1"))) == (0, 0, 0, 0, 0)
    await recorder.record(Batch(mesh.state, pass_id="p2"))
    await recorder.record(Batch(mesh.state, [row("c1")], pass_id="p2"))
    assert counts(await recorder.record(Batch(mesh.state, complete="p2"))) == (0, 0, 1, 0, 0)


async def test_a_present_record_that_nobody_knows_is_asked_for(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1")]))
    seen = [Seen(columns={"id": each}, present=True) for each in ("c1", "c2")]
    assert (await recorder.record(Batch(mesh.state, seen))).unknown == (1,)


async def test_a_former_owner_writes_nothing(mesh: Mesh) -> None:
    key_id = mesh.recorder()._key_id
    first = await states.take(mesh.pool, mesh.state, "one", key_id)
    old = mesh.recorder().owned_by(first.epoch)
    await old.record(Batch(mesh.state, [row("c1")], position={"at": 1}))
    second = await states.take(mesh.pool, mesh.state, "two", key_id)
    assert second.epoch == first.epoch + 1
    with pytest.raises(Ousted):
        await old.record(Batch(mesh.state, [row("c2")], position={"at": 2}))
    assert await old.position(mesh.state) == {"at": 1}
    await mesh.recorder().owned_by(second.epoch).record(Batch(mesh.state, [row("c2")]))
    assert len(await mesh.told()) == 2


async def test_another_key_is_noticed_before_all_records_look_changed(mesh: Mesh) -> None:
    await states.take(mesh.pool, mesh.state, "one", "key 1")
    with pytest.raises(states.OtherKey):
        await states.take(mesh.pool, mesh.state, "two", "key 2")
    assert await states.reset(mesh.pool, "acme", "customers#Customer") == 1
    assert (await states.take(mesh.pool, mesh.state, "two", "key 2")).epoch == 3


async def test_nothing_of_a_batch_is_there_when_it_fails(mesh: Mesh) -> None:
    class Failing:
        async def put(self, connection: Any, entity: Any, state: Any, bad: Any) -> None:
            await connection.execute(b"SELECT nothing_like_that")

    recorder = mesh.recorder(dead=Failing())
    with pytest.raises(CatalogUnavailable):
        await recorder.record(Batch(mesh.state, [row("c1"), row(None)], position={"at": 1}))
    assert await mesh.told() == []
    assert await recorder.position(mesh.state) is None


async def test_a_new_field_that_is_empty_or_one_that_left_is_no_change(mesh: Mesh) -> None:
    await mesh.recorder().record(Batch(mesh.state, [row("c1")]))
    text = PRODUCT.replace("CHANGES", "{snapshot: {}}")
    other = text.replace("name: label", "name: tag").replace("upper(name)", "nullif(name, name)")
    mesh.plan = plan_of(**{"a.product.yaml": other})
    assert counts(await mesh.recorder().record(Batch(mesh.state, [row("c1")]))) == (0, 0, 0, 1, 0)
    mesh.plan = plan_of(**{"a.product.yaml": text})
    assert counts(await mesh.recorder().record(Batch(mesh.state, [row("c1")]))) == (0, 1, 0, 0, 0)
    assert (await mesh.events())[-1].changed_fields == ["label"]


@pytest.mark.parametrize("member", ["a", "\ud800", "$dictamesh"])
async def test_a_value_that_nests_too_deep_is_left_out_and_does_not_stop_capture(mesh: Mesh, member: str) -> None:
    """Sources hold JSON of any depth, and Python's own stack ends at some hundred levels."""
    product = PRODUCT.replace("CHANGES", "{snapshot: {every: 1s}}").replace("name: age, logicalType: integer", JSON)
    mesh.plan = plan_of(**{"a.product.yaml": product})
    rows = [row("c0", age={member: 1})]
    for levels in (50, 90, 250, 450, 900):
        deep: Any = 1
        for _ in range(levels):
            deep = [{member: deep}]
        rows.append(row(f"c{levels}", age=deep))
    kept = Kept()
    done = await mesh.recorder(dead=kept).record(Batch(mesh.state, rows))
    assert counts(done) == (6, 0, 0, 0, 3)
    assert {(each.key, each.rule) for each in kept.bad} == {
        (f"c{levels}", "DATA_INVALID customers#Customer.age") for levels in (250, 450, 900)
    }
    told = {each.entity_id: each.envelope["metadata"].get("unread") for each in await mesh.events()}
    assert told == {"c0": None, "c50": None, "c90": None, "c250": "age", "c450": "age", "c900": "age"}
    again = await mesh.recorder(dead=kept).record(Batch(mesh.state, rows))
    assert (counts(again), len(kept.bad)) == ((0, 0, 0, 6, 0), 3)
