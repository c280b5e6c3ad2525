# SPDX-License-Identifier: Apache-2.0
"""Relations between records, written in batches with their validity (GL-2, GL-4); a replayed batch changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.graph.nodes import Node, find_nodes, is_due, write_nodes
from dictamesh.runtime.catalog.graph.statements import END, END_BACK, KINDS, NEW_KINDS, OPEN, TOUCH
from dictamesh.runtime.catalog.graph.values import Ending, Ref, SeenEdge, SeenRecord, Written, keepable


class _Kind(NamedTuple):
    kind: int
    cardinality: str

    @property
    def one_object(self) -> bool:
        return self.cardinality in {"many-to-one", "one-to-one"}

    @property
    def one_subject(self) -> bool:
        return self.cardinality in {"one-to-many", "one-to-one"}


_Name = tuple[str, str, str]
_Key = tuple[int, int, int]


@dataclass(slots=True)
class _Told:
    """A relation as one round of a batch tells it: the first and the last instant at which it holds."""

    edge: SeenEdge
    last: SeenEdge
    confidence: float


async def upsert_edges(connection: AsyncConnection[TupleRow], edges: Iterable[SeenEdge]) -> Written:
    """Keep relations as they hold; run it within a transaction.

    One that is open stays open, one that is new opens at its instant; where the relation has one end only, the one that
    it replaces ends at that instant. Ends that the catalog does not have yet enter it. A replayed batch changes
    nothing, and news of an instant of which later things are known opens nothing. Raises ``psycopg.Error``.
    """
    given = [edge for edge in edges]  # noqa: C416 - counted below
    fit = [edge for edge in given if keepable(edge.subject) and keepable(edge.object)]
    if not fit:
        return Written(skipped=len(given))
    nodes = await _ends(connection, fit)
    kinds = await _kinds(connection, fit)
    sound = [edge for edge in fit if not _too_late(edge, nodes)]
    created: list[SeenEdge] = []
    touched = ended = 0
    for told in _rounds(sound, nodes, kinds):
        columns = _columns(told, nodes, kinds)
        touched += (await connection.execute(TOUCH, columns)).rowcount
        row = await (await connection.execute(OPEN, columns)).fetchone()
        if row is not None and row[1] is not None:
            ended += row[0]
            created += [told[place].edge for place in sorted(row[1])]
    return Written(tuple(created), touched, ended, len(given) - len(sound))


async def close_edges(connection: AsyncConnection[TupleRow], endings: Iterable[Ending]) -> int:
    """End relations; returns how many were open. Run it within a transaction.

    What opened after the instant of the ending stays open, so that a replay changes nothing. Raises ``psycopg.Error``.
    """
    given = [each for each in endings if keepable(each.subject) and (each.object is None or keepable(each.object))]
    refs = {ref for each in given for ref in (each.subject, each.object) if ref is not None}
    nodes = await find_nodes(connection, refs)
    named = [each for each in given if each.subject in nodes and (each.object is None or each.object in nodes)]
    if not named:
        return 0
    named.sort(key=lambda each: nodes[each.subject].node)
    columns = (
        [nodes[each.subject].node for each in named],
        [each.relation for each in named],
        [None if each.object is None else nodes[each.object].node for each in named],
        [each.at for each in named],
    )
    ended = (await connection.execute(END, columns)).rowcount
    whole = [each for each in named if each.relation is None and each.object is None]
    if whole:
        back = ([nodes[each.subject].node for each in whole], [each.at for each in whole])
        ended += (await connection.execute(END_BACK, back)).rowcount
    return ended


async def _ends(connection: AsyncConnection[TupleRow], edges: Sequence[SeenEdge]) -> dict[Ref, Node]:
    """The rows of both ends of each relation; those that are missing are written first."""
    latest: dict[Ref, SeenRecord] = {}
    for edge in edges:
        for ref in (edge.subject, edge.object):
            known = latest.get(ref)
            if known is None or known.at < edge.at:
                latest[ref] = SeenRecord(ref, edge.at, edge.provenance)
    nodes = await find_nodes(connection, latest)
    due = [record for ref, record in latest.items() if is_due(nodes.get(ref), record.at)]
    await write_nodes(connection, due)
    fresh = await find_nodes(connection, [record.ref for record in due])
    return {**nodes, **fresh}


def _too_late(edge: SeenEdge, nodes: Mapping[Ref, Node]) -> bool:
    ends = [nodes.get(ref) for ref in (edge.subject, edge.object)]
    return any(node is None or node.gone(edge.at) for node in ends)


async def _kinds(connection: AsyncConnection[TupleRow], edges: Iterable[SeenEdge]) -> dict[_Name, _Kind]:
    wanted = {_name(edge): edge.cardinality for edge in edges}
    found = await _found_kinds(connection, wanted)
    missing = {name: cardinality for name, cardinality in wanted.items() if name not in found}
    if missing:
        columns = {**_name_columns(missing), "cardinalities": list(missing.values())}
        await connection.execute(NEW_KINDS, columns)
        found |= await _found_kinds(connection, missing)
    return found


async def _found_kinds(connection: AsyncConnection[TupleRow], names: Iterable[_Name]) -> dict[_Name, _Kind]:
    ordered = list(names)
    cursor = await connection.execute(KINDS, _name_columns(ordered))
    return {ordered[place - 1]: _Kind(kind, cardinality) for place, kind, cardinality in await cursor.fetchall()}


def _name_columns(names: Iterable[_Name]) -> dict[str, list[Any]]:
    subjects, relations, objects = [], [], []
    for subject, relation, object_ in names:
        subjects.append(subject)
        relations.append(relation)
        objects.append(object_)
    return {"subjects": subjects, "names": relations, "objects": objects}


def _name(edge: SeenEdge) -> _Name:
    return edge.subject.entity_type, edge.relation, edge.object.entity_type


def _rounds(edges: Iterable[SeenEdge], nodes: Mapping[Ref, Node], kinds: Mapping[_Name, _Kind]) -> list[list[_Told]]:
    """Split a batch so that each part tells of every relation once, and of one end only where it has one.

    Parts are in the order of time; what is told twice without anything in between is told once.
    """
    rounds: list[dict[_Key, _Told]] = []
    latest: dict[tuple[int, int, int, int], int] = {}  # the round that a relation, or the one end of it, was told in
    for edge in sorted(edges, key=lambda each: each.at):
        kind = kinds[_name(edge)]
        key = nodes[edge.subject].node, kind.kind, nodes[edge.object].node
        marks = [(0, *key)]
        if kind.one_object:
            marks.append((1, key[0], key[1], 0))
        if kind.one_subject:
            marks.append((2, 0, key[1], key[2]))
        at = max((latest[mark] for mark in marks if mark in latest), default=-1)
        known = rounds[at].get(key) if at >= 0 else None
        if known is not None:
            known.last = edge
            known.confidence = max(known.confidence, edge.confidence)
            continue
        if at + 1 == len(rounds):
            rounds.append({})
        rounds[at + 1][key] = _Told(edge, edge, edge.confidence)
        latest.update(dict.fromkeys(marks, at + 1))
    return [[part[key] for key in sorted(part)] for part in rounds]


def _columns(told: Sequence[_Told], nodes: Mapping[Ref, Node], kinds: Mapping[_Name, _Kind]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for place, each in enumerate(told):
        edge, kind = each.edge, kinds[_name(each.edge)]
        subject, object_ = nodes[edge.subject], nodes[edge.object]
        row = (
            subject.node,
            kind.kind,
            object_.node,
            edge.at,
            each.last.at,
            max(edge.provenance, each.last.provenance, key=_SUREST.index),
            each.confidence,
            kind.one_object,
            kind.one_subject,
            edge.origin,
            subject.id,
            edge.subject.entity_type,
            edge.subject.id,
            object_.id,
            edge.object.entity_type,
            edge.object.id,
            edge.relation,
            kind.cardinality,
            place,
        )
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns


_SUREST = ("inferred", "observed", "declared")
_COLUMNS = (
    *("subject", "kind", "object", "first", "last", "provenance", "confidence", "one_object", "one_subject", "origin"),
    *("subject_uuid", "subject_type", "subject_id", "object_uuid", "object_type", "object_id", "name", "cardinality"),
    "place",
)
