# SPDX-License-Identifier: Apache-2.0
"""Requests against a REST server."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dictamesh.connectors import rows
from dictamesh.connectors.concurrency import gathered
from dictamesh.connectors.rest import addresses, answers, paging, pushdown
from dictamesh.connectors.rest.addresses import Query
from dictamesh.connectors.rest.client import Answer, Budget, HttpClient
from dictamesh.connectors.rest.credentials import http_client, with_key
from dictamesh.connectors.rest.options import BatchCall, GetCall, LookupCall, Pages, RestEntity, RestServer
from dictamesh.connectors.rows import Record
from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal
from dictamesh.connectors.sdk.protocol import Connector, Context, Health, LiveColumn, Output, Request, Rows, Status
from dictamesh.specs.expressions.tree import Column, columns
from dictamesh.specs.manifest import Options, Source
from dictamesh.specs.types import Kind

_TEXT_KEYS = frozenset({Kind.STRING, Kind.INT, Kind.LONG})


@dataclass(frozen=True, slots=True)
class _Job:
    """One request under way: the source, its options, and what its answers may still weigh."""

    source: Source
    options: RestEntity
    request: Request
    budget: Budget

    @property
    def names(self) -> list[str]:
        return [output.expr.path[0] if isinstance(output.expr, Column) else "" for output in self.request.select]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How rows are read from one path."""

    path: str
    query: Query
    records: str | None
    pages: Pages | None

    @property
    def place(self) -> str:
        return f"GET {self.path}"


class RestConnector:
    """A REST server behind one HTTP client; see the protocol for the methods."""

    def __init__(self, options: RestServer, context: Context) -> None:
        self._options = options
        self._client: HttpClient = http_client(options, context)
        self._base = options.url.rstrip("/")
        # A call that waits for a place in the pool would lose of its own time.
        self._at_once = min(options.max_connections, options.max_connections_per_host)

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        try:
            answer = await self._get(self._options.health, [], f"GET {self._options.health}", Budget())
        except SourceError as error:
            return Health(Status.UNHEALTHY, str(error))
        if answer.status in {401, 403} and self._options.health != "/":
            return Health(Status.UNHEALTHY, "the server refuses the credentials")
        return Health(Status.HEALTHY)

    async def count(self, source: Source, request: Request) -> int:  # noqa: ARG002  (REST counts nothing)
        raise Terminal(Fault.NOT_SUPPORTED, place=source.address)

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:  # noqa: ARG002  (REST knows no columns)
        return None

    async def fetch(self, source: Source, request: Request) -> Rows:
        job = _Job(source, source.options, request, Budget())
        if request.limit == 0 or (request.keys is not None and not request.keys.values):
            return Rows([])
        if request.per_key or request.related or not all(map(_is_column, request.select)):
            raise Terminal(Fault.NOT_SUPPORTED, place=source.address)
        try:
            found = await (self._listed(job) if request.keys is None else self._keyed(job))
        except pushdown.Impossible:
            return Rows([])
        read = rows.cells(job.names, source.address)
        return Rows([tuple(cell(record) for cell in read) for record in found])

    async def _listed(self, job: _Job) -> list[Record]:
        listing = job.options.list
        if listing is None:
            raise Terminal(Fault.NOT_SUPPORTED, place=job.source.address)
        query = [*listing.query.items(), *_narrowing(job), *pushdown.fields_query(listing, _needed(job))]
        window = paging.Window(job.request.offset, job.request.limit)
        return await self._read(job, _Reading(listing.path, query, listing.records, listing.paginate), window)

    async def _keyed(self, job: _Job) -> list[Record]:
        keys = job.request.keys
        if keys is None:
            return []
        values = list(dict.fromkeys(keys.values))
        if sorted(keys.columns) == sorted(job.source.key):
            position = [keys.columns.index(name) for name in job.source.key]
            found = await self._by_key(job, [tuple(value[i] for i in position) for value in values])
        elif len(keys.columns) == 1 and keys.columns[0] in job.options.lookup:
            call = job.options.lookup[keys.columns[0]]
            found = await self._many(job, call, [value[0] for value in values], "{values}", unique=False)
        else:
            raise Terminal(Fault.NOT_SUPPORTED, place=job.source.address)
        end = None if job.request.limit is None else job.request.offset + job.request.limit
        return found[job.request.offset : end]

    async def _by_key(self, job: _Job, keys: list[tuple[Any, ...]]) -> list[Record]:
        get, batch = job.options.get, job.options.batch
        if batch is None or len(job.source.key) != 1:
            return await self._each(job, get, keys)
        single = [key for key in keys if get is not None and _better_alone(batch, keys, key)]
        together = [key[0] for key in keys if key not in set(single) and key[0] != ""]
        alone = await self._each(job, get, single) if single else []
        found = await self._many(job, batch, together, "{ids}", unique=True)
        return [*alone, *_wanted(job.source, found, {addresses.text(value) for value in together})]

    async def _each(self, job: _Job, get: GetCall | None, keys: list[tuple[Any, ...]]) -> list[Record]:
        if get is None or job.request.where is not None or job.request.order:
            raise Terminal(Fault.NOT_SUPPORTED, place=job.source.address)
        known = [key for key in keys if "" not in key]  # no path leads to an empty key: such a row cannot be there
        rows = await gathered([partial(self._one, job, get, key) for key in known], self._at_once)
        return [row for row in rows if row is not None]

    async def _one(self, job: _Job, get: GetCall, key: tuple[Any, ...]) -> Record | None:
        place = f"GET {get.path}"
        by_name = dict(zip(job.source.key, key, strict=True))
        path = addresses.path(get.path, {"id": key[0], **by_name})
        answer = await self._get(path, list(get.query.items()), place, job.budget)
        if answer.status in get.not_found:
            return None
        _raise_for_final(answer.status, place)
        row = answers.record(answers.decode(answer.body, place), get.record, place)
        if row is None or len(key) != 1:
            return row
        return row if _wanted(job.source, [row], {addresses.text(key[0])}) else None

    async def _many(
        self, job: _Job, call: BatchCall | LookupCall, values: list[Any], mark: str, *, unique: bool
    ) -> list[Record]:
        chunks = [values[at : at + call.size] for at in range(0, len(values), call.size)]
        if len(chunks) > 1 and job.request.order:
            raise Terminal(Fault.NOT_SUPPORTED, place=job.source.address)
        reads = [partial(self._chunk, job, call, chunk, mark, unique=unique) for chunk in chunks]
        return [row for rows in await gathered(reads, self._at_once) for row in rows]

    async def _chunk(
        self, job: _Job, call: BatchCall | LookupCall, values: Sequence[Any], mark: str, *, unique: bool
    ) -> list[Record]:
        listing = job.options.list
        as_list = listing is not None and listing.path == call.path
        if (job.request.where is not None or job.request.order) and not as_list:
            raise Terminal(Fault.NOT_SUPPORTED, place=job.source.address)
        query = addresses.spread(call.query, mark, values, call.style, f"GET {call.path}")
        if as_list:
            query += [*_narrowing(job), *pushdown.fields_query(listing, _needed(job))]
        inherited = listing.paginate if listing is not None and as_list else None
        pages = call.paginate if call.paginate is not None else inherited
        window = paging.Window(0, len(values) if unique and pages is not None else None)
        return await self._read(job, _Reading(call.path, query, call.records, pages), window)

    async def _read(self, job: _Job, reading: _Reading, window: paging.Window) -> list[Record]:
        async def ask(extra: Query, link: tuple[str, str] | None = None) -> paging.Page:
            if link is None:
                answer = await self._get(
                    addresses.path(reading.path, {}), [*reading.query, *extra], reading.place, job.budget
                )
            else:
                url = with_key(self._options.auth, self._client.join(*link, reading.place))
                answer = await self._client.get(url, reading.place, job.budget)
            _raise_for_final(answer.status, reading.place)
            document = answers.decode(answer.body, reading.place)
            return paging.page_of(document, reading.records, answer.url, reading.place)

        return await paging.read(ask, reading.pages, window, job.source.key, reading.place)

    async def _get(self, path: str, query: Query, place: str, budget: Budget) -> Answer:
        text = addresses.query(query)
        url = f"{self._base}{path}?{text}" if text else f"{self._base}{path}"
        return await self._client.get(with_key(self._options.auth, url), place, budget)


def _is_column(output: Output) -> bool:
    return pushdown.plain(output.expr)


def _narrowing(job: _Job) -> Query:
    listing = job.options.list
    if listing is None:
        return []
    where = pushdown.filter_query(listing, job.request.where, job.request.parameters)
    return [*where, *pushdown.sort_query(listing, job.request.order)]


def _needed(job: _Job) -> list[str]:
    read = [name for output in job.request.select for (name,) in columns(output.expr)]
    looked_up = job.request.keys.columns if job.request.keys is not None else ()
    return list(dict.fromkeys([*job.source.key, *looked_up, *read]))


def _better_alone(batch: BatchCall, keys: list[tuple[Any, ...]], key: tuple[Any, ...]) -> bool:
    return len(keys) == 1 or (batch.style == "csv" and not addresses.fits_csv(key[0]))


def _wanted(source: Source, found: list[Record], wanted: set[str]) -> list[Record]:
    """Drop rows that were not asked for: `me` or `1,2` as a key may mean other rows to the source."""
    name = source.key[0]
    kind = next((column.type.kind for column in source.columns if column.name == name), None)
    if kind not in _TEXT_KEYS:
        return found
    values = [(row, rows.follow(row, name)) for row in found]
    return [row for row, value in values if value is None or addresses.text(value) in wanted]


def _raise_for_final(status: int, place: str) -> None:
    if 200 <= status < 300:
        return
    faults = {401: Fault.UNAUTHORIZED, 403: Fault.FORBIDDEN, 404: Fault.NOT_FOUND, 410: Fault.NOT_FOUND}
    fault = faults.get(status, Fault.BAD_REQUEST if 400 <= status < 500 else Fault.INVALID_RESPONSE)
    raise Terminal(fault, status=str(status), place=place)


def connect(options: Options, context: Context) -> Connector:
    """Build a connector; `Terminal(INVALID_CONFIG)` where address or credentials cannot be used."""
    if not isinstance(options, RestServer):
        raise Terminal(Fault.INVALID_CONFIG, place=context.server)
    return RestConnector(options, context)
