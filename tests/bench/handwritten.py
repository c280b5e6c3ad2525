# SPDX-License-Identifier: Apache-2.0
"""The floor of the figures: what a good programmer writes by hand for the tour, and nothing more.

aiohttp, uvloop and graphql-core with resolvers for just these types, a loader per request and entity that batches a
level, documents parsed and validated once, products kept for 60 s as their contract allows, JSON by orjson. It has no
policies, audit, limits, filters, metrics or retries. `python -m tests.bench.handwritten` takes CMS_URL, SHOP_URL and
ERP_PATH from the environment and prints its URL.
"""

import asyncio
import functools
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import web
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    execute,
    parse,
    validate,
)

from examples.sources import serve

Row = dict[str, Any]
FRESH = 60.0  # seconds: `latency` of the products' contract

SDL = """
type Query { customers(limit: Int = 100): [Customer!] product(id: ID!): Product }
type Customer { id: ID! name: String email: String country: String invoices(limit: Int = 20): [Invoice!] }
type Invoice { id: ID! number: String status: String total: String items: [Item!] }
type Item { id: ID! quantity: Int product: Product }
type Product { id: ID! sku: String name: String price: String category: String }
"""

INVOICES = """
SELECT id, customer_id, invoice_no AS number, status, total_cents FROM (
  SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY id) AS place FROM invoices WHERE customer_id IN (%s))
WHERE place <= %d ORDER BY customer_id, id
"""
ITEMS = "SELECT id, invoice_id, product_id, quantity FROM invoice_items WHERE invoice_id IN (%s) ORDER BY id"


class Loader:
    """Collects the keys of a level, then asks for all of them at once; lives for one request."""

    def __init__(self, fetch: Callable[[list[str]], Awaitable[dict[str, Any]]]) -> None:
        self._fetch = fetch
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._known: dict[str, asyncio.Future[Any]] = {}

    def load(self, key: str) -> asyncio.Future[Any]:
        if key not in self._known:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(lambda: loop.create_task(self._flush()))
            self._waiting[key] = self._known[key] = loop.create_future()
        return self._known[key]

    async def _flush(self) -> None:
        asked, self._waiting = self._waiting, {}
        found = await self._fetch(list(asked))
        for key, future in asked.items():
            future.set_result(found.get(key))


class Systems:
    """The three systems, asked as the example's specs ask them."""

    def __init__(self, session: aiohttp.ClientSession, erp: sqlite3.Connection) -> None:
        self._session = session
        self._erp = erp
        self._cms = {"Authorization": f"Bearer {serve.key('cms.token')}"}
        self._shop = {"X-Shop-Key": serve.key("shop.key")}
        self._products: dict[str, tuple[float, Row]] = {}

    async def customers(self, limit: int) -> list[Row]:
        url = f"{os.environ['CMS_URL']}/items/customers"
        asked = {"limit": str(limit), "fields": "id,first_name,last_name,email,country"}
        async with self._session.get(url, params=asked, headers=self._cms) as response:
            response.raise_for_status()
            return orjson.loads(await response.read())["data"]

    async def products(self, keys: list[str]) -> dict[str, Row]:
        now = time.monotonic()
        fresh = {key: kept[1] for key in keys if (kept := self._products.get(key)) and now - kept[0] < FRESH}
        missing = [key for key in keys if key not in fresh]
        for start in range(0, len(missing), 100):
            url, asked = f"{os.environ['SHOP_URL']}/api/products", {"ids": ",".join(missing[start : start + 100])}
            async with self._session.get(url, params=asked, headers=self._shop) as response:
                response.raise_for_status()
                for row in orjson.loads(await response.read())["items"]:
                    self._products[row["id"]] = (now, row)
                    fresh[row["id"]] = row
        return fresh

    async def invoices(self, limit: int, keys: list[str]) -> dict[str, list[Row]]:
        return self._grouped(INVOICES % (_marks(keys), limit), keys, "customer_id")

    async def items(self, keys: list[str]) -> dict[str, list[Row]]:
        return self._grouped(ITEMS % _marks(keys), keys, "invoice_id")

    def _grouped(self, statement: str, keys: list[str], column: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {key: [] for key in keys}
        for row in self._erp.execute(statement, keys):
            found[row[column]].append(dict(row))
        return found


def _marks(keys: list[str]) -> str:
    return ",".join("?" * len(keys))


class Request:
    """What the resolvers of one request share."""

    def __init__(self, systems: Systems) -> None:
        self.systems = systems
        self.products = Loader(systems.products)
        self.items = Loader(systems.items)
        self._invoices: dict[int, Loader] = {}

    def invoices(self, limit: int) -> Loader:
        if limit not in self._invoices:
            self._invoices[limit] = Loader(functools.partial(self.systems.invoices, limit))
        return self._invoices[limit]


RESOLVERS: dict[str, dict[str, Callable[..., Any]]] = {
    "Query": {
        "customers": lambda _, info, limit: info.context.systems.customers(limit),
        "product": lambda _, info, id: info.context.products.load(id),  # noqa: A006 - the name of the argument
    },
    "Customer": {
        "name": lambda row, _: f"{row['first_name']} {row['last_name']}",
        "invoices": lambda row, info, limit: info.context.invoices(limit).load(row["id"]),
    },
    "Invoice": {
        "total": lambda row, _: str((Decimal(row["total_cents"]) / 100).quantize(Decimal("0.01"))),
        "items": lambda row, info: info.context.items.load(row["id"]),
    },
    "Item": {"product": lambda row, info: info.context.products.load(row["product_id"])},
    "Product": {"price": lambda row, _: row["price"]["amount"]},
}


def schema() -> GraphQLSchema:
    """The types with their resolvers."""
    built = build_schema(SDL)
    for name, fields in RESOLVERS.items():
        kind = built.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        for field, resolver in fields.items():
            kind.fields[field].resolve = resolver
    return built


def application(built: GraphQLSchema, systems: Systems) -> web.Application:
    """`POST /graphql` over the three systems."""

    @functools.lru_cache(maxsize=100)
    def document(text: str) -> DocumentNode:
        parsed = parse(text)
        if errors := validate(built, parsed):
            raise errors[0]
        return parsed

    async def answer(request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        result = execute(built, document(asked["query"]), context_value=Request(systems))
        if not isinstance(result, ExecutionResult):
            result = await result
        body = {"data": result.data} | (
            {"errors": [error.formatted for error in result.errors]} if result.errors else {}
        )
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    app = web.Application()
    app.router.add_post("/graphql", answer)
    return app


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with closing(sqlite3.connect(f"file:{os.environ['ERP_PATH']}?mode=ro", uri=True)) as erp:
        erp.row_factory = sqlite3.Row
        async with aiohttp.ClientSession() as session:
            runner = web.AppRunner(application(schema(), Systems(session, erp)), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            print(f"ready http://127.0.0.1:{runner.addresses[0][1]}/graphql", flush=True)
            await stop.wait()
            await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())
