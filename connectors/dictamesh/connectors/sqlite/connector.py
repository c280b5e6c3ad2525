# SPDX-License-Identifier: Apache-2.0
"""Requests against a SQLite file."""

import asyncio

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal
from dictamesh.connectors.sdk.protocol import Connector, Context, Health, LiveColumn, Request, Rows, Status
from dictamesh.connectors.sql.answering import Answering
from dictamesh.connectors.sql.dialect import Dialect, query_of
from dictamesh.connectors.sql.relation import table_parts
from dictamesh.connectors.sqlite.client import SqliteClient
from dictamesh.connectors.sqlite.manifest import SqliteServer
from dictamesh.specs.expressions import Engine, sqlite_functions
from dictamesh.specs.manifest import Options, Source


class SqliteConnector:
    """A SQLite file behind a few threads; see the protocol for the methods."""

    def __init__(self, options: SqliteServer, context: Context) -> None:
        path = context.folder / options.path
        self._client = SqliteClient(path, options.threads, context.attempt_timeout, sqlite_functions())
        dialect = Dialect(Engine.SQLITE, query_of(Engine.SQLITE))
        self._answering = Answering(dialect, self._client.rows)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def health(self) -> Health:
        try:
            await self._client.rows("SELECT count(*) FROM sqlite_schema", {}, "health")
        except SourceError as error:
            return Health(Status.UNHEALTHY, str(error))
        return Health(Status.HEALTHY)

    async def fetch(self, source: Source, request: Request) -> Rows:
        return await self._answering.fetch(source, request)

    async def count(self, source: Source, request: Request) -> int:
        return await self._answering.count(source, request)

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:
        if source.options.query is not None:
            return None
        *schema, name = (_quoted(part) for part in table_parts(source.physical_name))
        pragma = ".".join([*schema, "table_xinfo"])
        found = await self._client.rows(f"PRAGMA {pragma}({name})", {}, source.address)
        if not found:
            raise Terminal(Fault.NOT_FOUND, place=source.address)
        return tuple(LiveColumn(row[1], row[2], nullable=not (row[3] or row[5])) for row in found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def connect(options: Options, context: Context) -> Connector:
    """Build a connector; `Terminal(INVALID_CONFIG)` for options of another one."""
    if not isinstance(options, SqliteServer):
        raise Terminal(Fault.INVALID_CONFIG, place=context.server)
    return SqliteConnector(options, context)
