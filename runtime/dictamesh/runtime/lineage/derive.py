# SPDX-License-Identifier: Apache-2.0
"""The lineage of a plan: from source columns through fields to GraphQL and topics (GL-6, GL-11). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, FlowPlan, LinkPlan, Plan
from dictamesh.runtime.lineage.audience import Clear, clear_for
from dictamesh.runtime.lineage.constants import without_constants
from dictamesh.runtime.lineage.expressions import Path, reads
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node, Provenance, Subtype, graph, node
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.lineage.sources import Origin, Sources
from dictamesh.specs.expressions import text
from dictamesh.specs.expressions.tree import Expr, columns
from dictamesh.specs.manifest import Dataset

_OWN = "self"
_THROUGH = {"count": Subtype.AGGREGATION, "hmac": Subtype.TRANSFORMATION}
_KINDS = {
    "direct_copy": Subtype.IDENTITY,
    "aggregation": Subtype.AGGREGATION,
    "join": Subtype.JOIN,
    "enrichment": Subtype.TRANSFORMATION,
}
"""Words of `lineage` in those of OpenLineage; the catalog leads back (`transformation_type`)."""


def derive(plan: Plan, naming: Naming | None = None) -> Graph:
    """Return the lineage of everything that a plan serves; the same plan and names give the same graph."""
    derivation = _Derivation(plan, naming or Naming(plan))
    edges = [edge for entity in plan.entities.values() for edge in derivation.entity(entity)]
    edges += derivation.flows()
    return graph(edges, derivation.standing())


def derive_product(plan: Plan, product: str, naming: Naming | None = None) -> Graph:
    """Return where the entities of one product come from and go to; raises KeyError for an unknown product."""
    derivation = _Derivation(plan, naming or Naming(plan))
    own = plan.products[product].entities
    edges = [edge for address in own for edge in derivation.entity(plan.entities[address])]
    edges += derivation.flows(frozenset(own))
    return graph(edges)


@dataclass(frozen=True)
class Places:
    """The nodes of a plan."""

    naming: Naming

    def field(self, entity: EntityPlan, name: str = "") -> Node:
        return node(self.naming.entity(entity), name, Kind.FIELD, entity.address)

    def graphql(self, entity: EntityPlan, name: str = "") -> Node:
        return node(self.naming.graphql(entity), name, Kind.GRAPHQL, entity.address)

    def relation(self, entity: EntityPlan, link: LinkPlan, name: str = "") -> Node:
        at = f"{link.name}.{name}" if name else link.name
        of = self.naming.graphql(entity)
        return Node(of.namespace, of.name, at, Kind.GRAPHQL, entity.address, link.target)

    def topic(self, entity: EntityPlan, name: str = "") -> Node:
        return node(self.naming.topic(entity), f"payload.{name}" if name else "", Kind.TOPIC, entity.address)


class _Derivation:
    """One plan being derived."""

    def __init__(self, plan: Plan, naming: Naming) -> None:
        self.plan = plan
        self.places = Places(naming)
        self.sources = Sources(naming)
        self.clear = {
            each.address: clear_for(plan, entity, each)
            for entity in plan.entities.values()
            for _, each in _every(entity.fields)
        }

    def standing(self) -> Iterator[Node]:
        for entity in self.plan.entities.values():
            yield self.places.field(entity)
            yield from (self.places.field(entity, name) for name, _ in _every(entity.fields))

    def entity(self, entity: EntityPlan) -> Iterator[Edge]:
        yield from self._rows(entity)
        for name, each in _every(entity.fields):
            at = self.places.field(entity, name)
            yield from self._made(entity, name, each)
            if not each.members:
                clear = self.clear[each.address]
                yield _served(at, self.places.graphql(entity, name), clear)
                yield _served(at, self.places.topic(entity, name), clear)
                yield from self._conditions(entity, name, each)
        for link in entity.links:
            yield from self._link(entity, link)

    def flows(self, about: frozenset[str] | None = None) -> Iterator[Edge]:
        """What products declare: fields made of another product's, and what no expression shows (GL-6).

        `about` are the entities of which either end must be one; None: any.
        """
        for flow in self.plan.flows:
            source, target = self._upstream(flow), self._downstream(flow)
            if source is None or target is None:
                continue
            if about is not None and not about & {source.entity, _entity_of(flow.target)}:
                continue
            masking = flow.through is not None
            subtype = _THROUGH.get(flow.through or "") or _KINDS[flow.kind or "direct_copy"]
            said = flow.expression or flow.description or flow.through or ""
            told = (without_constants(flow.expression) if flow.expression else None) or flow.description
            yield Edge(source, target, subtype, said, masking, told=told)
            if source.dataset != target.dataset and (source.field or target.field):
                # what joins into one field decides about no other of the rows
                whole = Subtype.TRANSFORMATION if subtype is Subtype.JOIN and target.field else subtype
                yield Edge(source.dataset, target.dataset, whole, said, masking, told=told)

    def _upstream(self, flow: FlowPlan) -> Node | None:
        if isinstance(flow.source, str):
            return self._address(flow.source)
        if flow.source.namespace is not None:
            return node(Dataset(flow.source.namespace, flow.source.name), flow.source.field, Kind.COLUMN)
        reader = self.plan.entities.get(_entity_of(flow.target))
        return self._column(reader, flow.source.field, flow.source.name) if reader is not None else None

    def _downstream(self, flow: FlowPlan) -> Node | None:
        entity = self.plan.entities.get(_entity_of(flow.target))
        if entity is None or not flow.column:
            return self._address(flow.target)
        return self._column(entity, flow.target[len(entity.address) + 1 :])

    def _column(self, entity: EntityPlan, name: str, table: str | None = None) -> Node:
        return node(self.places.naming.source(entity, table), name, Kind.COLUMN)

    def _address(self, address: str) -> Node | None:
        entity = self.plan.entities.get(_entity_of(address))
        return self.places.field(entity, address[len(entity.address) + 1 :]) if entity is not None else None

    def _rows(self, entity: EntityPlan) -> Iterator[Edge]:
        """The entity as a whole: its datasets, what chooses its rows, where it is served."""
        at, shown = self.places.field(entity), self.places.graphql(entity)
        for source in self.sources.dataset(entity):
            yield Edge(source, at, self._strongest(entity), provenance=self._provenance(entity))
        for origin in self.sources.rows(entity):
            yield _made_of(origin, at)
        yield Edge(at, shown, Subtype.IDENTITY)
        yield Edge(at, self.places.topic(entity), Subtype.IDENTITY)
        for policy in self.plan.rules.rows.get(entity.address, ()):
            for entry in policy.entries:
                if not isinstance(entry.keep, bool):
                    said = f"policy {policy.policy}, {entry.name}"
                    yield from self._read(entity, entry.keep, shown, Subtype.FILTER, said)
        for link in entity.links:
            if link.restrict:
                yield from self._joined(entity, link, shown, Subtype.FILTER, f"restrict: {link.name}")

    def _made(self, entity: EntityPlan, name: str, each: FieldPlan) -> Iterator[Edge]:
        """What a field is made of."""
        at = self.places.field(entity, name)
        column = each.column
        if column is not None:
            if not each.members:
                path = f"{self._above(entity, name)}{column}"
                subtype = next(iter(reads(each.expr).get((column,), (Subtype.IDENTITY,))))
                said = text(each.expr) if subtype is not Subtype.IDENTITY else ""
                yield from (_made_of(each, at) for each in self._columns(entity, path, subtype, said))
            return
        tree = each.written if each.written is not None else each.expr
        said = text(tree)
        for path_read, subtypes in reads(tree).items():
            for subtype in sorted(subtypes):
                shown = said if subtype is not Subtype.IDENTITY else ""
                if len(path_read) == 2 and path_read[0] == _OWN:
                    yield Edge(self.places.field(entity, path_read[1]), at, subtype, shown)
                else:
                    found = self._columns(entity, path_read[0], subtype, shown)
                    yield from (_made_of(origin, at) for origin in found)

    def _above(self, entity: EntityPlan, name: str) -> str:
        """The path in the source of the object that a member lies in, with a dot at its end."""
        found, fields = "", entity.fields
        for part in name.split(".")[:-1]:
            field = next(each for each in fields if each.name == part)
            found, fields = f"{found}{field.column}.", field.members
        return found

    def _columns(self, entity: EntityPlan, name: str, subtype: Subtype, said: str) -> list[Origin]:
        if self._provenance(entity) is Provenance.INFERRED and all(name != each.name for each in entity.source.columns):
            name = name.split(".", maxsplit=1)[0]  # what lies in an object comes from where the object does
        origins = self.sources.column(entity, name)
        return [origin.then(subtype, said) for origin in origins]

    def _conditions(self, entity: EntityPlan, name: str, each: FieldPlan) -> Iterator[Edge]:
        """Conditions on rows that decide how the field is served (S17)."""
        target = self.places.graphql(entity, name)
        for policy in self.plan.rules.fields.get(each.address, ()):
            for rule in policy.rules:
                if rule.where is not None:
                    said = f"policy {policy.policy}, {rule.name}"
                    yield from self._read(entity, rule.where, target, Subtype.FILTER, said)

    def _read(self, entity: EntityPlan, expr: Expr, target: Node, subtype: Subtype, said: str) -> Iterator[Edge]:
        """Edges from every field that a condition on rows reads, over to-one relations too."""
        for path in sorted(columns(expr)):
            yield from self._walked(entity, path, target, subtype, said)

    def _walked(self, entity: EntityPlan, path: Path, target: Node, subtype: Subtype, said: str) -> Iterator[Edge]:
        for part in path[:-1]:
            link = entity.link(part)
            if link is None:
                return
            yield from self._joined(entity, link, target, Subtype.JOIN, said)
            entity = self.plan.entities[link.target]
        yield Edge(self.places.field(entity, path[-1]), target, subtype, said)

    def _link(self, entity: EntityPlan, link: LinkPlan) -> Iterator[Edge]:
        """A relation: its keys join it, and behind it lie the fields of the other end, one step deep."""
        other = self.plan.entities[link.target]
        at = self.places.relation(entity, link)
        pairs = zip(link.own, link.theirs, strict=True)
        said = " AND ".join(f"{entity.name}.{own} = {other.name}.{theirs}" for own, theirs in pairs)
        yield from self._joined(entity, link, at, Subtype.JOIN, said)
        for name, each in _every(other.fields):
            if not each.members:
                end = self.places.relation(entity, link, name)
                yield _served(self.places.field(other, name), end, self.clear[each.address])
                yield Edge(at, end, Subtype.JOIN, said)

    def _joined(self, entity: EntityPlan, link: LinkPlan, at: Node, subtype: Subtype, said: str) -> Iterator[Edge]:
        other = self.plan.entities[link.target]
        yield from (Edge(self.places.field(entity, name), at, subtype, said) for name in link.own)
        yield from (Edge(self.places.field(other, name), at, subtype, said) for name in link.theirs)

    def _strongest(self, entity: EntityPlan) -> Subtype:
        """What is done to the rows of a source on the whole."""
        found = {
            origin.subtype for column in entity.source.columns for origin in self.sources.column(entity, column.name)
        }
        if Subtype.AGGREGATION in found:
            return Subtype.AGGREGATION
        plain = found <= {Subtype.IDENTITY} and all(each.column is not None for each in entity.fields)
        return Subtype.IDENTITY if plain else Subtype.TRANSFORMATION

    def _provenance(self, entity: EntityPlan) -> Provenance:
        return Provenance.INFERRED if getattr(entity.source.options, "query", None) else Provenance.DECLARED


def _served(field: Node, end: Node, clear: Clear) -> Edge:
    subtype = Subtype.TRANSFORMATION if clear.masking else Subtype.IDENTITY
    return Edge(field, end, subtype, masking=clear.masking, audience=clear.who)


def _made_of(origin: Origin, target: Node) -> Edge:
    return Edge(origin.node, target, origin.subtype, origin.text, origin.masking, provenance=origin.provenance)


def _every(fields: Iterable[FieldPlan], above: str = "") -> Iterator[tuple[str, FieldPlan]]:
    """Every field with its dotted name, objects before what they hold."""
    for each in fields:
        yield f"{above}{each.name}", each
        yield from _every(each.members, f"{above}{each.name}.")


def _entity_of(address: str) -> str:
    product, _, rest = address.partition("#")
    return f"{product}#{rest.partition('.')[0]}"
