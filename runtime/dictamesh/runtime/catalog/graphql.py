# SPDX-License-Identifier: Apache-2.0
"""The catalog as GraphQL: values of its types, each asked for once for all objects of a level (MC-20).

The schema is `compile.catalog_sdl`; these functions know nothing of GraphQL but its names.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.data_lineage.walking import DEFAULT_DEPTH as LINEAGE_DEPTH
from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.graph.values import TYPE, Ref
from dictamesh.runtime.catalog.graph.walk import DEFAULT_DEPTH, DEFAULT_NODES, Graph, Question, walk
from dictamesh.runtime.catalog.levels import HOURS, LARGEST_WINDOW, service_levels
from dictamesh.runtime.catalog.lineage import LineageEdge, LineageGraph, lineages_for
from dictamesh.runtime.catalog.pages import FieldPage, ProductPage, ProductSummary, RelationPage, WhichProducts
from dictamesh.runtime.catalog.products import list_products, product_pages
from dictamesh.runtime.catalog.queries import (
    CatalogEntity,
    EntityFilter,
    Location,
    entities_of_types,
    list_entities,
)
from dictamesh.runtime.catalog.search.search import FACETS, SearchPage, Wanted, search
from dictamesh.runtime.catalog.sight import Sight, seen_types

PAGE = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """The catalog in the eyes of one caller."""

    catalog: Catalog
    sight: Sight


class Listed(NamedTuple):
    """A list, and the default limit that cut it, if one did."""

    items: Sequence[Any]
    cut: int | None


Arguments = Mapping[str, Any]
Batch = Callable[[Opened, Sequence[Any], Arguments], Awaitable[Sequence[Any]]]


async def _products(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[Listed]:
    limit = args.get("limit", PAGE)
    page = await list_products(
        opened.catalog, opened.sight, _which_products(args), max(limit, 1), args.get("offset", 0)
    )
    return [_listed(page.items[:limit], page.total, args)] * len(parents)


async def _products_count(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[int]:
    page = await list_products(opened.catalog, opened.sight, _which_products(args), 1, 0)
    return [page.total] * len(parents)


async def _product(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[ProductSummary | None]:
    found = await _summaries(opened)
    return [found.get(args["name"])] * len(parents)


async def _entities(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[Listed]:
    limit = args.get("limit", PAGE)
    types = seen_types(await opened.catalog.directory.known(), opened.sight)
    page = await list_entities(opened.catalog.pool, _entity_filter(args), max(limit, 1), args.get("offset", 0), types)
    return [_listed([_view(row, opened) for row in page.items[:limit]], page.total, args)] * len(parents)


async def _entities_count(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[int]:
    types = seen_types(await opened.catalog.directory.known(), opened.sight)
    page = await list_entities(opened.catalog.pool, _entity_filter(args), 1, 0, types)
    return [page.total] * len(parents)


async def _entity(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[dict[str, Any] | None]:
    found = await _views(opened, [args["type"]])
    return [found.get(args["type"])] * len(parents)


async def _searched(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[dict[str, Any]]:
    given = args.get("filter", {})
    chosen = {name: tuple(_word(name, each) for each in given[name]) for name in FACETS if given.get(name) is not None}
    limit = args.get("limit", PAGE)
    page = await search(
        opened.catalog, opened.sight, Wanted(args.get("q"), chosen), max(limit, 1), args.get("offset", 0)
    )
    return [_search(page, limit)] * len(parents)


async def _graph(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[Graph | None]:
    limit = args.get("limit", DEFAULT_NODES)
    question = Question(
        Ref(args["type"], args.get("id", TYPE)),
        args.get("direction", "BOTH").lower(),
        frozenset(args.get("relations", ())),
        args.get("depth", DEFAULT_DEPTH),
        args.get("asOf"),
        limit,
    )
    try:
        found = await walk(opened.catalog.pool, opened.catalog.directory, question, opened.sight)
    except EntityNotFound:
        return [None] * len(parents)
    return [found] * len(parents)


async def _locate(opened: Opened, parents: Sequence[Any], args: Arguments) -> list[Location | None]:
    known = await opened.catalog.directory.known()
    entity_type = args["type"]
    if entity_type not in known.types or not opened.sight.type(known.types[entity_type]):
        return [None] * len(parents)
    try:
        return [await opened.catalog.locations.locate(entity_type, args["id"])] * len(parents)
    except EntityNotFound:
        return [None] * len(parents)


async def _product_entities(opened: Opened, parents: Sequence[ProductSummary], _args: Arguments) -> list[list[Any]]:
    found = await _views(opened, [name for each in parents for name in each.entities])
    return [[found[name] for name in each.entities if name in found] for each in parents]


async def _product_levels(opened: Opened, parents: Sequence[ProductSummary], args: Arguments) -> list[Any]:
    hours = args.get("hours", HOURS)
    if not 1 <= hours <= LARGEST_WINDOW:
        raise InvalidRequest(f"hours must be between 1 and {LARGEST_WINDOW}")
    plans = opened.catalog.plan().products
    found = await service_levels(opened.catalog, [plans[each.name] for each in parents if each.name in plans], hours)
    return [found.get(each.name) for each in parents]


async def _product_consumers(opened: Opened, parents: Sequence[ProductSummary], _args: Arguments) -> list[Any]:
    found = await _pages(opened, parents)
    return [found[each.name].consumers if each.name in found else None for each in parents]


async def _product_quality(opened: Opened, parents: Sequence[ProductSummary], _args: Arguments) -> list[Any]:
    found = await _pages(opened, parents)
    return [found[each.name].quality if each.name in found else None for each in parents]


async def _product_lineage(opened: Opened, parents: Sequence[ProductSummary], args: Arguments) -> list[Any]:
    return await _lineages(opened, [each.name for each in parents], args)


async def _entity_product(opened: Opened, parents: Sequence[Arguments], _args: Arguments) -> list[Any]:
    found = await _summaries(opened)
    return [found.get(each["product"]) for each in parents]


async def _entity_fields(opened: Opened, parents: Sequence[Arguments], _args: Arguments) -> list[Any]:
    found = await _entity_pages(opened, parents)
    return [found[each["address"]].fields if each["address"] in found else [] for each in parents]


async def _entity_relations(opened: Opened, parents: Sequence[Arguments], _args: Arguments) -> list[Any]:
    found = await _entity_pages(opened, parents)
    return [found[each["address"]].relations if each["address"] in found else [] for each in parents]


async def _entity_lineage(opened: Opened, parents: Sequence[Arguments], args: Arguments) -> list[Any]:
    return await _lineages(opened, [each["address"] for each in parents], args)


async def _field_lineage(opened: Opened, parents: Sequence[FieldPage], args: Arguments) -> list[Any]:
    return await _lineages(opened, [each.address for each in parents], args)


async def _sources(_opened: Opened, parents: Sequence[LineageEdge], _args: Arguments) -> list[Any]:
    return [each.source for each in parents]


async def _targets(_opened: Opened, parents: Sequence[LineageEdge], _args: Arguments) -> list[Any]:
    return [each.target for each in parents]


async def _relation_entity(opened: Opened, parents: Sequence[RelationPage], _args: Arguments) -> list[Any]:
    found = await _views(opened, [each.to for each in parents])
    return [found.get(each.to) for each in parents]


RESOLVERS: Mapping[tuple[str, str], Batch] = {
    ("Catalog", "products"): _products,
    ("Catalog", "productsCount"): _products_count,
    ("Catalog", "product"): _product,
    ("Catalog", "entities"): _entities,
    ("Catalog", "entitiesCount"): _entities_count,
    ("Catalog", "entity"): _entity,
    ("Catalog", "search"): _searched,
    ("Catalog", "graph"): _graph,
    ("Catalog", "locate"): _locate,
    ("CatalogProduct", "entities"): _product_entities,
    ("CatalogProduct", "serviceLevels"): _product_levels,
    ("CatalogProduct", "consumers"): _product_consumers,
    ("CatalogProduct", "quality"): _product_quality,
    ("CatalogProduct", "lineage"): _product_lineage,
    ("CatalogEntity", "product"): _entity_product,
    ("CatalogEntity", "fields"): _entity_fields,
    ("CatalogEntity", "relations"): _entity_relations,
    ("CatalogEntity", "lineage"): _entity_lineage,
    ("CatalogField", "lineage"): _field_lineage,
    ("CatalogLineageEdge", "from"): _sources,
    ("CatalogLineageEdge", "to"): _targets,
    ("CatalogRelation", "entity"): _relation_entity,
}
"""Who gives the fields that do not stand in their objects by their own names."""

_ROW = tuple(each.name for each in fields(CatalogEntity))


def _which_products(args: Arguments) -> WhichProducts:
    given = args.get("filter", {})
    names = ("domain", "owner", "status", "tag", "containsPii")
    return WhichProducts(*(given.get(name) for name in names))


def _entity_filter(args: Arguments) -> EntityFilter:
    given = args.get("filter", {})
    names = ("entityType", "domain", "sourceSystem", "status", "containsPii")
    return EntityFilter(*(given.get(name) for name in names))


def _listed(items: Sequence[Any], total: int, args: Arguments) -> Listed:
    cut = PAGE if "limit" not in args and total > args.get("offset", 0) + len(items) else None
    return Listed(items, cut)


def _word(name: str, value: Any) -> str:
    """A value of a filter as the search knows it: enumerations in small letters, true and false as words."""
    return str(value).lower() if name in {"kind", "pii"} else str(value)


def _search(page: SearchPage, limit: int) -> dict[str, Any]:
    facets = [{"name": name, "values": getattr(page.facets, name)} for name in FACETS]
    return {"total": page.total, "items": page.items[:limit], "facets": facets}


async def _summaries(opened: Opened) -> dict[str, ProductSummary]:
    page = await list_products(opened.catalog, opened.sight, WhichProducts(), 1_000_000, 0)
    return {each.name: each for each in page.items}


async def _pages(opened: Opened, parents: Iterable[ProductSummary]) -> dict[str, ProductPage]:
    return await product_pages(opened.catalog, opened.sight, [each.name for each in parents])


async def _entity_pages(opened: Opened, parents: Iterable[Arguments]) -> dict[str, Any]:
    names = {each["product"] for each in parents if each["product"] is not None}
    found = await product_pages(opened.catalog, opened.sight, sorted(names))
    return {entity.address: entity for page in found.values() for entity in page.entities}


async def _views(opened: Opened, types: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Entities by type, as far as the caller may know of them."""
    seen = seen_types(await opened.catalog.directory.known(), opened.sight)
    rows = await entities_of_types(opened.catalog.pool, seen.intersection(types))
    return {row.entity_type: _view(row, opened) for row in rows}


def _view(row: CatalogEntity, opened: Opened) -> dict[str, Any]:
    plan = opened.catalog.plan()
    found = {name: getattr(row, name) for name in _ROW}
    served = None
    if not row.external:
        served = next((each for each in plan.entities.values() if each.name == row.entity_type), None)
    if served is None:
        return found | dict.fromkeys(("address", "product", "topic", "one", "many"))
    names = {"address": served.address, "product": served.product, "topic": served.topic.name}
    return found | names | {"one": served.singular, "many": served.plural}


async def _lineages(opened: Opened, addresses: Sequence[str | None], args: Arguments) -> list[LineageGraph | None]:
    """Lineage around each address."""
    direction, depth = args.get("direction", "BOTH").lower(), args.get("depth", LINEAGE_DEPTH)
    asked = {address for address in addresses if address is not None}
    found = await lineages_for(opened.catalog, opened.sight, asked, direction, depth, args.get("asOf"))
    return [found.get(address) if address is not None else None for address in addresses]
