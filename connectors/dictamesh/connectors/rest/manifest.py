# SPDX-License-Identifier: Apache-2.0
"""The manifest of the REST connector."""

import re
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from dictamesh.connectors.rest.addresses import placeholders
from dictamesh.connectors.rest.options import (
    ApiKeyAuth,
    BasicAuth,
    BatchCall,
    BearerAuth,
    GetCall,
    LinkedPages,
    ListCall,
    LookupCall,
    NumberedPages,
    OffsetPages,
    RestEntity,
    RestServer,
)
from dictamesh.connectors.rest.pushdown import filter_reason, order_reason, output_reason
from dictamesh.specs.manifest import Capabilities, Dataset, Manifest, Source

Finding = tuple[tuple[str, ...], str, str]

_DOTS = re.compile(r"(^|/)\.\.?(/|$)")


def _capabilities(source: Source) -> Capabilities:
    options: RestEntity = source.options
    pages = options.list.paginate if options.list is not None else None
    match pages:
        case OffsetPages(max_limit=size) | NumberedPages(page_size=size):
            largest: int | None = size
        case _:
            largest = None
    return Capabilities(
        get=options.get is not None or options.batch is not None,
        list=options.list is not None,
        batch_size=options.batch.size if options.batch is not None else 1,
        lookups=tuple((column,) for column in options.lookup),
        narrowed_keys=False,
        max_page_size=largest,
    )


def _check(source: Source) -> tuple[Finding, ...]:
    options: RestEntity = source.options
    found: list[Finding] = []
    if options.list is not None:
        found += _path_findings(("list", "path"), options.list.path, ())
        found += _twice(options.list)
    if options.get is not None:
        found += _get_findings(source, options.get)
    if options.batch is not None:
        found += _many_findings(("batch",), options.batch, "{ids}")
        if len(source.key) != 1:
            found.append((("batch",), "`batch` needs a key of one column", "read composite keys through `get`"))
    for column, lookup in options.lookup.items():
        found += _many_findings(("lookup", column), lookup, "{values}")
    found += _column_findings(source, options)
    if options.list is None and options.get is None and options.batch is None:
        found.append(((), "nothing can be read: there is no `list`, `get` or `batch`", "add `list: {path: ...}`"))
    return tuple(found)


def _twice(call: ListCall) -> list[Finding]:
    used = [param for operators in call.filters.values() for param in operators.values()]
    used += [part.param for part in (call.sort, call.fields) if part is not None]
    match call.paginate:
        case OffsetPages() as pages:
            used += [pages.limit, pages.offset]
        case NumberedPages() as pages:
            used += [pages.page, pages.size or pages.page]
        case LinkedPages(size=str() as size):
            used.append(size)
        case _:
            pass
    cure = "leave it out of `query`: the connector sets it"
    return [(("list", "query", name), f"`{name}` would be sent twice", cure) for name in call.query if name in used]


def _column_findings(source: Source, options: RestEntity) -> list[Finding]:
    known = {column.name for column in source.columns}
    named: list[tuple[tuple[str, ...], str]] = [(("lookup", column), column) for column in options.lookup]
    if options.list is not None:
        named += [(("list", "filters", column), column) for column in options.list.filters]
        sortable = options.list.sort.columns if options.list.sort is not None else None
        named += [(("list", "sort", "columns"), column) for column in sortable or ()]
    cure = "declare it as a property's `physicalName` or under `columns`"
    return [(at, f"the entity has no column `{column}`", cure) for at, column in named if column not in known]


def _get_findings(source: Source, call: GetCall) -> list[Finding]:
    names = placeholders(call.path)
    wanted = ({"id"}, set(source.key)) if len(source.key) == 1 else (set(source.key),)
    found = _path_findings(("get", "path"), call.path, names)
    if set(names) not in wanted:
        cure = "use " + " and ".join(f"{{{name}}}" for name in (source.key if len(source.key) > 1 else ("id",)))
        found.append((("get", "path"), "the path does not name each key column once", cure))
    return found


def _many_findings(at: tuple[str, ...], call: BatchCall | LookupCall, mark: str) -> list[Finding]:
    found = _path_findings((*at, "path"), call.path, ())
    if sum(value.count(mark) for value in call.query.values()) != 1:
        found.append(((*at, "query"), f"exactly one query parameter holds {mark}", f'e.g. query: {{ids: "{mark}"}}'))
    return found


def _path_findings(at: tuple[str, ...], path: str, names: tuple[str, ...]) -> list[Finding]:
    found: list[Finding] = []
    if not path.startswith("/"):
        found.append((at, "a path starts with `/`", "it is appended to the server's `url`"))
    if "?" in path or "#" in path:
        found.append((at, "a path holds no `?` and no `#`", "write query parameters under `query`"))
    if _DOTS.search(path):
        found.append((at, "a path holds no `.` or `..`", "write the path out"))
    extra = [name for name in placeholders(path) if name not in names]
    if extra:
        found.append((at, f"`{{{extra[0]}}}` is not filled in here", "only `get.path` takes key columns"))
    return found


def _auth_type(server: Any) -> str | None:
    match server.auth:
        case BasicAuth():
            return "basic"
        case BearerAuth():
            return "bearer"
        case ApiKeyAuth():
            return "api_key"
        case _:
            return None


def _base_url(server: Any) -> str | None:
    return str(server.url)


def _path_template(source: Source) -> str | None:
    options: RestEntity = source.options
    if options.get is None:
        return None
    single = len(source.key) == 1
    return options.get.path.replace(f"{{{source.key[0]}}}", "{id}") if single else options.get.path


def _dataset(server: Any, source: Source, _folder: PurePath) -> Dataset:
    """The collection that rows are listed from, else read from; OpenLineage has no rule for HTTP, so: origin, path."""
    options: RestEntity = source.options
    call = options.list or options.batch or options.get
    parts = urlsplit(str(server.url))
    path = parts.path.rstrip("/") + (call.path if call is not None else f"/{source.physical_name}")
    return Dataset(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", path)


def _since(source: Source, column: str, parameter: str) -> Source:
    options: RestEntity = source.options
    if options.list is None:
        return source
    filters = {**options.list.filters, column: {**options.list.filters.get(column, {}), "gte": parameter}}
    listing = options.list.model_copy(update={"filters": filters})
    return replace(source, options=options.model_copy(update={"list": listing}))


MANIFEST = Manifest(
    name="rest",
    title="REST",
    doc=(
        "JSON over HTTP. Keys become one path segment or one query value each; redirects and next links to another"
        " origin are refused; all answers to one request hold 16 MiB and 1,000 pages at most. 429 and 5xx are tried"
        " again, other statuses are final. A path such as `data.items` leads through objects; a column named"
        " `address.city` reads nested values."
    ),
    server=RestServer,
    entity=RestEntity,
    capabilities=_capabilities,
    filters=filter_reason,
    orders=order_reason,
    outputs=output_reason,
    check=_check,
    auth_type=_auth_type,
    base_url=_base_url,
    path_template=_path_template,
    dataset=_dataset,
    since=_since,
)
