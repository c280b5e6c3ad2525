# SPDX-License-Identifier: Apache-2.0
"""From what a source told of a record to its id and its hashes, or to a bad record that says which rule it broke."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dictamesh.runtime.adapters.cells import CellError, Key, Row
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.adapters.limits import broken_limit
from dictamesh.runtime.adapters.mapping import RowMapping, row_mapping
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture.contract import Bad, Seen
from dictamesh.runtime.capture.hashing import Hashes
from dictamesh.runtime.capture.packing import packed
from dictamesh.runtime.compile.plan import EntityPlan

LONGEST_ID = 1024
TYPE = "*"  # the catalog's word for an entity as a whole


@dataclass(slots=True)
class Live:
    """A record that is there; `row` holds its mapped fields. Never changed, as `Seen` is not.

    A field that cannot be read is null, as in answers (S4): `bad` tells of it, known again by `bad_hash`, and `unread`
    names all such fields.
    """

    id: str
    seen: Seen
    row: Row
    hashes: bytes
    bad: Bad | None = None
    bad_hash: bytes = b""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """A record that its source deleted."""

    id: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Present:
    """A record of which only the key was read; `place` is where it stands in the batch."""

    id: str
    place: int


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A record that no event can be made of; `id` is None where not even its key could be read."""

    id: str | None
    bad: Bad
    hash: bytes


Read = Live | Gone | Present | Spoiled


class RecordReader:
    """Reads the records of one entity, all in Python, so that every way sees the same values."""

    def __init__(self, entity: EntityPlan, ids: RecordIds, hashes: Hashes) -> None:
        self._entity = entity
        self._ids = ids
        self._hashes = hashes
        self._whole = row_mapping(entity, [each.name for each in entity.fields], plain=True)
        self._key = row_mapping(entity, entity.key, plain=True)
        # a field that the contract requires is told first, and a column at fault rather than what is computed of it
        told = sorted(entity.fields, key=lambda each: (not each.required, each.column is None))
        self._names = [each.name for each in told]
        self._required = {each.name for each in entity.fields if each.required} | set(entity.key)
        self._broken = broken_limit(entity.fields)

    def read(self, seen: Seen, place: int, now: datetime) -> Read:
        """Read one record; `now` is what expressions take for the time."""
        only_key = seen.deleted or seen.present
        row = self._row(self._key if only_key else self._whole, seen, now)
        record = record_id(self._ids, self._entity, tuple([row.get(name) for name in self._entity.key]))
        if record is None:
            return self._spoiled(seen, None, "key", "DATA_INVALID", f"{self._entity.address}.{self._entity.key[0]}")
        if seen.deleted:
            return Gone(record, seen)
        if seen.present:
            return Present(record, place)
        live = self._live(seen, record, row)
        broken = self._broken(live.row) if isinstance(live, Live) else None
        if broken is None:
            return live
        return self._spoiled(seen, record, "map", "CONTRACT_VIOLATION", broken.address, f"{_LIMIT} {broken.limit}")

    def _live(self, seen: Seen, record: str, row: Row) -> Live | Spoiled:
        """Return the record with null for what cannot be read of it; a bad one where its contract asks for that."""
        if _FAULTY.isdisjoint(map(type, row.values())):
            return Live(record, seen, row, self._hashes.packed(record, row))
        faults = {name: code for name in self._names if (code := _fault(row[name])) is not None}
        if not faults:
            return Live(record, seen, row, self._hashes.packed(record, row))
        first, code = next(iter(faults.items()))
        spoiled = self._spoiled(seen, record, "map", code, f"{self._entity.address}.{first}")
        if first in self._required:
            return spoiled
        row = {name: _without_faults(value) if name in faults else value for name, value in row.items()}
        hashes, unread = self._hashes.packed(record, row), tuple(sorted(faults))
        return Live(record, seen, row, hashes, spoiled.bad, spoiled.hash, unread)

    def given(self, bad: Bad) -> Spoiled:
        """Return a bad record that a way of noticing found itself."""
        key = bad.key if bad.key is not None and keepable(bad.key) else None
        kept = replace(bad, key=key, origin=clean(bad.origin), rule=clean(bad.rule), error=clean(bad.error))
        told = f"{kept.stage} {kept.rule} {key} {kept.origin if bad.body is None else ''}".encode()
        return Spoiled(key, kept, self._hashes.of_bad(told + (bad.body or b"")))

    def kept(self, read: Read) -> Live | None:
        """Return a record without the texts that the database cannot keep; None where that leaves no record of it."""
        if not isinstance(read, Live):
            return None
        row = {name: _holdable(value) for name, value in read.row.items()}
        lost = [name for name in self._names if row[name] != read.row[name]]
        if not lost or lost[0] in self._required or self._broken(row) is not None:
            return None
        told, unread = read, tuple(sorted({*read.unread, *lost}))
        if read.bad is None:
            spoiled = self._spoiled(read.seen, read.id, "map", "DATA_INVALID", f"{self._entity.address}.{lost[0]}")
            told = replace(read, bad=spoiled.bad, bad_hash=spoiled.hash)
        return replace(told, row=row, hashes=self._hashes.packed(read.id, row), unread=unread)

    def refused(self, read: Live | Gone | Present, seen: Seen) -> Spoiled:
        """Return what becomes of a record that the database cannot keep."""
        return self._spoiled(seen, read.id, "map", "DATA_INVALID", self._entity.address)

    def _row(self, mapping: RowMapping, seen: Seen, now: datetime) -> Row:
        if seen.fields is not None:
            return {name: seen.fields.get(name) for name in mapping.names}
        get = (seen.columns or {}).get
        raw = tuple([get(output.name) for output in mapping.outputs])
        return mapping.row(raw, {"now": now, "today": now.date()} if mapping.cells else {})

    def _spoiled(
        self, seen: Seen, record: str | None, stage: str, rule: str, address: str, told: str | None = None
    ) -> Spoiled:
        body = packed(seen)
        bad = Bad(
            stage="key" if stage == "key" else "map",
            rule=f"{rule} {address}",
            error=told or _TEXTS[rule],
            origin=clean(seen.origin),
            body=body,
            key=record,
        )
        # what came is the same, however it came
        same = packed(replace(seen, traceparent=None, origin="", event_id=None))
        return Spoiled(record, bad, self._hashes.of_bad(f"{rule} {address} ".encode() + same))


_FAULTY = frozenset({CellError, dict, list})
"""Types of what is a fault, or may hold one."""
_LIMIT = "a value breaks a limit of its contract:"
_TEXTS = {
    "DATA_INVALID": "a value of the source does not fit the declared type",
    "EXPRESSION_FAILED": "the expression of a field fails on this record",
    "CONTRACT_VIOLATION": "the record breaks its contract",
}


def record_id(ids: RecordIds, entity: EntityPlan, key: Key) -> str | None:
    """Return the id of a record in topics: its canonical key, of its pseudonym where it has one; None: it has none.

    A key that is personal data stands there in clear where the spec allowed that (`allowPiiKey`).
    """
    for part in key:
        if part is None or isinstance(part, CellError):
            return None
    shown = tuple(ids.surrogates.of(entity, part) for part in key) if entity.surrogate is not None else key
    text = canonical(shown)
    return text if keepable(text) else None


def keepable(text: str) -> bool:
    """Whether the database and an index can hold a text as an id."""
    return 0 < len(text) <= LONGEST_ID and text != TYPE and _is_text(text)


def _is_text(text: str) -> bool:
    """Whether PostgreSQL takes it for one."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def clean(text: str) -> str:
    """Return a text as the database can hold it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def with_time(seen: Seen) -> Seen:
    """Return the record with an aware time, or with none where its source says none."""
    if seen.at is None or seen.at.tzinfo is not None:
        return seen
    return replace(seen, at=seen.at.replace(tzinfo=UTC))


def _fault(value: Any) -> str | None:
    """The rule that a value breaks, itself or within."""
    if isinstance(value, CellError):
        return value.code.removeprefix("SOURCE_")
    if isinstance(value, dict):
        return next((code for each in value.values() if (code := _fault(each)) is not None), None)
    if isinstance(value, list):
        return next((code for each in value if (code := _fault(each)) is not None), None)
    return None


def _without_faults(value: Any) -> Any:
    """The value with null for whatever in it breaks a rule."""
    match value:
        case CellError():
            return None
        case dict():
            return {name: _without_faults(each) for name, each in value.items()}
        case list():
            return [_without_faults(each) for each in value]
        case _:
            return value


def _holdable(value: Any) -> Any:
    """The value with null for whatever in it is no text of the database's."""
    match value:
        case str():
            return value if _is_text(value) else None
        case dict():
            if not all(_is_text(str(name)) for name in value):
                return None
            return {name: _holdable(each) for name, each in value.items()}
        case list():
            return [_holdable(each) for each in value]
        case _:
            return value
