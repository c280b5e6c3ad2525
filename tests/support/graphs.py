# SPDX-License-Identifier: Apache-2.0
"""A graph of any size, generated in the database, and the same walk in plain Python to hold the real one against."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from dictamesh.runtime.catalog.graph.values import Ref
from dictamesh.runtime.catalog.rows import EntityRow, Registration, RelationRow

SHARES = (("Customer", "c", 0.20), ("Product", "p", 0.05), ("Invoice", "i", 0.30), ("InvoiceItem", "t", 0.45))
"""Types with the letter of their ids and their share of all records."""
RELATIONS = (
    ("Invoice", "customer", "Customer", "many-to-one", "invoices", 0.06, 2),
    ("InvoiceItem", "invoice", "Invoice", "many-to-one", "items", 0.09, 1),
    ("InvoiceItem", "product", "Product", "many-to-one", "soldIn", 0.09, 3),
    ("Customer", "knows", "Customer", "many-to-many", None, 0.40, 2),
    ("Product", "goesWith", "Product", "many-to-many", None, 0.16, 2),
    ("Customer", "viewed", "Product", "many-to-many", "viewedBy", 0.20, 3),
)
"""Subject, name, object, cardinality, inverse, share of all relations, and how unevenly objects are met: 1 is even."""
ENDED = 0.05
"""The share of relations that have ended."""


def registration() -> Registration:
    """The types and relations of the graph as a mesh registers them."""
    entities = tuple(
        EntityRow("shop", "1.0.0", name, "shop", "erp", ("id",), "internal", contains_pii=False)
        for name, _, _ in SHARES
    )
    relations = tuple(
        RelationRow(name, subject, object_, cardinality, inverse)
        for subject, name, object_, cardinality, inverse, _, _ in RELATIONS
    )
    return Registration("bench", entities, relations)


def generate(dsn: str, records: int, relations: int, seed: float = 0.42) -> None:
    """Fill a registered catalog; indexes are made afterwards, and foreign keys are not checked row by row."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SELECT setseed(%s)", (seed,))
        with _without_indexes(connection, "dictamesh_entity_catalog", "dictamesh_entity_relationships"):
            for name, letter, share in SHARES:
                _records(connection, name, letter, round(records * share))
            connection.execute("ANALYZE dictamesh_entity_catalog")
            for relation in RELATIONS:
                _relations(connection, relation, round(relations * relation[5]), records)
        connection.execute("VACUUM (ANALYZE) dictamesh_entity_catalog")
        connection.execute("VACUUM (ANALYZE) dictamesh_entity_relationships")


class _without_indexes:  # noqa: N801 - reads as what it does
    def __init__(self, connection: psycopg.Connection, *tables: str) -> None:
        self._connection = connection
        found = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname LIKE 'idx\\_%%'",
            (list(tables),),
        )
        self._indexes = dict(found.fetchall())

    def __enter__(self) -> None:
        for name in self._indexes:
            self._connection.execute(f'DROP INDEX "{name}"')

    def __exit__(self, *_: object) -> None:
        for definition in self._indexes.values():
            self._connection.execute(definition)


def _records(connection: psycopg.Connection, name: str, letter: str, count: int) -> None:
    connection.execute(
        """
        INSERT INTO dictamesh_entity_catalog (mesh, product_id, product_version, entity_type, domain, source_system,
               source_entity_id, key_fields, contains_pii, data_classification, guarded, provenance)
        SELECT 'bench', 'shop', '1.0.0', %(name)s, 'shop', 'erp', %(letter)s || '-' || lpad(n::text, 7, '0'), '{}',
               false, 'internal', true, 'observed'
          FROM generate_series(1, %(count)s) n
        """,
        {"name": name, "letter": letter, "count": count},
    )


def _relations(connection: psycopg.Connection, relation: tuple, count: int, records: int) -> None:
    subject, name, object_, cardinality, _, _, uneven = relation
    sizes = {each: round(records * share) for each, _, share in SHARES}
    letters = {each: letter for each, letter, _ in SHARES}
    given = {
        "subject": subject, "name": name, "object": object_, "cardinality": cardinality, "uneven": uneven,
        "ended": ENDED, "count": min(count, sizes[subject]) if cardinality == "many-to-one" else count,
        "subjects": sizes[subject], "objects": sizes[object_], "one": cardinality == "many-to-one",
        "letter": letters[subject], "far": letters[object_],
    }  # fmt: skip
    connection.execute(
        """
        WITH drawn AS MATERIALIZED (
            SELECT DISTINCT ON (s, o) s, o, since,
                   CASE WHEN random() < %(ended)s
                        THEN since + interval '1 day' + random() * interval '200 days' END AS until
              FROM (SELECT CASE WHEN %(one)s THEN n ELSE 1 + floor(random() * %(subjects)s)::bigint END AS s,
                           1 + floor(%(objects)s * power(random(), %(uneven)s))::bigint AS o,
                           timestamptz '2024-01-01Z' + random() * interval '700 days' AS since
                      FROM generate_series(1, %(count)s) n) d
             ORDER BY s, o
        )
        INSERT INTO dictamesh_entity_relationships
            (subject_catalog_id, subject_entity_type, subject_entity_id, relationship_type, relationship_cardinality,
             object_catalog_id, object_entity_type, object_entity_id, valid_from, valid_to, subject_node, kind,
             object_node, provenance, first_seen_at, last_seen_at)
        SELECT a.id, a.entity_type, a.source_entity_id, %(name)s, %(cardinality)s, b.id, b.entity_type,
               b.source_entity_id, d.since, d.until, a.node, k.kind, b.node, 'observed', d.since, d.since
          FROM drawn d
          JOIN dictamesh_entity_catalog a ON a.source_entity_id = %(letter)s || '-' || lpad(d.s::text, 7, '0')
          JOIN dictamesh_entity_catalog b ON b.source_entity_id = %(far)s || '-' || lpad(d.o::text, 7, '0')
          JOIN dictamesh_relation_kinds k ON k.subject_entity_type = %(subject)s AND k.relationship_type = %(name)s
        """,
        given,
    )


@dataclass(frozen=True, slots=True)
class Edge:
    subject: Ref
    name: str
    object: Ref
    valid_from: datetime
    valid_to: datetime | None

    def holds(self, moment: datetime | None) -> bool:
        if moment is None:
            return self.valid_to is None
        return self.valid_from <= moment and (self.valid_to is None or self.valid_to > moment)


class Plain:
    """The graph in memory."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(
                """
                SELECT subject_entity_type, subject_entity_id, relationship_type, object_entity_type,
                       object_entity_id, valid_from, valid_to
                  FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*'
                """
            ).fetchall()
        edges = [Edge(Ref(a, b), name, Ref(c, d), since, until) for a, b, name, c, d, since, until in rows]
        self.edges = edges
        self.out: dict[Ref, list[Edge]] = defaultdict(list)
        self.back: dict[Ref, list[Edge]] = defaultdict(list)
        for edge in edges:
            self.out[edge.subject].append(edge)
            self.back[edge.object].append(edge)

    def walk(
        self,
        start: Ref,
        depth: int,
        direction: str,
        *,
        names: Iterable[str] | None = None,
        moment: datetime | None = None,
        shown: set[Ref] | None = None,
        hidden_types: frozenset[str] = frozenset(),
    ) -> tuple[dict[Ref, int], set[tuple[Ref, str, Ref]]]:
        """Depth by record, and the relations on the way; ``shown`` None: every record may be seen."""
        wanted = None if names is None else set(names)
        depths, frontier, edges = {start: 0}, [start], set()
        for step in range(1, depth + 1):
            fresh = []
            for node in frontier:
                for edge, far in self._steps(node, direction):
                    if not edge.holds(moment) or (wanted is not None and edge.name not in wanted):
                        continue
                    if far.entity_type in hidden_types or (shown is not None and far not in shown):
                        continue
                    edges.add((edge.subject, edge.name, edge.object))
                    if far not in depths:
                        depths[far] = step
                        fresh.append(far)
            frontier = fresh
        return depths, edges

    def _steps(self, node: Ref, direction: str) -> Iterable[tuple[Edge, Ref]]:
        if direction in {"out", "both"}:
            yield from ((edge, edge.object) for edge in self.out[node])
        if direction in {"in", "both"}:
            yield from ((edge, edge.subject) for edge in self.back[node])
