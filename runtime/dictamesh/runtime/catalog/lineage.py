# SPDX-License-Identifier: Apache-2.0
"""Lineage for one caller: what a provider knows, without what the caller may not know of (S22)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dictamesh.runtime.catalog.catalog import Catalog, LineageDirection
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.sight import Sight, seen_types

DEFAULT_DEPTH = 3
LARGEST_DEPTH = 10


class LineageUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """Nobody provides lineage here."""


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """Lineage around ``address``; edges lead ``from`` one address of a node ``to`` another."""

    address: str
    direction: str
    depth: int
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


async def lineage(
    catalog: Catalog,
    sight: Sight,
    address: str,
    direction: LineageDirection = "both",
    depth: int = DEFAULT_DEPTH,
    as_of: datetime | None = None,
) -> LineageGraph:
    """What is upstream or downstream of a product, entity or field.

    Nodes of entities that the caller may not know of are left out, with all that only they lead to. Raises
    ``EntityNotFound`` for an address that does not exist for the caller, ``LineageUnavailable``.
    """
    if catalog.lineage is None:
        raise LineageUnavailable
    seen = await _seen(catalog, sight)
    if not seen(address):
        raise EntityNotFound(address)
    found = await catalog.lineage(address, direction, depth, as_of)
    if not found.nodes:
        raise EntityNotFound(address)
    nodes = {str(node["address"]): dict(node) for node in found.nodes if seen(str(node["address"]))}
    edges = [dict(edge) for edge in found.edges if edge["from"] in nodes and edge["to"] in nodes]
    reached = _reached(address, edges)
    if found.edges and not reached and "#" not in address and address not in catalog.plan().products:
        raise EntityNotFound(address)  # all that it is part of is hidden
    told = {name: node for name, node in nodes.items() if name in reached or _within(name, address)}
    kept = [edge for edge in edges if edge["from"] in told and edge["to"] in told]
    return LineageGraph(address, direction, depth, list(told.values()), kept)


async def _seen(catalog: Catalog, sight: Sight) -> Callable[[str], bool]:
    """Whether the caller may know of an address; what belongs to no entity is told by what leads there."""
    plan = catalog.plan()
    types = seen_types(await catalog.directory.known(), sight)
    hidden = [entity for entity in plan.entities.values() if entity.name not in types]
    shown = {entity.product for entity in plan.entities.values() if entity.name in types}
    closed = {name for name, product in plan.products.items() if product.entities and name not in shown}
    names = tuple(name for entity in hidden for name in (entity.address, entity.name, entity.topic.name))
    below = tuple(f"{name}." for name in names)
    return lambda address: address not in closed and address not in names and not address.startswith(below)


def _reached(start: str, edges: list[dict[str, Any]]) -> set[str]:
    """All that an edge leads to from the start or from what lies within it, in either direction."""
    near: Mapping[str, set[str]] = defaultdict(set)
    for edge in edges:
        near[edge["from"]].add(edge["to"])
        near[edge["to"]].add(edge["from"])
    waiting = [name for name in near if _within(name, start)]
    reached = set(waiting)
    while waiting:
        fresh = near[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    return reached


def _within(name: str, start: str) -> bool:
    return name == start or name.startswith((f"{start}.", f"{start}#"))
