# SPDX-License-Identifier: Apache-2.0
"""From messages to what is to be recorded: rows by entity, in the source's order, with the place they end at."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from dictamesh.runtime.capture.contract import CaptureFailed, Seen
from dictamesh.runtime.capture.postgres.lsn import text_of
from dictamesh.runtime.capture.postgres.messages import (
    UNCHANGED,
    Begin,
    Change,
    Commit,
    Relation,
    Truncate,
    Tuple,
    Value,
)
from dictamesh.runtime.capture.postgres.position import Position
from dictamesh.runtime.capture.postgres.values import Load, Values

MOST_CHANGES = 5_000
MOST_BYTES = 16_777_216


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entity reads of its table: columns by physical name, the key's among them; `start`: from where on."""

    address: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    start: int


@dataclass(slots=True)
class Step:
    """A row, or with `seen` None a table that was emptied, and the positions before and behind that.

    `lacking` are columns that the source did not send; the texts of the key, then, say where they are found.
    """

    address: str
    seen: Seen | None
    lacking: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    around: tuple[Position, Position] | None = None


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one entity reads the rows of one relation."""

    wanted: Wanted
    columns: tuple[tuple[str, int, Load], ...]
    absent: tuple[str, ...]
    key: tuple[int, ...]


@dataclass(slots=True)
class Assembly:
    """Steps in the making. `position` is the place behind the last whole transaction; `entities` by OID and by name.

    Changes are numbered within their transaction whatever the plan reads of it, so that a number means the same after
    another start.
    """

    values: Values
    position: Position
    by_oid: Mapping[int, Sequence[Wanted]]
    by_name: Mapping[tuple[str, str], Sequence[Wanted]]
    steps: list[Step] = field(default_factory=list)
    whole: int = 0  # of the steps, those of transactions that have ended
    size: int = 0
    received: int = 0
    last_commit_at: datetime | None = None
    _begin: Begin | None = None
    _place: str = ""  # of the transaction under way
    _number: int = 0
    _readers: dict[int, list[_Reader]] = field(default_factory=lambda: defaultdict(list))
    _names: dict[int, str] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether so much waits that a part of a transaction has to be recorded."""
        return len(self.steps) >= MOST_CHANGES or self.size >= MOST_BYTES

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no transaction is under way."""
        return not self.steps and self._begin is None

    async def take(self, message: Begin | Commit | Relation | Change | Truncate) -> None:
        """Take one message in; raises `CaptureFailed`."""
        match message:
            case Change():
                self.change(message)
            case Begin():
                self._begin, self._place, self._number = message, text_of(message.commit), 0
            case Commit():
                self._begin = None
                self.whole = len(self.steps)
                self.position = self.position.moved(message.end)
            case Relation():
                await self._relation(message)
            case Truncate():
                for relation in message.relations:
                    self._emptied(relation)

    def drain(self) -> tuple[list[Step], Position]:
        """Give what is ready, and the position after it: whole transactions, or all where too much waits."""
        if self._begin is None or not self.full:
            ready, self.steps = self.steps[: self.whole], self.steps[self.whole :]
            self.whole = 0
            self.size = 0 if not self.steps else self.size
            return ready, self.position
        ready, self.steps = self.steps, []
        self.whole = self.size = 0
        self.position = Position(self.position.lsn, self.position.system, (self._begin.commit, self._number))
        return ready, self.position

    async def _relation(self, relation: Relation) -> None:
        wanted = self.by_oid.get(relation.id) or self.by_name.get((relation.schema, relation.name)) or ()
        await self.values.learn({column.type for column in relation.columns})
        places = {column.name: place for place, column in enumerate(relation.columns)}
        types = {column.name: column.type for column in relation.columns}
        self._names[relation.id] = f"{relation.schema}.{relation.name}"
        self._readers[relation.id] = [_reader(each, places, types, self.values) for each in wanted]

    def _counted(self) -> Begin | None:
        """Number a change; gives its transaction, or None where it is recorded already."""
        begin, number = self._begin, self._number
        self._number += 1
        part = self.position.part
        if begin is None or (part is not None and part[0] == begin.commit and number < part[1]):
            return None
        return begin

    def change(self, change: Change) -> None:
        """Take a change in."""
        begin = self._counted()
        if begin is None:
            return
        for reader in self._readers[change.relation]:
            if begin.commit >= reader.wanted.start:
                self._steps(change, reader, begin)

    def _emptied(self, relation: int) -> None:
        begin = self._counted()
        if begin is None:
            return
        lsn, system = self.position.lsn, self.position.system
        around = tuple(Position(lsn, system, (begin.commit, number)) for number in (self._number - 1, self._number))
        for reader in self._readers[relation]:
            if begin.commit >= reader.wanted.start:
                self.steps.append(Step(reader.wanted.address, None, around=(around[0], around[1])))

    def _steps(self, change: Change, reader: _Reader, begin: Begin) -> None:
        old, new = change.old, change.new
        if old is not None and (new is None or _moved(old, new, reader.key)):
            self.steps.append(self._gone(old, reader, begin, change.relation))
        if new is not None:
            self.steps.append(self._row(new, old, reader, begin, change))

    def _gone(self, old: Tuple, reader: _Reader, begin: Begin, relation: int) -> Step:
        columns = {name: _read(old[place], load) for name, place, load in reader.columns if place in reader.key}
        return Step(reader.wanted.address, self._seen(columns, begin, relation, "-", deleted=True))

    def _row(self, new: Tuple, old: Tuple | None, reader: _Reader, begin: Begin, change: Change) -> Step:
        self.size += change.size
        if UNCHANGED not in new and not reader.absent:
            columns = {
                name: None if (value := new[place]) is None else load(cast("bytes", value))
                for name, place, load in reader.columns
            }
            return Step(reader.wanted.address, self._seen(columns, begin, change.relation, "+", deleted=False))
        columns = {}
        lacking = list(reader.absent)
        for name, place, load in reader.columns:
            value = new[place]
            if value is UNCHANGED and old is not None and (change.whole or place in reader.key):
                value = old[place]
            if value is UNCHANGED:
                lacking.append(name)
            else:
                columns[name] = _read(value, load)
        key = tuple(_text(new[place], old, place) for place in reader.key) if lacking else ()
        seen = self._seen(columns, begin, change.relation, "+", deleted=False)
        return Step(reader.wanted.address, seen, tuple(lacking), key)

    def _seen(self, columns: dict[str, Any], begin: Begin, relation: int, sign: str, *, deleted: bool) -> Seen:
        self.last_commit_at = begin.at
        place = f"{self._place}/{self._number}{sign}"
        origin, event_id = f"{self._names[relation]} {place}", f"postgres:{self.position.system}:{place}"
        return Seen(columns, None, deleted, begin.at, origin, event_id)


def _reader(wanted: Wanted, places: Mapping[str, int], types: Mapping[str, int], values: Values) -> _Reader:
    sent = tuple((name, places[name], values.load(types[name])) for name in wanted.columns if name in places)
    absent = tuple(name for name in wanted.columns if name not in places)
    hidden = [name for name in wanted.key if name not in places]
    if hidden:
        raise CaptureFailed(
            f"the stream does not tell the column {hidden[0]}, which is part of the key of {wanted.address}",
            "where it was renamed, reset the state of the entity; a generated column needs PostgreSQL 18",
        )
    return _Reader(wanted, sent, absent, tuple(places[name] for name in wanted.key))


def _read(value: Value, load: Load) -> Any:
    return None if value is None or value is UNCHANGED else load(value)


def _moved(old: Tuple, new: Tuple, key: Sequence[int]) -> bool:
    return any(new[place] is not UNCHANGED and old[place] != new[place] for place in key)


def _text(value: Value, old: Tuple | None, place: int) -> str:
    if value is UNCHANGED and old is not None:
        value = old[place]
    return value.decode() if isinstance(value, bytes) else ""
