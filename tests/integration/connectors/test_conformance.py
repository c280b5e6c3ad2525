# SPDX-License-Identifier: Apache-2.0
"""Every built-in connector keeps the contract that third parties are held to."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dictamesh.connectors.registry import factory, manifest
from dictamesh.connectors.sdk import Connector, Context, Options
from dictamesh.connectors.sdk.conformance import CHECKS, Outcome, Subject, conformance
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Expr, Literal
from dictamesh.specs.types import STRING
from tests.integration.connectors import people
from tests.integration.connectors.rest_server import body, serving
from tests.support.postgres import fresh_database

UNKNOWN = ("k'; DROP TABLE people; --",)


def like(pattern: str) -> Expr:
    return call("like", Column(("name",), STRING), Literal(pattern, STRING))


EXTRA = tuple(map(like, ["a%", "%e", "_na", "50\\%", "a\\_b", "O'%"]))


def subject(name: str, server: dict[str, Any], folder: Path, source: Any, rows: Any = people.ROWS) -> Subject:
    described = manifest(name)
    options: Options = described.server.model_validate(server)

    async def make() -> Connector:
        return factory(name)(options, Context("src", folder, 20))

    return Subject(described, make, source, rows, UNKNOWN, EXTRA)


async def check(subject: Subject, skipped: set[str]) -> None:
    results = await conformance(subject)
    failed = [f"{result.name}: {result.detail}" for result in results if result.outcome is Outcome.FAILED]
    assert not failed
    assert len(results) == len(CHECKS)
    assert {result.name for result in results if result.outcome is Outcome.SKIPPED} == skipped


async def test_sqlite(tmp_path: Path) -> None:
    people.sqlite_file(tmp_path / "erp.sqlite")
    source = people.source("the people", manifest("sqlite").entity())
    await check(subject("sqlite", {"path": "erp.sqlite"}, tmp_path, source), set())


async def test_sqlite_query(tmp_path: Path) -> None:
    people.sqlite_file(tmp_path / "erp.sqlite")
    query = "SELECT * FROM \"the people\" WHERE id LIKE 'k%' -- the whole table"
    source = people.source("ignored", manifest("sqlite").entity(query=query))
    described = subject("sqlite", {"path": "erp.sqlite"}, tmp_path, source)
    await check(described, {"live columns are described"})


@pytest.fixture(params=["embedded_dsn", "postgres15_dsn"])
def postgres(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def test_postgres(postgres: str, tmp_path: Path) -> None:
    with fresh_database(postgres) as dsn:
        people.postgres_tables(dsn)
        source = people.source("sales.the people", manifest("postgres").entity())
        await check(subject("postgres", {"dsn": dsn}, tmp_path, source), set())


async def test_postgres_query(embedded_dsn: str, tmp_path: Path) -> None:
    with fresh_database(embedded_dsn) as dsn:
        people.postgres_tables(dsn)
        query = "SELECT * FROM sales.\"the people\" WHERE id LIKE 'k%' AND age % 1 = 0 OR true"
        source = people.source("ignored", manifest("postgres").entity(query=query))
        await check(subject("postgres", {"dsn": dsn}, tmp_path, source), {"live columns are described"})


@pytest.mark.parametrize(
    ("name", "write", "skipped"),
    [
        ("people-*.csv", people.csv_files, set()),
        ("people.json", people.json_file, {"live columns are described"}),
        ("people.jsonl", people.jsonl_file, {"live columns are described"}),
        ("people.parquet", people.parquet_file, set()),
    ],
)
async def test_files(name: str, write: Any, skipped: set[str], tmp_path: Path) -> None:
    folder = tmp_path / "it's a lake"
    folder.mkdir()
    write(folder if "*" in name else folder / name)
    source = people.source(name, manifest("file").entity())
    rows = people.CSV_ROWS if name.endswith(".csv") else people.ROWS
    await check(subject("file", {"path": "it's a lake"}, tmp_path, source, rows), skipped)


REST_OPTIONS: dict[str, Any] = {
    "list": {
        "path": "/people",
        "records": "data",
        "paginate": {"kind": "offset", "maxLimit": 25},
        "filters": {
            "group": {"eq": "group", "in": "groups", "isNull": "noGroup"},
            "age": {"gt": "older", "lte": "upTo"},
        },
        "sort": {"param": "sort", "columns": ["id", "group", "age"]},
    },
    "get": {"path": "/people/{id}", "record": "data"},
    "batch": {"path": "/people", "query": {"ids": "{ids}"}, "records": "data", "size": 20},
}
TESTS: dict[str, Any] = {
    "group": lambda row, text: row["group"] == text,
    "groups": lambda row, text: row["group"] in text.split(","),
    "noGroup": lambda row, text: (row["group"] is None) == (text == "true"),
    "older": lambda row, text: row["age"] is not None and row["age"] > int(text),
    "upTo": lambda row, text: row["age"] is not None and row["age"] <= int(text),
    "ids": lambda row, text: row["id"] in text.split(","),
}


async def _people(request: web.Request) -> web.Response:
    if request.path != "/people":
        key = request.path.removeprefix("/people/")
        found = [row for row in people.ROWS if row["id"] == key]
        return body({"data": people.in_json(found[0])}) if found else body({}, 404)
    rows = [row for row in people.ROWS if all(TESTS[n](row, t) for n, t in request.query.items() if n in TESTS)]
    for key in reversed(request.query.get("sort", "id").split(",")):
        name = key.lstrip("-")
        filled = [row for row in rows if row[name] is not None]
        filled.sort(key=lambda row, name=name: row[name], reverse=key.startswith("-"))  # type: ignore[misc]
        rows = [*filled, *(row for row in rows if row[name] is None)]
    offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 25))
    return body({"data": [people.in_json(row) for row in rows[offset : offset + limit]]})


@contextlib.asynccontextmanager
async def rest_subject(folder: Path) -> AsyncIterator[Subject]:
    async with serving(_people) as server:
        source = people.source("people", manifest("rest").entity.model_validate(REST_OPTIONS))
        yield subject("rest", {"url": server.url}, folder, source)


async def test_rest(tmp_path: Path) -> None:
    async with rest_subject(tmp_path) as described:
        await check(described, {"counts ignore limit and offset", "limits per key", "live columns are described"})
