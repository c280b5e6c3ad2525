# SPDX-License-Identifier: Apache-2.0
"""Requests against files of one folder."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from dictamesh.connectors import exact_json
from dictamesh.connectors.file import csv_files, reading
from dictamesh.connectors.file.client import DuckClient
from dictamesh.connectors.file.formats import Format, format_of
from dictamesh.connectors.file.listing import Stamp, stamps
from dictamesh.connectors.file.manifest import FileEntity, FileServer
from dictamesh.connectors.rows import Cell, cells
from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal
from dictamesh.connectors.sdk.protocol import (
    Connector,
    Context,
    Health,
    LiveColumn,
    Output,
    Related,
    Request,
    Rows,
    Status,
)
from dictamesh.connectors.sql.answering import Answering
from dictamesh.connectors.sql.dialect import Dialect
from dictamesh.specs.expressions.engines import Engine
from dictamesh.specs.expressions.tree import Column
from dictamesh.specs.manifest import Options, Source
from dictamesh.specs.types import JSON

_REMEMBERED = 1024  # sources


@dataclass(frozen=True, slots=True)
class _Read:
    """How a source is read while its files are as `stamps` say."""

    stamps: tuple[Stamp, ...]
    text: str
    columns: tuple[LiveColumn, ...] | None


class FileConnector:
    """Files behind one locked-down engine; see the protocol for the methods."""

    def __init__(self, options: FileServer, context: Context) -> None:
        self._folder = context.folder / options.path
        self._client = DuckClient(self._folder, options.threads, options.memory, context.attempt_timeout)
        dialect = Dialect(Engine.DUCKDB, self._text, reading.value_name, reading.raw_name)
        self._answering = Answering(dialect, self._client.rows)
        self._reads: OrderedDict[Any, _Read] = OrderedDict()

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        try:
            await self._client.rows("SELECT 1", {}, "health")
            there = await self._client.in_thread(self._folder.is_dir, "health")
        except SourceError as error:
            return Health(Status.UNHEALTHY, str(error))
        return Health(Status.HEALTHY) if there else Health(Status.UNHEALTHY, "the folder is not there")

    async def fetch(self, source: Source, request: Request) -> Rows:
        await self._prepare(source, request.related)
        if _format(source) not in {"json", "jsonl"}:
            return await self._answering.fetch(source, request)
        computed = tuple(output for output in request.select if not _plain(output))
        document = Output(reading.DOCUMENT, Column((reading.DOCUMENT,), JSON))
        found = await self._answering.fetch(source, replace(request, select=(document, *computed)))
        return Rows(list(_opened(found.rows, request.select, source.address)))

    async def count(self, source: Source, request: Request) -> int:
        await self._prepare(source, request.related)
        return await self._answering.count(source, request)

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:
        return (await self._read(source)).columns

    async def _prepare(self, source: Source, related: Iterable[Related]) -> None:
        await self._read(source)
        for link in related:
            await self._prepare(link.source, link.related)

    async def _read(self, source: Source) -> _Read:
        now = await self._client.in_thread(
            lambda: stamps(self._folder, source.physical_name, source.address), source.address
        )
        known = _known(source)
        found = self._reads.get(known)
        if found is None or found.stamps != now:
            found = self._reads[known] = await self._planned(source, now)
            if len(self._reads) > _REMEMBERED:
                self._reads.popitem(last=False)
        return found

    async def _planned(self, source: Source, now: tuple[Stamp, ...]) -> _Read:
        options: FileEntity = source.options
        match _format(source):
            case "csv":
                headers = await self._client.in_thread(
                    lambda: csv_files.csv_headers(source, options, now), source.address
                )
                names = dict.fromkeys(name for header in headers for name in header)
                columns = tuple(LiveColumn(name, "VARCHAR") for name in names)
                return _Read(now, csv_files.csv_text(source, options, headers), columns)
            case "parquet":
                found = await self._client.rows(reading.parquet_columns(now), {}, source.address)
                columns = tuple(LiveColumn(name, type_) for name, type_ in found)
                return _Read(now, reading.parquet_text(source, dict(found), now), columns)
            case format_:
                return _Read(now, reading.json_text(source, format_, now), None)

    def _text(self, source: Source) -> str:
        return self._reads[_known(source)].text


def _known(source: Source) -> Any:
    return (source.physical_name, source.columns, source.options)


def _format(source: Source) -> Format:
    options: FileEntity = source.options
    found = options.format or format_of(source.physical_name)
    if found is None:
        raise Terminal(Fault.INVALID_CONFIG, place=source.address)
    return found


def _plain(output: Output) -> bool:
    return isinstance(output.expr, Column) and len(output.expr.path) == 1


def _opened(rows: Iterable[tuple[Any, ...]], select: tuple[Output, ...], place: str) -> Iterator[tuple[Any, ...]]:
    """Read plain columns from the document, which keeps the digits of numbers; take the others as computed."""
    readers: list[Cell | None] = [
        cells([output.expr.path[0]], place)[0] if isinstance(output.expr, Column) and _plain(output) else None
        for output in select
    ]
    for document, *computed in rows:
        try:
            record = exact_json.loads(document)
        except ValueError:
            raise Terminal(Fault.INVALID_RESPONSE, place=place) from None
        if not isinstance(record, dict):
            raise Terminal(Fault.INVALID_RESPONSE, place=place)
        rest = iter(computed)
        yield tuple(next(rest) if reader is None else reader(record) for reader in readers)


def connect(options: Options, context: Context) -> Connector:
    """Build a connector; `Terminal(INVALID_CONFIG)` for options of another one."""
    if not isinstance(options, FileServer):
        raise Terminal(Fault.INVALID_CONFIG, place=context.server)
    return FileConnector(options, context)
