# SPDX-License-Identifier: Apache-2.0
"""Lineage for one caller: without the entity types that the caller may not know of (S22)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.data_lineage.walking import DEFAULT_DEPTH, Direction, lineages
from dictamesh.runtime.catalog.sight import Sight, seen_types


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A dataset, or a field of one, by OpenLineage's two names; ``depth`` edges from the address asked for."""

    address: str
    kind: str
    namespace: str
    name: str
    field: str | None
    entity: str | None
    external: bool
    depth: int


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """What goes into what, in OpenLineage's words; ``masking``: somebody gets something else than the value."""

    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]
    type: str
    subtype: str
    kind: str
    description: str | None
    masking: bool
    clear_for: Annotated[str | None, Field(alias="clearFor")]
    provenance: str
    job: str | None
    data_flow_active: Annotated[bool, Field(alias="dataFlowActive")]
    last_flow_at: Annotated[datetime | None, Field(alias="lastFlowAt")]
    average_latency_ms: Annotated[float | None, Field(alias="averageLatencyMs")]
    valid_from: Annotated[datetime, Field(alias="validFrom")]
    valid_to: Annotated[datetime | None, Field(alias="validTo")]


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """Lineage around ``address``; ``truncated``: there is more than ``depth`` edges away, or than an answer holds."""

    address: str
    direction: str
    depth: int
    as_of: Annotated[datetime, Field(alias="asOf")]
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    truncated: bool


_GRAPH = TypeAdapter(LineageGraph)


async def lineages_for(
    catalog: Catalog,
    sight: Sight,
    addresses: Collection[str],
    direction: Direction = "both",
    depth: int = DEFAULT_DEPTH,
    as_of: datetime | None = None,
) -> Mapping[str, LineageGraph]:
    """What is upstream or downstream of addresses, by address; what does not exist for the caller is not among them.

    Raises ``InvalidRequest`` and ``CatalogUnavailable``.
    """
    hidden = await hidden_types(catalog, sight)
    found = await lineages(catalog.pool, addresses, direction, depth, as_of, hidden=hidden)
    return {address: _GRAPH.validate_python(each.as_json()) for address, each in found.items()}


async def hidden_types(catalog: Catalog, sight: Sight) -> list[str]:
    """The types that the caller may not know of.

    The database is asked, not what is remembered of it: another replica may have told of a type a second ago.
    """
    known = await catalog.directory.fresh()
    return sorted(known.types.keys() - seen_types(known, sight))
