# SPDX-License-Identifier: Apache-2.0
"""The catalog as a section of the GraphQL schema."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.errors import CatalogUnavailable, InvalidRequest
from dictamesh.runtime.catalog.graphql import RESOLVERS, Batch, Listed, Opened
from dictamesh.runtime.catalog.sight import Sight
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.execution.sections import Cut, Resolver, Section
from dictamesh.runtime.governance.principal import Principal


def catalog_section(catalog: Catalog, sight_of: Callable[[Principal], Sight]) -> Section:
    """Return the section of the root field `catalog`."""

    def opened(principal: Principal, _info: RequestInfo) -> Opened:
        return Opened(catalog, sight_of(principal))

    return Section(opened, {place: _resolver(batch) for place, batch in RESOLVERS.items()})


def _resolver(batch: Batch) -> Resolver:
    async def resolved(opened: Opened, parents: Sequence[Any], args: Mapping[str, Any]) -> Sequence[Any]:
        try:
            values = await batch(opened, parents, args)
        except InvalidRequest as fault:
            failure = GatewayError("VALIDATION_ERROR", f"{str(fault).capitalize()}.")
        except CatalogUnavailable:
            failure = GatewayError("SOURCE_UNAVAILABLE", "The catalog cannot be reached.")
        else:
            return [_cut(value) if isinstance(value, Listed) else value for value in values]
        raise failure

    return resolved


def _cut(listed: Listed) -> Any:
    return listed.items if listed.cut is None else Cut(listed.items, listed.cut)
