# SPDX-License-Identifier: Apache-2.0
"""The messages of `pgoutput`, protocol version 1 (PostgreSQL, Logical Replication Message Formats)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from struct import Struct, error
from typing import Final, NamedTuple

from dictamesh.runtime.capture.postgres.faults import SourceGone


class Unchanged(Enum):
    """A value that was not sent as it did not change: one that is stored out of line (TOAST)."""

    VALUE = 1


UNCHANGED: Final = Unchanged.VALUE
Value = bytes | None | Unchanged
"""The text form of a value, NULL, or that it is not sent."""
Tuple = list[Value]


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction that was committed at `commit` (where its commit record begins)."""

    commit: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a transaction; `end` is the position behind its commit record."""

    commit: int
    end: int


@dataclass(frozen=True, slots=True)
class RelationColumn:
    name: str
    type: int  # OID
    identity: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was when what follows was written."""

    id: int
    schema: str
    name: str
    columns: tuple[RelationColumn, ...]


class Change(NamedTuple):
    """A row: inserted (`new`), deleted (`old`), or updated (`new`, and `old` where the source sends it).

    `whole`: `old` holds every column (REPLICA IDENTITY FULL), else the columns of the identity alone. `size`: of the
    message, in bytes.
    """

    relation: int
    old: Tuple | None
    new: Tuple | None
    whole: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class Truncate:
    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The source has nothing else to say up to `end`; `asks`: it wants an answer now."""

    end: int
    asks: bool


Message = Begin | Commit | Relation | Change | Truncate | Alive | None

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_DATA = Struct("!cqqq")
_ALIVE = Struct("!cqqb")
_BEGIN = Struct("!cqqi")
_COMMIT = Struct("!cbqqq")
_RELATION = Struct("!cI")
_COLUMN = Struct("!Ii")
_SHORT = Struct("!H")
_LENGTH = Struct("!I")
_TRUNCATE = Struct("!cIb")
_STATUS = Struct("!cqqqqb")
_ROW = _RELATION.size
_SHIFT = _DATA.size


def read(raw: bytes) -> Message:
    """Read what one CopyData holds; None for what concerns nobody (origins, types). Raises `SourceGone`."""
    try:
        if raw[:1] == b"k":
            _, end, _, asks = _ALIVE.unpack(raw)
            return Alive(end, bool(asks))
        if raw[:1] == b"w":
            return _message(raw)
    except (error, IndexError, ValueError, OverflowError):
        pass
    raise SourceGone("the source sent what pgoutput does not", "see that it is PostgreSQL 15 or later")


def end_of(raw: bytes) -> int:
    """Return how far the source's log reached when it sent a message; 0 where it does not say."""
    return int(_DATA.unpack_from(raw)[2]) if raw[:1] == b"w" else 0


def status(received: int, stored: int, now: datetime, *, asks: bool) -> bytes:
    """Write a standby's status: what has come in, and what will never be asked for again."""
    return _STATUS.pack(b"r", received, stored, stored, (now - _EPOCH) // timedelta(microseconds=1), asks)


def _message(raw: bytes) -> Message:
    kind = raw[_SHIFT : _SHIFT + 1]
    if kind == b"U":
        return _update(raw)
    if kind in {b"I", b"D"}:
        return _insert_or_delete(raw, kind)
    if kind == b"B":
        _, commit, at, _ = _BEGIN.unpack_from(raw, _SHIFT)
        return Begin(commit, _EPOCH + timedelta(microseconds=at))
    if kind == b"C":
        _, _, commit, end, _ = _COMMIT.unpack_from(raw, _SHIFT)
        return Commit(commit, end)
    if kind == b"R":
        return _relation(raw)
    if kind == b"T":
        _, count, _ = _TRUNCATE.unpack_from(raw, _SHIFT)
        return Truncate(Struct(f"!{count}I").unpack_from(raw, _SHIFT + _TRUNCATE.size))
    if kind in {b"O", b"Y", b"M"}:
        return None
    raise ValueError


def _insert_or_delete(raw: bytes, kind: bytes) -> Change:
    _, relation = _RELATION.unpack_from(raw, _SHIFT)
    at = _SHIFT + _ROW
    part = raw[at : at + 1]
    row, _ = _tuple(raw, at + 1)
    if kind == b"I":
        return Change(relation, None, row, False, len(raw))
    return Change(relation, row, None, part == b"O", len(raw))


def _update(raw: bytes) -> Change:
    _, relation = _RELATION.unpack_from(raw, _SHIFT)
    at = _SHIFT + _ROW
    part, old = raw[at : at + 1], None
    if part != b"N":
        old, at = _tuple(raw, at + 1)
    new, _ = _tuple(raw, at + 1)
    return Change(relation, old, new, part == b"O", len(raw))


def _tuple(raw: bytes, at: int) -> tuple[Tuple, int]:
    (count,) = _SHORT.unpack_from(raw, at)
    at += 2
    found: Tuple = []
    append, length_at = found.append, _LENGTH.unpack_from
    for _ in range(count):
        kind = raw[at]
        if kind == 0x74:  # t: text
            begin = at + 5
            at = begin + length_at(raw, at + 1)[0]
            append(raw[begin:at])
            continue
        at += 1
        if kind == 0x6E:  # n: null
            append(None)
        elif kind == 0x75:  # u: unchanged
            append(UNCHANGED)
        else:
            raise ValueError
    if at > len(raw):
        raise ValueError
    return found, at


def _relation(raw: bytes) -> Relation:
    _, relation = _RELATION.unpack_from(raw, _SHIFT)
    schema, at = _string(raw, _SHIFT + _ROW)
    name, at = _string(raw, at)
    (count,) = _SHORT.unpack_from(raw, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        flags = raw[at]
        column, at = _string(raw, at + 1)
        type_, _ = _COLUMN.unpack_from(raw, at)
        at += _COLUMN.size
        columns.append(RelationColumn(column, type_, bool(flags & 1)))
    return Relation(relation, schema or "pg_catalog", name, tuple(columns))


def _string(raw: bytes, at: int) -> tuple[str, int]:
    end = raw.index(b"\0", at)
    return raw[at:end].decode(), end + 1
