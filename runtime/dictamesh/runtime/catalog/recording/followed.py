# SPDX-License-Identifier: Apache-2.0
"""Relations that queries followed, on their way into the graph (`catalog: {observe: true}`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.catalog.graph.derive import declared_relation
from dictamesh.runtime.catalog.graph.edges import upsert_edges
from dictamesh.runtime.catalog.graph.values import SeenEdge
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan

PAIRS = 50_000
"""Pairs of records that are kept between two writes."""
BATCH = 1_000
# One writer at a time: two that see the same relations could deadlock.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846503)"


class Followed(NamedTuple):
    """A relation that one operation followed, with the keys of the rows at both ends."""

    holder: EntityPlan
    link: LinkPlan
    target: EntityPlan
    pairs: Sequence[tuple[Key, Key]]
    ids: RecordIds
    at: datetime


@dataclass(slots=True)
class FollowedRelations:
    """A ``Collector`` of relations; ids of records are made when they are written, not on the way of a query."""

    name: str = "relations"
    _followed: list[Followed] = field(default_factory=list, init=False)
    _pairs: int = field(default=0, init=False)
    _dropped: int = field(default=0, init=False)

    def followed(
        self, holder: EntityPlan, link: LinkPlan, target: EntityPlan, pairs: Sequence[tuple[Key, Key]], ids: RecordIds
    ) -> None:
        """Keep what was followed, unless too much waits already."""
        if self._pairs + len(pairs) > PAIRS:
            self._dropped += len(pairs)
            return
        self._pairs += len(pairs)
        self._followed.append(Followed(holder, link, target, pairs, ids, datetime.now(UTC)))

    def take(self) -> tuple[Sequence[Followed], int]:
        followed, dropped = self._followed, self._dropped
        self._followed, self._pairs, self._dropped = [], 0, 0
        return followed, dropped

    def give_back(self, entries: Sequence[Followed]) -> None:
        for each in entries:
            if self._pairs + len(each.pairs) > PAIRS:
                self._dropped += len(each.pairs)
            else:
                self._pairs += len(each.pairs)
                self._followed.append(each)

    async def write(self, connection: AsyncConnection[TupleRow], entries: Sequence[Followed]) -> int:
        """Write relations that are new or were not seen for an hour."""
        await connection.execute(_LOCK)
        written = 0
        edges = list({(edge.subject, edge.relation, edge.object): edge for edge in _edges(entries)}.values())
        for start in range(0, len(edges), BATCH):
            done = await upsert_edges(connection, edges[start : start + BATCH])
            written += len(done.created) + done.touched
        return written


def _edges(entries: Sequence[Followed]) -> Iterator[SeenEdge]:
    for each in entries:
        relation = declared_relation(each.holder, each.link, each.target)
        for holder, far in each.pairs:
            edge = relation.edge(holder, far, each.ids, each.at, None)
            if edge is not None:
                yield edge
