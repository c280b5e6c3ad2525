# SPDX-License-Identifier: Apache-2.0
"""Jobs and datasets of a plan, as events tell of them: names, types, owners, column lineage; never a value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dictamesh.connectors.registry import manifest
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan, ProductPlan
from dictamesh.runtime.lineage.constants import without_constants
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node, Type
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.lineage.openlineage import facets
from dictamesh.runtime.lineage.openlineage.events import Body, Job
from dictamesh.specs.manifest import Dataset

DEEPEST = 20  # fields of an entity that read one another
REMEMBERED = 10_000  # datasets with their facets


@dataclass(frozen=True)
class Described:
    """What events say of one plan; built once for each plan, parts when first asked for."""

    plan: Plan
    naming: Naming
    _known: dict[object, Any] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def graph(self) -> Graph:
        """The plan's lineage."""
        return derive(self.plan, self.naming)

    @property
    def namespace(self) -> str:
        """The namespace of the mesh's jobs."""
        return self.naming.mesh

    def product(self, product: ProductPlan) -> Job:
        """The job that makes a product: from its sources to its entities and topics."""
        entities = [self.plan.entities[address] for address in product.entities]
        told = {
            "jobType": facets.job_type("SERVICE", "PRODUCT"),
            **({"documentation": facets.job_documentation(product.description)} if product.description else {}),
            **({"ownership": facets.job_owners([product.owner])} if product.owner else {}),
        }
        inputs = _unique(source for entity in entities for source in self.sources(entity))
        outputs = _unique(each for entity in entities for each in (self.entity(entity), self.topic(entity)))
        addresses = frozenset(entity.address for entity in entities)
        return Job(self.namespace, product.name, told, inputs, outputs, addresses)

    def reading(self, entity: EntityPlan, every: int | None = None) -> Job:
        """The job that reads an entity from its source; `every`: a run stands for so many seconds of calls."""
        told: dict[str, facets.Facet] = {"jobType": facets.job_type("SERVICE", "READ", every=every)}
        query, dialect = getattr(entity.source.options, "query", None), manifest(entity.connector).dialect
        if query is not None and dialect is not None and (shown := without_constants(query, dialect)) is not None:
            told["sql"] = facets.sql(shown, dialect)
        name = f"{entity.address}.read"
        inputs, outputs = _unique(self.sources(entity)), (self.entity(entity),)
        return Job(self.namespace, name, told, inputs, outputs, frozenset({entity.address}))

    def capture(self, entity: EntityPlan) -> Job:
        """The job that captures changes of an entity: from its source to its topic."""
        told = {"jobType": facets.job_type("STREAMING", "CAPTURE")}
        inputs, outputs = _unique(self.sources(entity)), (self.topic(entity),)
        return Job(self.namespace, f"{entity.address}.capture", told, inputs, outputs, frozenset({entity.address}))

    def quality(self, entity: EntityPlan, assertions: Iterable[facets.Assertion]) -> Job:
        """The job that checks an entity's quality, with how its rules ended."""
        told = {"jobType": facets.job_type("BATCH", "QUALITY")}
        checked = {
            **self.entity(entity),
            "inputFacets": {"dataQualityAssertions": facets.quality_assertions(assertions)},
        }
        return Job(self.namespace, f"{entity.address}.quality", told, (checked,), (), frozenset({entity.address}))

    def registration(self) -> Job:
        """The job that brings the catalog to what the specs say."""
        return Job(self.namespace, "registration", {"jobType": facets.job_type("BATCH", "REGISTRATION")})

    def query(self, roots: Iterable[str], touched: Mapping[str, Iterable[str]], every: int | None = None) -> Job:
        """The job that answers operations with these root fields; `touched` are the fields shown, by entity address."""
        entities = [self.plan.entities[address] for address in sorted(touched)]
        outputs = tuple(self._answer(entity, frozenset(touched[entity.address])) for entity in entities)
        told = {"jobType": facets.job_type("SERVICE", "QUERY", every=every)}
        name = f"graphql.{'+'.join(sorted(set(roots)))}"
        inputs = tuple(self.entity(entity) for entity in entities)
        return Job(self.namespace, name, told, inputs, outputs, frozenset(touched))

    def sources(self, entity: EntityPlan) -> tuple[Body, ...]:
        """The datasets that an entity is read from."""
        found = self._known.get(("sources", entity.address))
        if found is None:
            nodes = sorted(
                {
                    edge.source.dataset
                    for edge in self.graph.into.get(self._node(entity), ())
                    if edge.source.kind is Kind.COLUMN
                }
            )
            found = self._known["sources", entity.address] = tuple(self._source(each, entity) for each in nodes)
        return tuple(found)

    def entity(self, entity: EntityPlan) -> Body:
        """The dataset of an entity, with the columns that each field comes from."""
        key = ("entity", entity.address)
        if key not in self._known:
            product = self.plan.products[entity.product]
            told = {"schema": facets.schema(_fields(entity.fields)), **self._about(entity.description, product)}
            inputs = {name: self._inputs(entity, name) for name in _leaves(entity.fields)}
            decided = [edge for edge in self.graph.into.get(self._node(entity), ()) if edge.type is Type.INDIRECT]
            told["columnLineage"] = facets.column_lineage(inputs, _input_fields(decided))
            self._known[key] = _dataset(self.naming.entity(entity), told)
        return dict(self._known[key])

    def topic(self, entity: EntityPlan) -> Body:
        """The dataset of an entity's topic."""
        key = ("topic", entity.address)
        if key not in self._known:
            fields = [{"name": "payload", "type": "record", "fields": _fields(entity.fields)}]
            lineage = {
                f"payload.{name}": _input_fields(self._served(entity, f"payload.{name}", Kind.TOPIC))
                for name in _leaves(entity.fields)
            }
            told = {
                "schema": facets.schema(fields),
                **self._about(entity.description, self.plan.products[entity.product]),
                "columnLineage": facets.column_lineage(lineage, []),
            }
            self._known[key] = _dataset(self.naming.topic(entity), told)
        return dict(self._known[key])

    def _answer(self, entity: EntityPlan, shown: frozenset[str]) -> Body:
        key = ("answer", entity.address, shown)
        if len(self._known) > REMEMBERED:
            self._known.clear()
        if key not in self._known:
            fields = tuple(each for each in entity.fields if each.name in shown)
            lineage = {name: _input_fields(self._served(entity, name, Kind.GRAPHQL)) for name in _leaves(fields)}
            at = Node(*_parts(self.naming.graphql(entity)), "", Kind.GRAPHQL, entity.address)
            decided = [edge for edge in self.graph.into.get(at, ()) if edge.type is Type.INDIRECT]
            told = {
                "schema": facets.schema(_fields(fields)),
                "columnLineage": facets.column_lineage(lineage, _input_fields(decided)),
            }
            self._known[key] = _dataset(self.naming.graphql(entity), told)
        return dict(self._known[key])

    def _about(self, description: str, product: ProductPlan) -> dict[str, facets.Facet]:
        said = description or product.description
        return {
            **({"documentation": facets.dataset_documentation(said)} if said else {}),
            **({"ownership": facets.dataset_owners([product.owner])} if product.owner else {}),
        }

    def _source(self, at: Node, entity: EntityPlan) -> Body:
        uri = at.namespace if "://" in at.namespace else f"file://{at.name}"
        own = self.naming.source(entity)
        told = {"dataSource": facets.data_source(entity.server if at.namespace == own.namespace else at.namespace, uri)}
        if at == Node(*_parts(own), "", Kind.COLUMN):
            columns = [{"name": column.name, "type": str(column.type)} for column in entity.source.columns]
            told["schema"] = facets.schema(columns)
            filled = {
                name: edges
                for name in (column.name for column in entity.source.columns)
                if (edges := self.graph.into.get(Node(*_parts(own), name, Kind.COLUMN), ()))
            }
            if filled:  # by others, as the product declares
                by_column = {name: _input_fields(edges) for name, edges in filled.items()}
                told["columnLineage"] = facets.column_lineage(by_column, [])
        return _dataset(Dataset(at.namespace, at.name), told)

    def _served(self, entity: EntityPlan, name: str, kind: Kind) -> list[Edge]:
        of = self.naming.topic(entity) if kind is Kind.TOPIC else self.naming.graphql(entity)
        return list(self.graph.into.get(Node(*_parts(of), name, kind, entity.address), ()))

    def _inputs(self, entity: EntityPlan, name: str) -> list[Body]:
        """The source columns of a field, through fields of the same entity that it reads."""
        edges: list[Edge] = []
        waiting, seen = [self._node(entity, name)], set[Node]()
        while waiting and len(seen) < DEEPEST:
            at = waiting.pop()
            seen.add(at)
            for edge in self.graph.into.get(at, ()):
                edges.append(edge)
                if edge.source.entity == entity.address and edge.source not in seen:
                    waiting.append(edge.source)
        return _input_fields(edge for edge in edges if edge.source.entity != entity.address)

    def _node(self, entity: EntityPlan, name: str = "") -> Node:
        return Node(*_parts(self.naming.entity(entity)), name, Kind.FIELD, entity.address)


def _parts(of: Dataset) -> tuple[str, str]:
    return of.namespace, of.name


def _dataset(of: Dataset, told: Mapping[str, facets.Facet]) -> Body:
    return {"namespace": of.namespace, "name": of.name, "facets": dict(told)}


def _unique(datasets: Iterable[Body]) -> tuple[Body, ...]:
    return tuple({(each["namespace"], each["name"]): each for each in datasets}.values())


def _fields(fields: Iterable[FieldPlan]) -> list[Mapping[str, Any]]:
    return [
        {
            "name": each.name,
            "type": str(each.type),
            **({"description": each.description} if each.description else {}),
            **({"fields": _fields(each.members)} if each.members else {}),
        }
        for each in fields
    ]


def _leaves(fields: Iterable[FieldPlan], above: str = "") -> Iterator[str]:
    for each in fields:
        if each.members:
            yield from _leaves(each.members, f"{above}{each.name}.")
        else:
            yield f"{above}{each.name}"


def _input_fields(edges: Iterable[Edge]) -> list[Body]:
    """Edges as input fields; a dataset as a whole, as COUNT(*) reads it, is the field `*`."""
    found: dict[Node, list[facets.Facet]] = {}
    for edge in edges:
        told = {"type": edge.type.value, "subtype": edge.subtype.value, "masking": edge.masking}
        if edge.told:
            told["description"] = edge.told
        ways = found.setdefault(edge.source, [])
        if told not in ways:
            ways.append(told)
    return [
        facets.input_field(at.namespace, at.name, at.field or "*", ways)
        for at, ways in sorted(found.items(), key=lambda item: (item[0].namespace, item[0].name, item[0].field))
    ]
