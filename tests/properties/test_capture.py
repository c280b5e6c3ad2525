# SPDX-License-Identifier: Apache-2.0
"""Whatever a table goes through, its events replayed give the table, and nothing is told that did not happen."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.capture.contract import Seen, StateId
from dictamesh.runtime.capture.folding import Change, Folding, Known, delivery_id
from dictamesh.runtime.capture.hashing import Hashes
from dictamesh.runtime.capture.reading import Gone, Live, RecordReader
from tests.integration.capture.conftest import plan_of

ENTITY = plan_of().entities["customers#Customer"]
HASHES = Hashes(b"k" * 32, ENTITY.fields)
READER = RecordReader(ENTITY, RecordIds(Surrogates("acme", {})), HASHES)
STATE = StateId("acme", ENTITY.address, "postgres", "crm", "customers")
NOW = datetime(2025, 1, 1, tzinfo=UTC)

keys = st.sampled_from(["a", "b", "c"])
values = st.one_of(st.none(), st.text(max_size=2), st.sampled_from(["x", "X", "y"]))
rows = st.fixed_dictionaries({"name": values, "age": st.one_of(st.none(), st.integers(0, 2)), "store_id": values})
steps = st.one_of(st.tuples(keys, rows), st.tuples(keys, st.none()))
histories = st.lists(st.lists(steps, max_size=6), max_size=6)


class Ledger:
    """The state of a recorder, batch by batch."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.changes: list[Change] = []

    def batch(self, seen: list[Seen]) -> None:
        delivered = [each.event_id for each in self.changes]
        folding = Folding(HASHES, self.known, delivered, set())
        for place, each in enumerate(seen):
            read = READER.read(each, place, NOW)
            folding.add(read, delivery_id(STATE, read) if isinstance(read, Live | Gone) else None)
        self.known |= folding.result.known
        self.changes += folding.result.changes


def told(step: tuple[str, dict[str, Any] | None], number: int) -> Seen:
    key, row = step
    return Seen(columns={"id": key, **(row or {})}, deleted=row is None, origin=f"0/{number}")


def numbered(history: list[list[tuple[str, Any]]]) -> list[list[Seen]]:
    count, found = 0, []
    for batch in history:
        found.append([told(step, count + at) for at, step in enumerate(batch)])
        count += len(batch)
    return found


def after(history: list[list[tuple[str, Any]]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for batch in history:
        for key, row in batch:
            if row is None:
                table.pop(key, None)
            else:
                table[key] = row
    return table


def replayed(changes: list[Change]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for each in changes:
        if each.live is None:
            del table[each.id]
        else:
            row = each.live.row
            table[each.id] = {"name": row["name"], "age": row["age"], "store_id": row["storeId"]}
    return table


@settings(deadline=None)
@given(histories)
def test_events_replayed_give_the_table(history: list[list[tuple[str, Any]]]) -> None:
    ledger = Ledger()
    for batch in numbered(history):
        ledger.batch(batch)
    assert replayed(ledger.changes) == after(history)


@settings(deadline=None)
@given(histories)
def test_versions_grow_by_one_and_only_changes_are_told(history: list[list[tuple[str, Any]]]) -> None:
    ledger = Ledger()
    for batch in numbered(history):
        ledger.batch(batch)
    table: dict[str, Any] = {}
    happened = Counter[str]()
    for key, row in (step for batch in history for step in batch):
        happened[key] += table.get(key) != row
        table[key] = row
    for key in "abc":
        versions = [each.version for each in ledger.changes if each.id == key]
        assert versions == list(range(1, happened[key] + 1))


@settings(deadline=None)
@given(histories)
def test_changed_fields_are_those_that_differ(history: list[list[tuple[str, Any]]]) -> None:
    ledger = Ledger()
    for batch in numbered(history):
        ledger.batch(batch)
    rows: dict[str, Any] = {}
    for each in ledger.changes:
        row = each.live.row if each.live is not None else None
        if each.type == "UPDATED" and row is not None:
            differing = {name for name in row if row[name] != rows[each.id][name]}
            assert set(each.fields) == differing
        rows[each.id] = row


def changing(history: list[list[tuple[str, Any]]]) -> list[list[tuple[str, Any]]]:
    """A history without the steps that change nothing, of which the log keeps no event."""
    table: dict[str, Any] = {}
    kept: list[list[tuple[str, Any]]] = []
    for batch in history:
        kept.append([])
        for key, row in batch:
            if table.get(key) != row:
                kept[-1].append((key, row))
            table[key] = row
    return kept


@settings(deadline=None)
@given(histories, st.data())
def test_what_is_told_again_after_a_crash_adds_nothing(history: list[list[tuple[str, Any]]], data: Any) -> None:
    once, twice = Ledger(), Ledger()
    batches = numbered(changing(history))
    for at, batch in enumerate(batches):
        once.batch(batch)
        twice.batch(batch)
        again = data.draw(st.integers(0, at))
        for earlier in batches[again : at + 1]:
            twice.batch(earlier)
    assert [(c.id, c.version, c.type, c.event_id) for c in twice.changes] == [
        (c.id, c.version, c.type, c.event_id) for c in once.changes
    ]
