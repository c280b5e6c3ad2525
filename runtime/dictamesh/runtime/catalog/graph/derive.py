# SPDX-License-Identifier: Apache-2.0
"""From a plan's relations and mapped rows to relations of the graph: stored once, as their spec declares them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dictamesh.runtime.adapters.adapters import own_values
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.catalog.graph.values import Ref, SeenEdge
from dictamesh.runtime.catalog.rows import Cardinality
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan

_TURNED: Mapping[Cardinality, Cardinality] = {
    "one-to-many": "many-to-one",
    "many-to-one": "one-to-many",
    "one-to-one": "one-to-one",
    "many-to-many": "many-to-many",
}


@dataclass(frozen=True, slots=True)
class DeclaredRelation:
    """A relation in the direction in which its spec writes it; ``turned``: the link it was made of is the other one."""

    subject: EntityPlan
    name: str
    object: EntityPlan
    cardinality: Cardinality
    inverse: str | None
    turned: bool

    def edge(self, holder: Key, far: Key, ids: RecordIds, at: datetime, origin: str | None) -> SeenEdge | None:
        """The relation between the record that holds the link and the one it leads to; None where one has no id."""
        subject, object_ = (far, holder) if self.turned else (holder, far)
        one, other = ids.of(self.subject, subject), ids.of(self.object, object_)
        if one is None or other is None:
            return None
        ends = Ref(self.subject.name, one), Ref(self.object.name, other)
        return SeenEdge(ends[0], self.name, ends[1], at, origin=origin, cardinality=self.cardinality)


def declared_relation(holder: EntityPlan, link: LinkPlan, target: EntityPlan) -> DeclaredRelation:
    """The relation that a link of ``holder`` follows, in one of its two directions."""
    cardinality = cardinality_of(holder, link)
    if link.declared or link.inverse is None:
        return DeclaredRelation(holder, link.name, target, cardinality, link.inverse, turned=False)
    return DeclaredRelation(target, link.inverse, holder, _TURNED[cardinality], link.name, turned=True)


def cardinality_of(holder: EntityPlan, link: LinkPlan) -> Cardinality:
    """How many records each end of a link may meet."""
    if link.many:
        return "one-to-many"
    return "one-to-one" if link.by_key and link.own == holder.key else "many-to-one"


def edges_of(
    entity: EntityPlan,
    row: Row,
    entities: Mapping[str, EntityPlan],
    ids: RecordIds,
    at: datetime,
    origin: str | None = None,
) -> Iterator[SeenEdge]:
    """The relations that one row tells by itself: those that lead to one record by its primary key (GL-2).

    What leads to many is told by the rows at the other end.
    """
    key = tuple(row[name] for name in entity.key)
    for link in entity.links:
        far = own_values(row, link) if link.by_key and not link.many else None
        if far is not None:
            edge = declared_relation(entity, link, entities[link.target]).edge(key, far, ids, at, origin)
            if edge is not None:
                yield edge
