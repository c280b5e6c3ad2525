# SPDX-License-Identifier: Apache-2.0
"""A data product as its consumers within the runtime see it: seven operations over its entities (AD-1, AD-3, AD-10)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from dictamesh.connectors.sdk import Health, Status
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, ReadFailed, Shown, Spent
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import EntityPlan, Plan, ProductPlan
from dictamesh.runtime.lineage.derive import derive_product
from dictamesh.runtime.lineage.model import Edge
from dictamesh.specs.model.mesh import Limits


class EntityNotFound(Exception):  # noqa: N818 - the word of AD-8
    """No row has the key that was asked for; a breaker does not count it."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relation of an entity: where it leads and how many rows it may meet."""

    type: str
    target: str  # address
    cardinality: str  # one | many


@dataclass(frozen=True, slots=True)
class Record:
    """A canonical entity (AD-10): `attributes` are a mapped row, before policy; `id` is the canonical key of S6."""

    id: str
    type: str
    domain: str
    attributes: Row
    relationships: tuple[Relationship, ...]
    metadata: Mapping[str, Any]
    version: str


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What a product says of one field (AD-4)."""

    name: str
    type: str
    required: bool
    key: bool
    pii: bool
    tier: str
    indexed: bool
    encrypted: bool


class ProductAdapter(Protocol):
    """The seven operations of every data product; entities are named by their GraphQL type."""

    async def get(self, entity: str, key: Key, operation: Operation) -> Record:
        """Return one record; raises `EntityNotFound` or `ReadFailed`."""

    async def query(
        self, entity: str, ask: Ask, operation: Operation, ids: Iterable[Key] | None = None
    ) -> list[Record]:
        """Return the records that `ask` describes, of `ids` alone where given, in their order; raises `ReadFailed`."""

    def schema(self, entity: str) -> tuple[FieldFacts, ...]:
        """Return the fields of an entity."""

    def sla(self) -> Mapping[str, Any]:
        """Return the service levels of the contract; times in seconds."""

    def lineage(self) -> tuple[Edge, ...]:
        """Return what the product's fields are made of and where they go, by column."""

    async def health(self) -> Mapping[str, Health]:
        """Return the health of each server that the product reads, by its id."""

    def metrics(self) -> Mapping[str, Mapping[str, int]]:
        """Return counters by entity since the adapters were built."""


class DataProductAdapter:
    """`ProductAdapter` over the adapters of a plan."""

    def __init__(self, adapters: Adapters, product: str) -> None:
        """Raises KeyError for a product that the plan does not hold."""
        self._adapters = adapters
        self._plan: Plan = adapters.plan
        self._product: ProductPlan = adapters.plan.products[product]
        entities = [adapters.plan.entities[address] for address in self._product.entities]
        self._entities: Mapping[str, EntityPlan] = {entity.name: entity for entity in entities}

    async def get(self, entity: str, key: Key, operation: Operation) -> Record:
        found = await self.query(entity, Ask(self._every_field(entity)), operation, [key])
        if not found:
            raise EntityNotFound
        return found[0]

    async def query(
        self, entity: str, ask: Ask, operation: Operation, ids: Iterable[Key] | None = None
    ) -> list[Record]:
        plan = self._entities[entity]
        ask = replace(ask, fields=ask.fields | frozenset(plan.key))
        if ids is None:
            rows = await self._adapters.rows(plan.address, ask, operation)
            return [self._record(plan, row) for row in rows]
        keys = list(dict.fromkeys(ids))
        found = await self._adapters.by_values(plan.address, plan.key, keys, ask, operation)
        if found.failed:
            raise ReadFailed(next(iter(found.failed.values())), transient=bool(found.transient))
        return [self._record(plan, row) for key in keys for row in found.rows.get(key, ())]

    def schema(self, entity: str) -> tuple[FieldFacts, ...]:
        plan = self._entities[entity]
        return tuple(
            FieldFacts(
                name=each.name,
                type=str(each.type),
                required=each.required,
                key=each.name in plan.key,
                pii=each.pii,
                tier=each.tier,
                indexed=each.indexed,
                encrypted=each.encrypted,
            )
            for each in plan.fields
        )

    def sla(self) -> Mapping[str, Any]:
        return self._product.sla

    def lineage(self) -> tuple[Edge, ...]:
        return derive_product(self._plan, self._product.name).edges

    async def health(self) -> Mapping[str, Health]:
        servers = sorted({entity.server for entity in self._entities.values()})
        return {server: await self._health(server) for server in servers}

    def metrics(self) -> Mapping[str, Mapping[str, int]]:
        return {name: asdict(self._adapters[entity.address].tally) for name, entity in self._entities.items()}

    async def _health(self, server: str) -> Health:
        line = self._adapters.lines[server]
        found = await line.connector.health()
        if found.status is Status.HEALTHY and line.guard.opened_at is not None:
            return Health(Status.DEGRADED, "the circuit is open")
        return found

    def _every_field(self, entity: str) -> frozenset[str]:
        return frozenset(each.name for each in self._entities[entity].fields)

    def _record(self, entity: EntityPlan, row: Row) -> Record:
        links = tuple(Relationship(link.name, link.target, "many" if link.many else "one") for link in entity.links)
        return Record(
            id=canonical(tuple(row[name] for name in entity.key)),
            type=entity.name,
            domain=self._product.domain or self._product.name,
            attributes=row,
            relationships=links,
            metadata={"source_system": entity.server, "max_age": entity.cache_ttl},
            version=self._product.version,
        )


def unrestricted(limits: Limits | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Operation:
    """Return an operation of the runtime itself, to which every row exists; what it reads is shown to no caller."""
    bounds = limits or Limits()
    moment = now()
    return Operation(
        shown=lambda _address: Shown(),
        parameters={"now": moment, "today": moment.date()},
        spent=Spent(bounds.rows),
        max_scan=bounds.max_scan,
    )
