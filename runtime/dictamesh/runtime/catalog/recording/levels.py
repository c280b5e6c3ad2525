# SPDX-License-Identifier: Apache-2.0
"""How products keep their service levels, from what their adapters tell: calls, failures, durations, stale rows."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import time
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

BOUNDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
    *(30.0, 60.0),
)
"""Seconds; the usual promises are among them, so that what is kept of them is exact. One more bucket takes the rest."""
DAYS = 31
"""How long hours are kept."""
STEP = 3600  # seconds

_ADD = b"""
INSERT INTO dictamesh_service_levels AS l (since, entity, calls, worked, stale, durations)
SELECT since, entity, calls, worked, stale, string_to_array(durations, ',')::bigint[]
  FROM unnest(%s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
       AS g (since, entity, calls, worked, stale, durations)
    ON CONFLICT ON CONSTRAINT pk_dictamesh_service_levels DO UPDATE
   SET calls = l.calls + excluded.calls, worked = l.worked + excluded.worked, stale = l.stale + excluded.stale,
       durations = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0)
                           FROM unnest(l.durations, excluded.durations) WITH ORDINALITY AS d (a, b, place)
                          ORDER BY place)
"""
_FORGET = b"DELETE FROM dictamesh_service_levels WHERE since < %s"


class Hour(NamedTuple):
    """What was counted of one entity within one hour, which is named by its number since 1970."""

    hour: int
    entity: str
    counts: "Counts"


@dataclass(slots=True)
class Counts:
    """Calls to the source, those that worked by their durations, and rows served that were too old."""

    calls: int = 0
    worked: int = 0
    stale: int = 0
    durations: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, other: "Counts") -> None:
        """Add what another one counted."""
        self.calls += other.calls
        self.worked += other.worked
        self.stale += other.stale
        self.durations = [one + more for one, more in zip(self.durations, other.durations, strict=True)]


@dataclass(slots=True)
class LevelCounts:
    """A ``Collector`` that hears the adapters, as ``Telemetry``; there are never more entries than entities."""

    name: str = "levels"
    _counts: dict[tuple[int, str], Counts] = field(default_factory=dict, init=False)

    def called(self, address: str, operation: str, outcome: str, seconds: float, rows: int, keys: int | None) -> None:  # noqa: ARG002 - Telemetry
        """Count a call; one that the client gave up tells nothing of the product."""
        if outcome == "cancelled":
            return
        counts = self._of(address)
        counts.calls += 1
        if outcome == "ok":
            counts.worked += 1
            counts.durations[bisect_left(BOUNDS, seconds)] += 1

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        """Count rows that stand in though they are older than the contract allows."""
        if outcome == "stale":
            self._of(address).stale += times

    def _of(self, address: str) -> Counts:
        key = int(time()) // STEP, address
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = Counts()
        return found

    def take(self) -> tuple[Sequence[Hour], int]:
        counts, self._counts = self._counts, {}
        return [Hour(hour, entity, each) for (hour, entity), each in counts.items()], 0

    def give_back(self, entries: Sequence[Hour]) -> None:
        for hour, entity, counts in entries:
            self._counts.setdefault((hour, entity), Counts()).add(counts)

    async def write(self, connection: AsyncConnection[TupleRow], entries: Sequence[Hour]) -> int:
        """Add the counts up, and forget hours that are too old."""
        rows = sorted(entries, key=lambda each: (each.hour, each.entity))
        columns = (
            [datetime.fromtimestamp(each.hour * STEP, UTC) for each in rows],
            [each.entity for each in rows],
            [each.counts.calls for each in rows],
            [each.counts.worked for each in rows],
            [each.counts.stale for each in rows],
            [",".join(map(str, each.counts.durations)) for each in rows],
        )
        await connection.execute(_ADD, columns)
        await connection.execute(_FORGET, (datetime.now(UTC) - timedelta(days=DAYS),))
        return len(rows)
