# SPDX-License-Identifier: Apache-2.0
"""Product pages made: from the plan, what was counted, and what the caller may know."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dictamesh.runtime.catalog.catalog import Catalog, QualityResult
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.levels import HOURS, service_levels
from dictamesh.runtime.catalog.pages import (
    Consumer,
    EntityPage,
    FieldPage,
    ProductPage,
    ProductSummary,
    RelationPage,
    WhichProducts,
)
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.sight import Sight, seen_kinds, seen_types
from dictamesh.runtime.catalog.usage import may_read, uses_of
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, ProductPlan
from dictamesh.specs.quality import Check, QualityRule

CONSUMER_DAYS = 30


@dataclass(frozen=True, slots=True)
class _Uses:
    """Uses within the last 30 days, summed up; None where the caller may not see them."""

    by_address: Mapping[str, int] | None = None
    consumers: Mapping[str, tuple[Consumer, ...]] | None = field(default=None)


async def list_products(
    catalog: Catalog, sight: Sight, which: WhichProducts, limit: int, offset: int
) -> Page[ProductSummary]:
    """A page of the products that the caller may know of, by name."""
    seen = await seen_products(catalog, sight)
    plan = catalog.plan()
    found = [
        summary
        for name, entities in seen.items()
        if _fits(summary := _summary(plan.products[name], entities), entities, which)
    ]
    return Page(tuple(found[offset : offset + limit]), len(found), limit, offset)


async def product_pages(
    catalog: Catalog, sight: Sight, names: Collection[str], hours: int = HOURS
) -> dict[str, ProductPage]:
    """The pages of products by name, without those that do not exist for the caller."""
    seen = await seen_products(catalog, sight)
    plan = catalog.plan()
    products = {name: plan.products[name] for name in names if name in seen}
    measured = await service_levels(catalog, list(products.values()), hours)
    uses = await _uses(catalog, sight, [entity for name in products for entity in seen[name]])
    quality = await catalog.quality(list(products)) if catalog.quality is not None else None
    relations = await _Relations.of(catalog, sight)
    return {
        name: ProductPage(
            product.name,
            product.id,
            product.version,
            product.status,
            product.domain,
            product.owner,
            product.description,
            tuple(_entity(entity, sight, uses, relations) for entity in seen[name]),
            measured[name],
            None if uses.consumers is None else uses.consumers.get(name, ()),
            None if quality is None else _quality(quality.get(name, ()), seen[name], sight),
        )
        for name, product in products.items()
    }


async def product_page(catalog: Catalog, sight: Sight, name: str, hours: int = HOURS) -> ProductPage:
    """The page of one product; raises ``EntityNotFound``."""
    found = await product_pages(catalog, sight, [name], hours)
    if name not in found:
        raise EntityNotFound(name)
    return found[name]


async def seen_products(catalog: Catalog, sight: Sight) -> dict[str, list[EntityPlan]]:
    """Products by name, with their entities, as far as the caller may know of them; one without entities is open."""
    plan = catalog.plan()
    types = seen_types(await catalog.directory.known(), sight)
    found = {}
    for name, product in sorted(plan.products.items()):
        entities = [plan.entities[address] for address in product.entities if plan.entities[address].name in types]
        if entities or not product.entities:
            found[name] = entities
    return found


@dataclass(frozen=True, slots=True)
class _Relations:
    """Relations that the caller may follow, by the names of their ends."""

    seen: frozenset[tuple[str, str, str]]

    @classmethod
    async def of(cls, catalog: Catalog, sight: Sight) -> "_Relations":
        kinds = seen_kinds(await catalog.directory.known(), sight).values()
        ahead = {(kind.subject, kind.name, kind.object) for kind in kinds}
        back = {(kind.object, kind.inverse, kind.subject) for kind in kinds if kind.inverse is not None}
        return cls(frozenset(ahead | back))

    def pages(self, entity: EntityPlan) -> Iterable[RelationPage]:
        for link in entity.links:
            target = link.target.partition("#")[2]
            if (entity.name, link.name, target) in self.seen:
                yield RelationPage(link.name, target, link.many, link.inverse, link.description)


def _summary(product: ProductPlan, entities: Sequence[EntityPlan]) -> ProductSummary:
    tiers = [entity.catalog["data_classification"] for entity in entities]
    return ProductSummary(
        product.name,
        product.id,
        product.version,
        product.status,
        product.domain,
        product.owner,
        product.description,
        tuple(entity.name for entity in entities),
        any(entity.catalog["contains_pii"] for entity in entities),
        max(tiers, key=_RISING.index, default=None),
    )


_RISING = ("public", "internal", "confidential", "restricted")


def _fits(product: ProductSummary, entities: Iterable[EntityPlan], which: WhichProducts) -> bool:
    wanted = {"domain": which.domain, "owner": which.owner, "status": which.status}
    if any(value is not None and getattr(product, name) != value for name, value in wanted.items()):
        return False
    if which.contains_pii is not None and product.contains_pii is not which.contains_pii:
        return False
    return which.tag is None or any(_covers(which.tag, each.tags) for entity in entities for each in entity.fields)


def _covers(tag: str, tags: Iterable[str]) -> bool:
    return any(each == tag or each.startswith(f"{tag}.") for each in tags)


def _entity(entity: EntityPlan, sight: Sight, uses: _Uses, relations: _Relations) -> EntityPage:
    return EntityPage(
        entity.address,
        entity.name,
        entity.description,
        entity.catalog["data_classification"],
        entity.catalog["contains_pii"],
        entity.key,
        entity.server,
        entity.topic.name,
        entity.singular,
        entity.plural,
        entity.catalog["schema_version"],
        tuple(_field(each, entity, sight, uses) for each in entity.fields),
        tuple(relations.pages(entity)),
    )


def _field(each: FieldPlan, entity: EntityPlan, sight: Sight, uses: _Uses) -> FieldPage:
    path = each.address.removeprefix(f"{entity.address}.")
    return FieldPage(
        each.address,
        each.name,
        str(each.type),
        each.graphql,
        each.required,
        path in entity.key,
        each.tier,
        each.tags,
        each.pii,
        each.description,
        sight.field(entity.name, path),
        None if uses.by_address is None else uses.by_address.get(each.address, 0),
        tuple(_field(member, entity, sight, uses) for member in each.members),
    )


async def _uses(catalog: Catalog, sight: Sight, entities: Sequence[EntityPlan]) -> _Uses:
    if not may_read(catalog, sight):
        return _Uses()
    since = datetime.now(UTC).date() - timedelta(days=CONSUMER_DAYS - 1)
    rows = await uses_of(catalog, [entity.address for entity in entities], since)
    by_address: dict[str, int] = {}
    by_product: dict[str, dict[tuple[str | None, str | None], Consumer]] = {}
    for row in rows:
        if row["field"]:
            address = f"{row['entity']}.{row['field']}"
            by_address[address] = by_address.get(address, 0) + row["operations"]
        else:
            product = row["entity"].partition("#")[0]
            _count(by_product.setdefault(product, {}), row)
    consumers = {
        name: tuple(sorted(found.values(), key=lambda each: (-each.operations, each.principal or "")))
        for name, found in by_product.items()
    }
    return _Uses(by_address, consumers)


def _count(found: dict[tuple[str | None, str | None], Consumer], row: Mapping[str, Any]) -> None:
    """Add the uses of one entity to those of its product; an operation over two of them counts twice."""
    key = row["principal"], row["purpose"]
    known = found.get(key)
    operations = row["operations"] + (known.operations if known else 0)
    last = max(row["last_used"], known.last_used) if known else row["last_used"]
    found[key] = Consumer(*key, operations, last)


def _quality(
    results: Iterable[QualityResult], entities: Iterable[EntityPlan], sight: Sight
) -> tuple[QualityResult, ...]:
    """Results that tell the caller no more than its queries would: a rate is made of the values that a rule reads."""
    told = {(each.address, rule.name) for each in entities for rule in each.quality if _may_know(rule, each, sight)}
    return tuple(each for each in results if (each.address.split(".")[0], each.rule) in told)


def _may_know(rule: QualityRule, entity: EntityPlan, sight: Sight) -> bool:
    if sight.filtered(entity.name):
        return False
    if rule.check is Check.ROWS:
        return True
    every = rule.check in {Check.CONDITION, Check.QUERY}
    read = [each.name for each in entity.fields] if every else [*rule.path[:1], *rule.fields]
    return all(sight.field(entity.name, name) == "allow" for name in read)
