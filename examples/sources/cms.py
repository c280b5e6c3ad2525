# SPDX-License-Identifier: Apache-2.0
"""The CMS of the example: customers behind the REST dialect of Directus, with a bearer token."""

import hmac
import operator
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from examples.sources.counted import counted_app

Row = dict[str, Any]
Test = Callable[[Row], bool]

PATHS = {
    *("id", "first_name", "last_name", "email", "phone", "birthdate", "country", "city", "postcode", "status"),
    *("address", "address.street", "address.city", "address.postcode"),
    *("newsletter", "tags", "date_created", "date_updated"),
}
COLUMNS = {path for path in PATHS if "." not in path}
FILTER = re.compile(r"filter((?:\[[a-z_]+\])+)\[(_[a-z_]+)\]")

# A null column meets none of these, as in SQL.
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "_eq": operator.eq,
    "_neq": operator.ne,
    "_lt": operator.lt,
    "_lte": operator.le,
    "_gt": operator.gt,
    "_gte": operator.ge,
    "_in": lambda value, wanted: value in wanted,
    "_nin": lambda value, wanted: value not in wanted,
    "_contains": lambda value, part: part in str(value),
    "_starts_with": lambda value, start: str(value).startswith(start),
}


class RefusedError(Exception):
    """A request that Directus would refuse with this status, message and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def cms_app(customers: list[Row], token: str) -> web.Application:
    """The server; rows added to `customers`, or changed in it, are served from then on."""

    async def read_many(request: web.Request) -> web.Response:
        _authorize(request, token)
        query = request.query
        kept = _filtered(customers, query)
        page = _page(_sorted(kept, query.get("sort", "")), query)
        answer: Row = {"data": [_project(row, query.get("fields", "*")) for row in page]}
        counts = {"total_count": len(customers), "filter_count": len(kept)}
        if wanted := query.get("meta"):
            answer["meta"] = {name: counts[name] for name in counts if wanted == "*" or name in wanted.split(",")}
        return web.json_response(answer)

    async def read_one(request: web.Request) -> web.Response:
        _authorize(request, token)
        row = next((row for row in customers if row["id"] == request.match_info["id"]), None)
        if row is None:  # Directus does not tell what is missing from what is forbidden
            raise RefusedError(403, "FORBIDDEN", "You don't have permission to access this.")
        return web.json_response({"data": _project(row, request.query.get("fields", "*"))})

    async def change(request: web.Request) -> web.Response:
        _authorize(request, token)
        key = request.match_info.get("id")
        row = next((row for row in customers if row["id"] == key), None)
        if key is not None and row is None:
            raise RefusedError(403, "FORBIDDEN", "You don't have permission to access this.")
        if request.method == "DELETE":
            customers[:] = [each for each in customers if each is not row]
            return web.Response(status=204)
        given = await _given(request)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if row is None:
            row = dict.fromkeys(sorted(COLUMNS)) | {"id": str(uuid.uuid4()), "status": "active", "date_created": now}
            customers.append(row)
        row.update({**given, "date_updated": now})
        return web.json_response({"data": row})

    app = counted_app(_errors)
    app.router.add_get("/server/health", _health)
    app.router.add_get("/items/customers", read_many)
    app.router.add_get("/items/customers/{id}", read_one)
    app.router.add_post("/items/customers", change)
    app.router.add_patch("/items/customers/{id}", change)
    app.router.add_delete("/items/customers/{id}", change)
    return app


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"}, content_type="application/health+json")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as refused:
        status, code, message = refused.status, refused.code, str(refused)
    except web.HTTPNotFound:
        status, code, message = 404, "ROUTE_NOT_FOUND", f"Route {request.path} doesn't exist."
    return web.json_response({"errors": [{"message": message, "extensions": {"code": code}}]}, status=status)


def _authorize(request: web.Request, token: str) -> None:
    sent = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(sent, f"Bearer {token}".encode()):
        raise RefusedError(401, "INVALID_CREDENTIALS", "Invalid user credentials.")


async def _given(request: web.Request) -> Row:
    """The columns that a request gives; the CMS itself sets key and times."""
    try:
        given = await request.json()
    except ValueError:
        given = None
    own = {"id"} if request.method == "POST" else set()
    if not isinstance(given, dict) or not given.keys() <= (COLUMNS - {"id", "date_created", "date_updated"}) | own:
        raise RefusedError(400, "INVALID_PAYLOAD", "Invalid payload.")
    return given


def _filtered(rows: list[Row], query: Mapping[str, str]) -> list[Row]:
    tests = [_test(name, text) for name, text in query.items() if name.startswith("filter")]
    return [row for row in rows if all(test(row) for test in tests)]


def _test(name: str, text: str) -> Test:
    if not (found := FILTER.fullmatch(name)):
        raise _invalid("Invalid filter object")
    path, operation = _known(found[1][1:-1].replace("][", ".")), found[2]
    try:
        if operation in {"_null", "_nnull"}:
            wanted = (operation == "_null") == _boolean(text)
            return lambda row: (_at(row, path) is None) == wanted
        many = operation in {"_in", "_nin"}
        operand = [_cast(path, part) for part in text.split(",")] if many else _cast(path, text)
        compare = COMPARE[operation]
    except (KeyError, ValueError):
        raise _invalid(f"Invalid operator or value for {path}") from None
    return lambda row: (value := _value(row, path)) is not None and compare(value, operand)


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """Rows by each key in turn; Directus leaves the place of nulls to its database, here they come last."""
    for key in reversed([part.strip() for part in sort.split(",") if part.strip()]):
        path = _known(key.removeprefix("-"))
        values = [(_value(row, path), row) for row in rows]
        some = sorted((pair for pair in values if pair[0] is not None), key=itemgetter(0), reverse=key.startswith("-"))
        rows = [row for _, row in some] + [row for value, row in values if value is None]
    return rows


def _page(rows: list[Row], query: Mapping[str, str]) -> list[Row]:
    limit, offset = _integer(query, "limit", 100, -1), _integer(query, "offset", 0, 0)
    if limit == -1:
        return rows[offset:]
    if "page" in query:
        offset = (_integer(query, "page", 1, 1) - 1) * limit
    return rows[offset : offset + limit]


def _project(row: Row, fields: str) -> Row:
    answer: Row = {}
    for path in fields.split(","):
        if path == "*":
            answer |= row
        elif "." in (known := _known(path.strip())):
            column, leaf = known.split(".")
            answer[column] = {**answer.get(column, {}), leaf: _at(row, known)}
        else:
            answer[known] = row.get(known)
    return answer


def _known(path: str) -> str:
    if path not in PATHS:
        what = f'field "{path}" in collection "customers" or it does not exist. Queried in root.'
        raise RefusedError(403, "FORBIDDEN", f"You don't have permission to access {what}")
    return path


def _at(row: Row, path: str) -> Any:
    column, _, leaf = path.partition(".")
    value = row.get(column)
    if not leaf:
        return value
    return value.get(leaf) if isinstance(value, dict) else None


def _value(row: Row, path: str) -> Any:
    try:
        return _cast(path, _at(row, path))
    except ValueError:
        return None


def _cast(path: str, value: Any) -> Any:
    if value is None:
        return None
    if path == "newsletter":
        return _boolean(value)
    if path.startswith("date_"):
        moment = datetime.fromisoformat(str(value))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(value)


def _boolean(value: Any) -> bool:
    if (text := str(value).lower()) in {"true", "1", "false", "0"}:
        return text in {"true", "1"}
    raise ValueError


def _integer(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or int(text) < least:
        raise _invalid(f'"{name}" must be a number, {least} or more')
    return int(text)


def _invalid(reason: str) -> RefusedError:
    return RefusedError(400, "INVALID_QUERY", f"Invalid query. {reason}.")
