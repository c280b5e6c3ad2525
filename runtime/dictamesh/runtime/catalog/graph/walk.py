# SPDX-License-Identifier: Apache-2.0
"""Walks over the graph: what lies within some levels of a record, in either direction, now or at a past instant."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal

from dictamesh.runtime.catalog.directory import Directory, RelationKind
from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.graph.values import TYPE, Ref
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.sight import Sight, seen_kinds

Direction = Literal["out", "in", "both"]
Truncated = Literal["nodes", "edges", "time"]

DEFAULT_DEPTH = 5
LARGEST_DEPTH = 10
DEFAULT_NODES = 1000
LARGEST_NODES = 10_000
EDGES = 100_000  # met on the way, one between two nodes of the answer once from either end
SECONDS = 2.0
CHECKED_AT_ONCE = 500
"""Records that a source is asked about together."""

# The first step finds the start by its name; an active row comes before those that it replaced.
_WALK = b"""
SELECT s.frontier, w.*, n.numbers, n.types, n.ids
  FROM (SELECT coalesce(%(frontier)s::bigint[], ARRAY(
               SELECT node FROM dictamesh_entity_catalog
                WHERE entity_type = %(type)s AND source_entity_id = %(id)s
                ORDER BY (status = 'active') DESC, last_seen_at DESC LIMIT 1)) AS frontier) s
 CROSS JOIN LATERAL dictamesh_walk(s.frontier, %(known)s, %(levels)s, %(ahead)s, %(back)s, %(wanted)s, %(unwanted)s,
       %(moment)s, %(nodes)s, %(edges)s, make_interval(secs => %(seconds)s)) AS w
 CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(c.node), '{}') AS numbers, array_agg(c.entity_type) AS types,
               array_agg(c.source_entity_id) AS ids
          FROM dictamesh_entity_catalog c WHERE c.node = ANY (w.nodes)) n
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What to walk over; ``relations`` are names as seen from either end, none for all.

    ``as_of`` None asks for what holds now. ``nodes`` bounds the answer, which says so where it was cut.
    """

    start: Ref
    direction: Direction = "both"
    relations: frozenset[str] = frozenset()
    depth: int = DEFAULT_DEPTH
    as_of: datetime | None = None
    nodes: int = DEFAULT_NODES
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= LARGEST_DEPTH:
            raise InvalidRequest(f"depth must be between 1 and {LARGEST_DEPTH}")
        if not 1 <= self.nodes <= LARGEST_NODES:
            raise InvalidRequest(f"limit must be between 1 and {LARGEST_NODES}")


@dataclass(slots=True)  # not frozen: a frozen one takes four times as long to make, and an answer holds thousands
class GraphNode:
    """A type or record that was reached, at its least depth."""

    depth: int
    entity_type: str
    id: str


@dataclass(slots=True)  # as above
class GraphEdge:
    """A relation on the way; ``depth`` is that of the walk's step that met it first."""

    depth: int
    subject_type: str
    subject_id: str
    relation: str
    object_type: str
    object_id: str
    inverse: str | None
    valid_from: datetime
    provenance: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in order of depth, type and id; relations in order of depth, type of subject, its id, name and object.

    ``truncated`` says what a bound cut off: nodes, edges or time. ``unchecked`` names types whose source could not be
    asked which records exist for the caller, so that none is shown.
    """

    start: GraphNode
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    truncated: Truncated | None = None
    unchecked: tuple[str, ...] = ()


async def walk(pool: Pool, directory: Directory, question: Question, sight: Sight) -> Graph:
    """Everything within reach that the caller may know of.

    Types that it does not see are neither found nor passed through. Where only some records of a type exist for it, the
    walk goes level by level and asks the source about each, through the policies. Raises ``EntityNotFound`` for a start
    that does not exist for the caller, ``CatalogUnavailable``.
    """
    known = await directory.known()
    start = question.start
    if start.entity_type not in known.types or not sight.type(known.types[start.entity_type]):
        raise EntityNotFound(start.entity_type)
    if start.id != TYPE and sight.filtered(start.entity_type):
        # asked first, so that a hidden record costs what a missing one does
        existing = await sight.existing(start.entity_type, [start.id])
        if start.id not in existing.ids:
            raise EntityNotFound(start.entity_type)
    kinds = _wanted(seen_kinds(known, sight).values(), question.relations)
    unwanted = [number for number in known.kinds if number not in kinds]
    under_way = _Walk(pool, question, kinds, unwanted)
    if start.id == TYPE or not _filtered(kinds.values(), sight):
        await under_way.freely()
    else:
        await under_way.checking(sight)
    return under_way.graph()


def _wanted(kinds: Iterable[RelationKind], relations: frozenset[str]) -> dict[int, RelationKind]:
    return {kind.kind: kind for kind in kinds if not relations or kind.name in relations or kind.inverse in relations}


def _filtered(kinds: Iterable[RelationKind], sight: Sight) -> bool:
    return any(sight.filtered(end) for kind in kinds for end in (kind.subject, kind.object))


@dataclass(slots=True)
class _Walk:
    """A walk under way: what it may follow, and what it has met so far by numbers of nodes."""

    pool: Pool
    question: Question
    kinds: Mapping[int, RelationKind]
    unwanted: list[int]
    start: int = 0
    names: dict[int, tuple[int, str, str]] = field(default_factory=dict)  # depth, type, id: sorted as they are
    edges: dict[tuple[int, int, int], tuple[int, datetime, str]] = field(default_factory=dict)
    truncated: Truncated | None = None
    unchecked: set[str] = field(default_factory=set)

    async def freely(self) -> None:
        """Walk all levels by one statement; raises EntityNotFound."""
        await self._step(None, [], 0, self.question.depth, self.question.nodes, self.question.seconds)

    async def checking(self, sight: Sight) -> None:
        """Walk level by level; records that do not exist for the caller are not passed through.

        Raises EntityNotFound.
        """
        until = time.monotonic() + self.question.seconds
        frontier: list[int] | None = None
        passed: list[int] = []
        room = self.question.nodes
        for depth in range(self.question.depth):
            left = max(until - time.monotonic(), 0)
            if frontier == [] or self.truncated:
                return
            met = await self._step(frontier, passed[: -len(frontier or ())], depth, 1, LARGEST_NODES, left)
            passed = passed or [self.start]
            shown = await self._shown(sorted(met), room, sight)
            if len(shown) > room:
                self.truncated = "nodes"
            frontier, room = shown[:room], room - len(shown)
            for node in set(met).difference(frontier):
                del self.names[node]
            passed += [*set(met).difference(frontier), *frontier]

    async def _step(
        self, frontier: list[int] | None, known: list[int], above: int, levels: int, nodes: int, seconds: float
    ) -> list[int]:
        """Meet what lies within some levels of a frontier at depth `above`; returns the numbers of the nodes.

        None is the start by its name; raises EntityNotFound where the catalog does not have it.
        """
        start = self.question.start
        bounds = {"frontier": frontier, "known": known, "levels": levels, "nodes": nodes, "seconds": seconds}
        row = (await self.pool.rows(_WALK, self._asked() | bounds, binary=True))[0]
        if not row["frontier"]:
            raise EntityNotFound(start.entity_type)
        if frontier is None:
            self.start = row["frontier"][0]
            self.names[self.start] = (0, *start)
        met: list[int] = row["nodes"]
        depths = dict(zip(met, row["depths"], strict=True))
        for node, entity_type, record in zip(row["numbers"], row["types"] or (), row["ids"] or (), strict=True):
            self.names[node] = (above + depths[node], entity_type, record)
        ends = zip(row["subjects"], row["kinds"], row["objects"], strict=True)
        facts = zip(row["steps"], row["since"], row["provenances"], strict=True)
        for edge, (step, since, provenance) in zip(ends, facts, strict=True):
            self.edges.setdefault(edge, (above + step, since, provenance))
        self.truncated = row["truncated"]
        return met

    def _asked(self) -> dict[str, Any]:
        """Return the parameters that are the same for every step."""
        question = self.question
        return {
            "type": question.start.entity_type,
            "id": question.start.id,
            "ahead": question.direction in {"out", "both"},
            "back": question.direction in {"in", "both"},
            "wanted": list(self.kinds) if question.relations else None,
            "unwanted": self.unwanted,
            "moment": question.as_of,
            "edges": EDGES,
        }

    async def _shown(self, nodes: list[int], room: int, sight: Sight) -> list[int]:
        """Return the nodes that exist for the caller, in order; no more are asked for than the answer has room for."""
        shown: list[int] = []
        for start in range(0, len(nodes), CHECKED_AT_ONCE):
            part = nodes[start : start + CHECKED_AT_ONCE]
            hidden = await self._hidden(part, sight)
            shown += [node for node in part if node not in hidden]
            if len(shown) > room:
                break
        return shown

    async def _hidden(self, nodes: Iterable[int], sight: Sight) -> set[int]:
        by_type: dict[str, dict[str, int]] = {}
        for node in nodes:
            _, entity_type, record = self.names[node]
            if sight.filtered(entity_type):
                by_type.setdefault(entity_type, {})[record] = node
        hidden: set[int] = set()
        for entity_type, records in by_type.items():
            existing = await sight.existing(entity_type, records)
            hidden.update(node for record, node in records.items() if record not in existing.ids)
            if not existing.complete:
                self.unchecked.add(entity_type)
        return hidden

    def graph(self) -> Graph:
        """Return the answer, in order."""
        names, kinds = self.names, self.kinds
        nodes = sorted(name for node, name in names.items() if node != self.start)
        edges = []
        for (subject, kind, object_), (step, since, provenance) in self.edges.items():
            one, other = names.get(subject), names.get(object_)
            if one is not None and other is not None:
                relation = kinds[kind]
                ends = (one[1], one[2], relation.name, other[1], other[2])
                edges.append((step, *ends, relation.inverse, since, provenance))
        edges.sort(key=_IN_ORDER)
        return Graph(
            GraphNode(*names[self.start]),
            tuple([GraphNode(*each) for each in nodes]),
            tuple([GraphEdge(*each) for each in edges]),
            self.truncated,
            tuple(sorted(self.unchecked)),
        )


_IN_ORDER = itemgetter(slice(6))  # depth, subject, relation, object
