# SPDX-License-Identifier: Apache-2.0
"""A gateway over fixed values: what execution would have fetched is generated from the query itself."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from aiohttp import web
from graphql import GraphQLEnumType, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import Authenticate, Node, Outcome, PreparedOperation, RequestInfo, Run
from dictamesh.runtime.gateway.http import routes
from dictamesh.runtime.gateway.schema import introspects, pages
from dictamesh.runtime.gateway.serving import Gateway, serving
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal

VALUES: Mapping[str, Any] = {
    "String": "text",
    "ID": "text",
    "Int": 7,
    "Long": 2**53 + 1,
    "Float": 0.5,
    "Decimal": Decimal("19.90"),
    "Boolean": True,
    "Bytes": b"\x00\xff",
    "Date": date(2026, 1, 31),
    "Time": time(13, 45, 0, 500_000),
    "DateTime": datetime(2026, 1, 31, 13, 45, tzinfo=UTC),
    "JSON": {"deep": [1, None, "x"]},
}
"""What a field of each scalar holds; a field listed in `by_field` holds that instead."""


def values_for(operation: PreparedOperation, by_field: Mapping[str, Any] | None = None, rows: int = 2) -> Node:
    """Return a root that answers an operation: two rows per list (fewer by `limit`), fixed values in them.

    `by_field` replaces values by `Type.field`.
    """
    root = operation.schema.query_type
    assert root is not None
    fragments, variables = dict(operation.fragments), dict(operation.variables)
    special = by_field or {}

    def node(kind: GraphQLObjectType, fields: Any) -> Node:
        shown = {k: nodes for k, nodes in fields.items() if not introspects(kind, nodes[0].name.value)}
        return Node({key: value(kind, nodes) for key, nodes in shown.items()})

    def value(owner: GraphQLObjectType, nodes: Any) -> Any:
        name = nodes[0].name.value
        if f"{owner.name}.{name}" in special:
            return special[f"{owner.name}.{name}"]
        field = owner.fields[name]
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLObjectType):
            below = collect_sub_fields(operation.schema, fragments, variables, kind, nodes)
            if not pages(field):
                return node(kind, below)
            limit = get_argument_values(field, nodes[0], variables).get("limit")
            return [node(kind, below) for _ in range(rows if limit is None else min(rows, limit))]
        if isinstance(kind, GraphQLEnumType):
            return list(kind.values.values())[-1].value
        one, wrapper = VALUES[kind.name], field.type
        while getattr(wrapper, "of_type", None) is not None:
            one = [one, None] if wrapper.__class__.__name__ == "GraphQLList" else one
            wrapper = wrapper.of_type
        return one

    return node(root, collect_fields(operation.schema, fragments, variables, root, operation.operation.selection_set))


def running(by_field: Mapping[str, Any] | None = None, extensions: Mapping[str, Any] | None = None) -> Run:
    async def run(operation: PreparedOperation, _principal: Principal, _info: RequestInfo) -> Outcome:
        return Outcome(values_for(operation, by_field), extensions or {})

    return run


async def anyone(_headers: Mapping[str, str]) -> Principal:
    return ANONYMOUS


INFO = RequestInfo("0" * 31 + "1", "0" * 15 + "1")


def gateway(plan: Plan, run: Run | None = None, authenticate: Authenticate = anyone) -> Gateway:
    return Gateway(serving(plan, run or running(), authenticate))


@asynccontextmanager
async def listening(
    served: Gateway, prepare: Callable[[web.Application], None] = lambda _app: None
) -> AsyncIterator[str]:
    """Serve a gateway on a free port of loopback and yield the URL of its endpoint."""
    app = web.Application()
    app.add_routes(routes(served))
    prepare(app)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/graphql"
    finally:
        await runner.cleanup()
