# SPDX-License-Identifier: Apache-2.0
"""The lineage graph: nodes are datasets and their fields, edges say how one makes another (GL-6, GL-11).

Words for transformations are those of OpenLineage's column lineage facet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from dictamesh.specs.manifest import Dataset


class Kind(StrEnum):
    """What a node is; without a field name it is the dataset as a whole."""

    COLUMN = "column"  # of a source: a table, a file, a REST collection
    FIELD = "field"  # of an entity
    GRAPHQL = "graphql"
    TOPIC = "topic"


class Type(StrEnum):
    DIRECT = "DIRECT"  # values become values
    INDIRECT = "INDIRECT"  # values decide which rows, or which of other values


class Subtype(StrEnum):
    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    FILTER = "FILTER"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"


class Provenance(StrEnum):
    DECLARED = "declared"  # the specs say so
    INFERRED = "inferred"  # read out of an SQL statement
    OBSERVED = "observed"  # an OpenLineage event said so


DIRECT = frozenset({Subtype.IDENTITY, Subtype.TRANSFORMATION, Subtype.AGGREGATION})


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A field of a dataset, or with an empty `field` the dataset; identified by its first three parts.

    `entity` is the address of the entity that the node belongs to; sources and foreign datasets have none. `behind` is
    that of the entity that a relation leads to, for relation fields and what lies behind them.
    """

    namespace: str
    name: str
    field: str
    kind: Kind
    entity: str | None = None
    behind: str | None = None

    @property
    def id(self) -> str:
        """The node's address as people write it: `customers#Customer.email`, `graphql:Customer.email`, ..."""
        if self.kind is Kind.COLUMN:
            joint = "" if self.name.startswith("/") else "/"
            return f"{self.namespace}{joint}{self.name}{f'#{self.field}' if self.field else ''}"
        name = f"topic:{self.name}" if self.kind is Kind.TOPIC and not self.name.startswith("topic:") else self.name
        return f"{name}.{self.field}" if self.field else name

    @property
    def dataset(self) -> "Node":
        """The dataset that the field belongs to; itself for a dataset."""
        return Node(self.namespace, self.name, "", self.kind, self.entity) if self.field else self


def node(of: Dataset, field_: str, kind: Kind, entity: str | None = None) -> Node:
    return Node(of.namespace, of.name, field_, kind, entity)


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` goes into `target`.

    `description` is the expression in words of ours, or of the specs. `masking`: somebody gets something else than the
    value; `audience` then says who gets the value in clear. `told` is what lineage events may say of it: no constant.
    """

    source: Node
    target: Node
    subtype: Subtype
    description: str = ""
    masking: bool = False
    audience: str | None = None
    provenance: Provenance = Provenance.DECLARED
    told: str = ""

    @property
    def type(self) -> Type:
        return Type.DIRECT if self.subtype in DIRECT else Type.INDIRECT


@dataclass(frozen=True)
class Graph:
    """All edges, sorted and each once."""

    edges: tuple[Edge, ...]
    standing: tuple[Node, ...] = field(default=())  # nodes that may have no edge: the fields of every entity

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, sorted."""
        ends = {end for edge in self.edges for end in (edge.source, edge.target)}
        return tuple(sorted(ends | set(self.standing), key=_key))

    @cached_property
    def into(self) -> Mapping[Node, tuple[Edge, ...]]:
        """Edges by target."""
        return _grouped((edge.target, edge) for edge in self.edges)

    @cached_property
    def out_of(self) -> Mapping[Node, tuple[Edge, ...]]:
        """Edges by source."""
        return _grouped((edge.source, edge) for edge in self.edges)


def graph(edges: Iterable[Edge], standing: Iterable[Node] = ()) -> Graph:
    """Make a graph; the order of `edges` does not matter. Of two that differ in `masking` alone the open one counts."""
    unique: dict[tuple[object, ...], Edge] = {}
    for edge in edges:
        key = (edge.source, edge.target, edge.subtype, edge.description, edge.provenance)
        if key not in unique or not edge.masking:
            unique[key] = edge
    return Graph(tuple(sorted(unique.values(), key=_order)), tuple(dict.fromkeys(standing)))


def _order(edge: Edge) -> tuple[object, ...]:
    return _key(edge.source), _key(edge.target), edge.subtype, edge.description, edge.provenance


def _key(each: Node) -> tuple[str, str, str]:
    return each.namespace, each.name, each.field


def _grouped(pairs: Iterable[tuple[Node, Edge]]) -> Mapping[Node, tuple[Edge, ...]]:
    found: dict[Node, list[Edge]] = {}
    for key, edge in pairs:
        found.setdefault(key, []).append(edge)
    return {key: tuple(edges) for key, edges in found.items()}
