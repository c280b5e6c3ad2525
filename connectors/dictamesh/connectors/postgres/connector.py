# SPDX-License-Identifier: Apache-2.0
"""Requests against a PostgreSQL database."""

from dataclasses import replace
from typing import Any

from dictamesh.connectors.postgres.client import PostgresClient, usable
from dictamesh.connectors.postgres.manifest import PostgresServer
from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal
from dictamesh.connectors.sdk.protocol import Connector, Context, Health, LiveColumn, Request, Rows, Status
from dictamesh.connectors.sql.answering import Answering, without
from dictamesh.connectors.sql.dialect import Dialect, query_of
from dictamesh.connectors.sql.relation import table_parts
from dictamesh.specs.expressions.engines import Engine
from dictamesh.specs.manifest import Options, Source

# A key that does not fit its column: invalid text, out of range, no such date, no operator for the types.
_UNFIT = frozenset({"22P02", "22003", "22007", "22008", "42883"})
_COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute"
    " WHERE attrelid = to_regclass(%(name)s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)


class PostgresConnector:
    """A PostgreSQL database behind a pool; see the protocol for the methods."""

    def __init__(self, options: PostgresServer, context: Context) -> None:
        self._client = PostgresClient(options.dsn, options.pool.min, options.pool.max, context.attempt_timeout)
        dialect = Dialect(Engine.POSTGRES, query_of(Engine.POSTGRES))
        self._answering = Answering(dialect, self._client.rows, _UNFIT)

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        try:
            await self._client.probe("health")
        except SourceError as error:
            return Health(Status.UNHEALTHY, str(error))
        return Health(Status.HEALTHY)

    async def fetch(self, source: Source, request: Request) -> Rows:
        return await self._answering.fetch(source, _possible(request))

    async def count(self, source: Source, request: Request) -> int:
        return await self._answering.count(source, _possible(request))

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:
        if source.options.query is not None:
            return None
        name = ".".join('"' + part.replace('"', '""') + '"' for part in table_parts(source.physical_name))
        found = await self._client.rows(_COLUMNS, {"name": name}, source.address)
        if not found:
            raise Terminal(Fault.NOT_FOUND, place=source.address)
        return tuple(LiveColumn(*row) for row in found)


def _possible(request: Request) -> Request:
    """Leave out keys with a zero character: no text of PostgreSQL holds one."""
    if request.keys is None or not any(_has_zero(value) for values in request.keys.values for value in values):
        return request
    return replace(request, keys=without(request.keys, _has_zero))


def _has_zero(value: Any) -> bool:
    return isinstance(value, str) and "\0" in value


def connect(options: Options, context: Context) -> Connector:
    """Build a connector; `Terminal(INVALID_CONFIG)` for a connection string that cannot be read."""
    if not isinstance(options, PostgresServer) or not usable(options.dsn):
        raise Terminal(Fault.INVALID_CONFIG, place=f"{context.server}: dsn")
    return PostgresConnector(options, context)
