# SPDX-License-Identifier: Apache-2.0
"""Who uses which fields, counted by day, caller and purpose."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

SHAPES = 10_000
"""Different (day, caller, purpose, set of fields) that are kept between two writes."""
ROWS = 5_000

_ADD = b"""
INSERT INTO dictamesh_usage AS u (day, entity, field, principal, purpose, operations, last_used_at)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[])
    ON CONFLICT ON CONSTRAINT uq_dictamesh_usage_of DO UPDATE
   SET operations = u.operations + excluded.operations,
       last_used_at = greatest(u.last_used_at, excluded.last_used_at)
"""
_FORGET = b"DELETE FROM dictamesh_usage WHERE day < %s"


class Shape(NamedTuple):
    """Operations that are counted as one: of one caller and purpose on one day, with the same fields."""

    day: date
    principal: str | None
    purpose: str | None
    addresses: frozenset[str]


class Counted(NamedTuple):
    """How often a shape was asked, and when last."""

    shape: Shape
    operations: int
    last: datetime


@dataclass(slots=True)
class UsageCounts:
    """A ``Collector`` of uses; counts are kept for ``days`` days, with 0 nothing is counted."""

    days: int
    name: str = "usage"
    _counts: dict[Shape, list[int]] = field(default_factory=dict, init=False)
    _last: dict[Shape, datetime] = field(default_factory=dict, init=False)
    _dropped: int = field(default=0, init=False)

    def used(self, principal: str | None, purpose: str | None, addresses: Collection[str]) -> None:
        """Count one operation that used the entities and fields at these addresses; ``principal`` None: anonymous."""
        if not self.days or not addresses:
            return
        now = datetime.now(UTC)
        shape = Shape(now.date(), principal, purpose, frozenset(addresses))
        known = self._counts.get(shape)
        if known is None:
            if len(self._counts) >= SHAPES:
                self._dropped += 1
                return
            known = self._counts[shape] = [0]
        known[0] += 1
        self._last[shape] = now

    def take(self) -> tuple[Sequence[Counted], int]:
        counts, last, dropped = self._counts, self._last, self._dropped
        self._counts, self._last, self._dropped = {}, {}, 0
        return [Counted(shape, count[0], last[shape]) for shape, count in counts.items()], dropped

    def give_back(self, entries: Sequence[Counted]) -> None:
        for shape, operations, last in entries:
            known = self._counts.setdefault(shape, [0])
            known[0] += operations
            self._last[shape] = max(last, self._last.get(shape, last))

    async def write(self, connection: AsyncConnection[TupleRow], entries: Sequence[Counted]) -> int:
        """Add the counts up, and forget those that are too old."""
        rows = _rows(entries)
        for start in range(0, len(rows), ROWS):
            columns = [list(column) for column in zip(*rows[start : start + ROWS], strict=True)]
            await connection.execute(_ADD, columns)
        await connection.execute(_FORGET, (datetime.now(UTC).date() - timedelta(days=self.days),))
        return len(rows)


def _rows(entries: Sequence[Counted]) -> list[tuple[date, str, str, str | None, str | None, int, datetime]]:
    """One row per field, in one order, so that replicas cannot deadlock."""
    sums: dict[tuple[date, str, str, str | None, str | None], tuple[int, datetime]] = {}
    for shape, operations, last in entries:
        for address in shape.addresses:
            entity, path = split(address)
            key = (shape.day, entity, path, _text(shape.principal), shape.purpose)
            known = sums.get(key, (0, last))
            sums[key] = (known[0] + operations, max(known[1], last))
    ordered = sorted(sums.items(), key=lambda each: tuple("" if part is None else str(part) for part in each[0]))
    return [(*key, *value) for key, value in ordered]


def _text(name: str | None) -> str | None:
    """A caller's name, which may come from a token, as PostgreSQL can hold it."""
    return None if name is None else name.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def split(address: str) -> tuple[str, str]:
    """The address of the entity, and the path of the field below it, empty for the entity itself."""
    product, _, rest = address.partition("#")
    entity, _, path = rest.partition(".")
    return f"{product}#{entity}", path
