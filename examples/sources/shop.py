# SPDX-License-Identifier: Apache-2.0
"""The shop of the example: products behind a REST API of the plainest kind, with page numbers and a key in a header."""

import hmac
from decimal import Decimal
from typing import Any

from aiohttp import web

from examples.sources.counted import counted_app
from examples.sources.hook import Hook

Row = dict[str, Any]

COLUMNS = {"id", "sku", "name", "price", "category", "inventory", "provider"}
MOST = 100  # products of one page, and ids of one batch


def shop_app(products: list[Row], key: str, hook: Hook | None = None) -> web.Application:
    """The server; products added to `products`, or changed in it, are served from then on.

    Changes over its API are told to `hook`.
    """

    async def read_many(request: web.Request) -> web.Response:
        _authorize(request, key)
        if "ids" in request.query:
            return web.json_response(_batch(products, request.query["ids"]))
        category = request.query.get("category")
        rows = [row for row in products if category is None or row["category"] == category]
        rows = _sorted(rows, request.query.get("sort", "id"))
        page, size = _number(request, "page", 1), min(_number(request, "per_page", 50), MOST)
        return web.json_response(_answer(rows[(page - 1) * size : page * size], page, size, len(rows)))

    async def read_one(request: web.Request) -> web.Response:
        _authorize(request, key)
        row = next((row for row in products if row["id"] == request.match_info["id"]), None)
        if row is None:
            raise _error(web.HTTPNotFound, "no such product")
        return web.json_response(row)

    async def change(request: web.Request) -> web.Response:
        _authorize(request, key)
        row = next((row for row in products if row["id"] == request.match_info.get("id")), None)
        if row is None and request.method != "POST":
            raise _error(web.HTTPNotFound, "no such product")
        given = {} if request.method == "DELETE" else await _given(request, products)
        what, row = _changed(products, row, given, request.method)
        if hook is not None:
            hook.tell(what, row)
        return web.json_response(row)

    app = counted_app()
    app.router.add_get("/health", _health)
    app.router.add_get("/api/products", read_many)
    app.router.add_get("/api/products/{id}", read_one)
    app.router.add_post("/api/products", change)
    app.router.add_patch("/api/products/{id}", change)
    app.router.add_delete("/api/products/{id}", change)
    if hook is not None:
        app.cleanup_ctx.append(hook.run)
    return app


async def _given(request: web.Request, products: list[Row]) -> Row:
    """The columns that a request gives; a new product needs an id that none bears."""
    try:
        given = await request.json()
    except ValueError:
        given = None
    if not isinstance(given, dict) or not given.keys() <= COLUMNS:
        raise _error(web.HTTPBadRequest, f"send an object with some of {', '.join(sorted(COLUMNS))}")
    if request.method == "POST" and (not isinstance(given.get("id"), str) or not given["id"]):
        raise _error(web.HTTPBadRequest, "a product has an id")
    if request.method == "POST" and any(row["id"] == given["id"] for row in products):
        raise _error(web.HTTPConflict, "there is such a product")
    if request.method == "PATCH" and "id" in given:
        raise _error(web.HTTPBadRequest, "the id of a product stays")
    return given


def _changed(products: list[Row], row: Row | None, given: Row, method: str) -> tuple[str, Row]:
    """Make a change, and return what it is called and the product that it is about."""
    if row is None:
        made = dict.fromkeys(sorted(COLUMNS)) | given
        products.append(made)
        return "created", made
    if method == "DELETE":
        products[:] = [each for each in products if each is not row]
        return "deleted", row
    row.update(given)
    return "updated", row


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _authorize(request: web.Request, key: str) -> None:
    if not hmac.compare_digest(request.headers.get("X-Shop-Key", "").encode(), key.encode()):
        raise _error(web.HTTPUnauthorized, "the header X-Shop-Key is missing or wrong")


def _batch(products: list[Row], ids: str) -> Row:
    """The products with these ids, in the shop's order and on one page; ids that nothing bears are left out."""
    wanted = set(ids.split(","))
    if len(wanted) > MOST:
        raise _error(web.HTTPBadRequest, f"{MOST} ids at most")
    rows = [row for row in products if row["id"] in wanted]
    return _answer(rows, 1, MOST, len(rows))


def _answer(rows: list[Row], page: int, size: int, total: int) -> Row:
    return {"items": rows, "page": page, "pages": max(1, -(-total // size)), "total": total}


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    column = sort.removeprefix("-")
    if column not in {"id", "name", "price"}:
        raise _error(web.HTTPBadRequest, "sort by id, name or price")

    def place(row: Row) -> Any:
        return Decimal(row["price"]["amount"]) if column == "price" else row[column]

    return sorted(rows, key=place, reverse=sort.startswith("-"))


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise _error(web.HTTPBadRequest, f"{name} is a number, 1 or more")
    return int(text[:9])


def _error(kind: type[web.HTTPError], message: str) -> web.HTTPError:
    body = web.json_response({"error": message}).text
    return kind(text=body, content_type="application/json")
