# SPDX-License-Identifier: Apache-2.0
"""A REST server over tables in memory that counts its requests and can be told to fail."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Row = dict[str, Any]


@dataclass
class Tables:
    """`GET /{table}` lists (`limit`, `offset`, `ids`, `by` with `values`, `eq.<column>`), `GET /{table}/{id}` gets.

    Nothing is sorted. A table in `broken` answers with that status, one in `gates` once its barrier is passed.
    """

    tables: dict[str, list[Row]]
    requests: Counter[str] = field(default_factory=Counter)
    queries: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    gates: dict[str, asyncio.Barrier] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{table}", self._many)
        app.router.add_get("/{table}/{id}", self._one)
        return app

    async def _many(self, request: web.Request) -> web.Response:
        name = request.match_info["table"]
        self.requests[name] += 1
        self.queries.append(request.path_qs)
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.broken:
            return web.Response(status=self.broken[name], text="SECRET-IN-BODY")
        rows = self.tables[name]
        query = request.query
        if "ids" in query:
            rows = [row for row in rows if str(row["id"]) in query["ids"].split(",")]
        if "by" in query:
            rows = [row for row in rows if str(row[query["by"]]) in query["values"].split(",")]
        for key, value in query.items():
            if key.startswith("eq."):
                rows = [row for row in rows if str(row[key[3:]]) == value]
            if key.startswith("in."):
                rows = [row for row in rows if str(row[key[3:]]) in value.split(",")]
        offset = int(query.get("offset", "0"))
        return web.json_response({"items": rows[offset : offset + int(query.get("limit", "1000000"))]})

    async def _one(self, request: web.Request) -> web.Response:
        name = request.match_info["table"]
        self.requests[f"{name}/id"] += 1
        if name in self.broken:
            return web.Response(status=self.broken[name], text="SECRET-IN-BODY")
        found = [row for row in self.tables[name] if str(row["id"]) == request.match_info["id"]]
        return web.json_response(found[0]) if found else web.Response(status=404)
