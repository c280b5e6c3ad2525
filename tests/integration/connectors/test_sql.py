# SPDX-License-Identifier: Apache-2.0
"""SQL connectors beyond the conformance suite: relations, odd keys, hostile text, time and place limits."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dictamesh.connectors.registry import factory, manifest
from dictamesh.connectors.sdk import (
    Connector,
    Context,
    Fault,
    Keys,
    Order,
    Output,
    Related,
    Request,
    Source,
    SourceColumn,
    SourceError,
    Status,
    Transient,
)
from dictamesh.connectors.sql.dialect import Dialect, query_of
from dictamesh.connectors.sql.lifting import lifted
from dictamesh.connectors.sql.statement import rows_statement, shape
from dictamesh.specs import types
from dictamesh.specs.expressions import Engine, call
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import Kind, Type
from tests.support.postgres import fresh_database

SETUP = """
CREATE TABLE regions (code TEXT PRIMARY KEY, open INTEGER);
CREATE TABLE customers (id TEXT PRIMARY KEY, country TEXT, region TEXT);
CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER, due DATE, rate DECIMAL(5,2));
CREATE TABLE lines (invoice INTEGER, pos INTEGER, text TEXT, PRIMARY KEY (invoice, pos));
INSERT INTO regions VALUES ('eu', 1), ('us', 0);
INSERT INTO customers VALUES ('c1', 'DE', 'eu'), ('c2', 'FR', 'eu'), ('c3', 'US', 'us'), ('c4', NULL, NULL);
INSERT INTO invoices VALUES (1, 'c1', 100, '2024-01-01', 1.50), (2, 'c1', 300, '2024-02-01', 1.5),
    (3, 'c2', 200, NULL, NULL), (4, 'c3', 500, '2024-03-01', 2), (5, 'gone', 50, '2024-01-01', 0.01),
    (6, NULL, 70, '2024-01-01', 1.5), (7, 'c4', 90, '2023-01-01', 9), (8, 'c1', 200, '2024-01-05', 3);
INSERT INTO lines VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'c');
"""
RATE = Type(Kind.DECIMAL, 5, 2)


class Server:
    """One database behind one connector."""

    def __init__(self, name: str, options: dict[str, Any], folder: Path, timeout: float = 10) -> None:
        self.name = name
        self._options = manifest(name).server.model_validate(options)
        self._context = Context("erp", folder, timeout)

    def source(self, table: str, columns: dict[str, Type], *key: str, **options: Any) -> Source:
        entity = manifest(self.name).entity.model_validate(options)
        return Source(f"erp#{table}", table, tuple(SourceColumn(n, t) for n, t in columns.items()), key, entity)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Connector]:
        connector = factory(self.name)(self._options, self._context)
        await connector.open()
        try:
            yield connector
        finally:
            await connector.close()


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "sqlite":
        with contextlib.closing(sqlite3.connect(tmp_path / "erp.db")) as database:
            database.executescript(SETUP)
        yield Server("sqlite", {"path": "erp.db"}, tmp_path)
        return
    with fresh_database(request.getfixturevalue("embedded_dsn")) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SETUP)
        yield Server("postgres", {"dsn": dsn, "pool": {"min": 1, "max": 4}}, tmp_path)


INVOICE = {"id": types.INT, "customer": types.STRING, "cents": types.INT, "due": types.DATE, "rate": RATE}
CUSTOMER = {"id": types.STRING, "country": types.STRING, "region": types.STRING}
REGION = {"code": types.STRING, "open": types.INT}


def column(name: str, type_: Type = types.STRING) -> Column:
    return Column((name,), type_)


def outputs(columns: dict[str, Type], *names: str) -> tuple[Output, ...]:
    return tuple(Output(name, column(name, columns[name])) for name in names)


def equal(left: Expr, value: Any, type_: Type = types.STRING) -> Expr:
    return call("eq", left, Literal(value, type_))


IDS = outputs(INVOICE, "id")


async def ids(connector: Connector, source: Source, **request: Any) -> list[Any]:
    return [row[0] for row in (await connector.fetch(source, Request(IDS, **request))).rows]


async def test_conditions_over_relations(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    customers, regions = server.source("customers", CUSTOMER, "id"), server.source("regions", REGION, "code")
    country = Column(("customer", "country"), types.STRING)
    link = Related("customer", customers, (("customer", "id"),))
    region = Related(
        "region", regions, (("region", "code"),), equal(column("open", types.INT), 1, types.INT), required=True
    )
    shown = Related("customer", customers, (("customer", "id"),), related=(region,))
    required = Related("customer", customers, (("customer", "id"),), equal(column("country"), "DE"), required=True)
    missing = call("is_null", country)
    async with server.open() as connector:
        assert await ids(connector, invoices, where=equal(country, "DE"), related=(link,)) == [1, 2, 8]
        assert await ids(connector, invoices, where=missing, related=(link,)) == [5, 6, 7]
        # A row of the other end that is hidden is the same as none (S18).
        assert await ids(connector, invoices, where=missing, related=(shown,)) == [4, 5, 6, 7]
        assert await ids(connector, invoices, related=(required,)) == [1, 2, 8]
        over_two = Column(("customer", "region", "open"), types.INT)
        assert await ids(connector, invoices, where=call("is_null", over_two), related=(shown,)) == [4, 5, 6, 7]
        assert await connector.count(invoices, Request((), related=(required,))) == 3
        both = await ids(connector, invoices, keys=Keys(("id",), ((2,), (4,))), related=(required,))
        assert both == [2]


async def test_windows_per_key(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    keys = Keys(("customer",), (("c1",), ("c2",), ("nobody",)))
    order = (Order(column("cents", types.INT), descending=True), Order(column("id", types.INT)))
    async with server.open() as connector:
        first = await ids(connector, invoices, keys=keys, per_key=True, limit=2, order=order)
        assert sorted(first) == [2, 3, 8]
        assert [row for row in first if row != 3] == [2, 8]
        assert await ids(connector, invoices, keys=keys, per_key=True, limit=5, offset=2, order=order) == [1]
        assert await ids(connector, invoices, keys=keys, per_key=True, limit=0) == []
        assert len(await ids(connector, invoices, keys=keys, per_key=True)) == 4


async def test_composite_keys(server: Server) -> None:
    lines = server.source("lines", {"invoice": types.INT, "pos": types.INT, "text": types.STRING}, "invoice", "pos")
    wanted = Keys(("invoice", "pos"), ((1, 2), (2, 1), (2, 2)))
    async with server.open() as connector:
        found = await connector.fetch(lines, Request((Output("text", column("text")),), keys=wanted))
    assert sorted(found.rows) == [("b",), ("c",)]


async def test_keys_of_other_types(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    days = Keys(("due",), ((date(2024, 1, 1),), (date(2023, 1, 1),)))
    rates = Keys(("rate",), ((Decimal("1.50"),), (Decimal(9),)))
    async with server.open() as connector:
        assert sorted(await ids(connector, invoices, keys=days)) == [1, 5, 6, 7]
        assert sorted(await ids(connector, invoices, keys=rates)) == [1, 2, 6, 7]
        assert sorted(await ids(connector, invoices, keys=days, per_key=True, limit=1)) == [1, 7]


async def test_parameters_are_bound(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    listed = call("any_eq", column("customer"), Parameter("principal.ids", Type(Kind.ARRAY, item=types.STRING)))
    today = call("lt", column("due", types.DATE), Parameter("today", types.DATE))
    async with server.open() as connector:
        for values, expected in ((["c1", "c2"], [1, 2, 3, 8]), ([], []), (["' OR 1=1 --"], []), (None, [])):
            assert await ids(connector, invoices, where=listed, parameters={"principal.ids": values}) == expected
        for day, expected in ((date(2024, 1, 1), [7]), (date(2024, 1, 2), [1, 5, 6, 7])):
            assert await ids(connector, invoices, where=today, parameters={"today": day}) == expected


async def test_computed_outputs(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    expr = call("concat", column("customer"), Literal("-", types.STRING), column("customer"))
    assert manifest(server.name).outputs(invoices, expr) is None
    failing = call("div", column("cents", types.INT), column("id", types.INT))
    assert manifest(server.name).outputs(invoices, failing) is not None
    async with server.open() as connector:
        found = await connector.fetch(invoices, Request((Output("x", expr),), limit=1))
    assert found.rows == [("c1-c1",)]


HOSTILE = [
    "' OR '1'='1", '"; DROP TABLE invoices; --', "c1' --", "\\", "%", "_", ":b0", "%(s0)s", "$1", "?", "a\nb", "",
    "x" * 100_000, "\ue000s0\ue001", "😀", "c1\0",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_values_are_only_values(server: Server, text: str) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    async with server.open() as connector:
        assert await ids(connector, invoices, keys=Keys(("customer",), ((text,), ("c2",)))) == [3]
        assert await ids(connector, invoices, keys=Keys(("customer",), ((text,),)), per_key=True, limit=3) == []
        if "\0" not in text:
            assert await ids(connector, invoices, where=equal(column("customer"), text)) == []
        assert await connector.count(invoices, Request(())) == 8


@pytest.mark.parametrize(
    "name",
    ['invoices"; DROP TABLE invoices; --', "invoices; DROP TABLE invoices", "(SELECT 1)", "invoices AS x", "x.y.z.w",
     "", "\0", 'in"voices', "invoices' --", "dictamesh text t0"],
)  # fmt: skip
async def test_hostile_names_of_tables_are_only_names(server: Server, name: str) -> None:
    async with server.open() as connector:
        with pytest.raises(SourceError):
            await connector.fetch(server.source(name, INVOICE, "id"), Request(IDS))
        assert await connector.count(server.source("invoices", INVOICE, "id"), Request(())) == 8


@pytest.mark.parametrize("name", ['id"; DROP TABLE invoices; --', "id) FROM invoices; --", "1 OR 1", "t0.id", "nope"])
async def test_hostile_names_of_columns_are_only_names(server: Server, name: str) -> None:
    invoices = server.source("invoices", {**INVOICE, name: types.STRING}, "id")
    asked = [
        Request((Output(name, column(name)),)),
        Request(IDS, where=equal(column(name), "x")),
        Request(IDS, keys=Keys((name,), (("x",),))),
        Request(IDS, order=(Order(column(name)),)),
    ]
    async with server.open() as connector:
        for request in asked:
            with pytest.raises(SourceError) as caught:
                await connector.fetch(invoices, request)
            assert caught.value.fault is Fault.BAD_REQUEST
            assert "DROP" not in str(caught.value)
        assert await connector.count(server.source("invoices", INVOICE, "id"), Request(())) == 8


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM invoices", "SELECT 1; DELETE FROM invoices", "SELECT * FROM invoices) x; DELETE FROM invoices; --",
     "WITH d AS (DELETE FROM invoices RETURNING *) SELECT * FROM d"],
)  # fmt: skip
async def test_queries_that_write_are_refused(server: Server, query: str) -> None:
    invoices = server.source("invoices", INVOICE, "id", query=query)
    assert manifest(server.name).check(invoices)
    async with server.open() as connector:
        with pytest.raises(SourceError) as caught:
            await connector.fetch(invoices, Request(IDS))
        assert caught.value.fault is Fault.INVALID_CONFIG
        assert await connector.count(server.source("invoices", INVOICE, "id"), Request(())) == 8


ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"


async def test_statements_end_with_their_time(server: Server) -> None:
    server._context = Context("erp", server._context.folder, 0.3)
    endless = server.source("n", {"id": types.INT}, "id", query=ENDLESS)
    async with server.open() as connector:
        with pytest.raises(Transient) as caught:
            await connector.count(endless, Request(()))
        assert caught.value.fault is Fault.TIMEOUT
        assert await connector.count(server.source("invoices", INVOICE, "id"), Request(())) == 8


async def test_cancelled_statements_stop(server: Server) -> None:
    server._context = Context("erp", server._context.folder, 60)
    endless = server.source("n", {"id": types.INT}, "id", query=ENDLESS)
    async with server.open() as connector:
        running = [asyncio.ensure_future(connector.count(endless, Request(()))) for _ in range(4)]
        await asyncio.sleep(0.2)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        before = time.monotonic()
        assert await connector.count(server.source("invoices", INVOICE, "id"), Request(())) == 8
        assert time.monotonic() - before < 30, "the cancelled statements still hold every connection"


async def test_answers_without_end_are_cut_off(server: Server) -> None:
    server._context = Context("erp", server._context.folder, 60)
    long = server.source("n", {"id": types.INT}, "id", query=f"{ENDLESS} LIMIT 150000")
    async with server.open() as connector:
        with pytest.raises(SourceError) as caught:
            await connector.fetch(long, Request(IDS))
        assert caught.value.fault is Fault.TOO_LARGE
        assert len(await ids(connector, long, limit=1000, offset=10)) == 1000


async def test_missing_tables_and_columns_are_told_without_their_names(server: Server) -> None:
    async with server.open() as connector:
        with pytest.raises(SourceError) as caught:
            await connector.fetch(server.source("nowhere", INVOICE, "id"), Request(IDS))
        assert caught.value.fault is Fault.BAD_REQUEST
        assert caught.value.status in {"SQLITE_ERROR", "42P01"}
        with pytest.raises(SourceError) as caught:
            await connector.describe(server.source("nowhere", INVOICE, "id"))
        assert caught.value.fault is Fault.NOT_FOUND


async def test_live_columns(server: Server) -> None:
    async with server.open() as connector:
        live = await connector.describe(server.source("lines", {}, "invoice"))
    assert live is not None
    assert [(c.name, c.type.lower(), c.nullable) for c in live] == [
        ("invoice", "integer", False),
        ("pos", "integer", False),
        ("text", "text", True),
    ]


async def test_too_many_keys_are_refused(server: Server) -> None:
    invoices = server.source("invoices", INVOICE, "id")
    async with server.open() as connector:
        assert len(await ids(connector, invoices, keys=Keys(("id",), tuple((n,) for n in range(1, 2001))))) == 8
        with pytest.raises(SourceError) as caught:
            await ids(connector, invoices, keys=Keys(("id",), tuple((n,) for n in range(20_000))))
    assert caught.value.fault is Fault.TOO_LARGE


async def test_sqlite_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but ana@example.com is in it" * 100)
    for name, fault in (("text.db", Fault.INVALID_RESPONSE), ("missing.db", Fault.CONNECTION_FAILED)):
        server = Server("sqlite", {"path": name}, tmp_path)
        async with server.open() as connector:
            assert (await connector.health()).status is Status.UNHEALTHY
            with pytest.raises(SourceError) as caught:
                await connector.fetch(server.source("t", INVOICE, "id"), Request(IDS))
            assert caught.value.fault is fault
            assert "ana" not in str(caught.value)
    assert not (tmp_path / "missing.db").exists()


async def test_sqlite_cells_that_are_no_text_spoil_themselves_only(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "erp.db")) as database:
        database.execute("CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)")
        database.execute("INSERT INTO t VALUES ('a', CAST(x'ff41' AS TEXT)), ('b', 'fine')")
        database.commit()
    server = Server("sqlite", {"path": "erp.db"}, tmp_path)
    source = server.source("t", {"id": types.STRING, "v": types.STRING}, "id")
    async with server.open() as connector:
        found = await connector.fetch(source, Request((Output("v", column("v")),)))
    assert found.rows == [(b"\xffA",), ("fine",)]


async def test_sqlite_sees_what_others_write_meanwhile(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "erp.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SETUP)
        server = Server("sqlite", {"path": "erp.db"}, tmp_path)
        invoices = server.source("invoices", INVOICE, "id")
        async with server.open() as connector:
            assert await connector.count(invoices, Request(())) == 8
            database.execute("DELETE FROM invoices WHERE id = 1")
            database.commit()
            assert await connector.count(invoices, Request(())) == 7


@pytest.fixture
def database(embedded_dsn: str) -> Iterator[str]:
    with fresh_database(embedded_dsn) as dsn:
        yield dsn


async def test_postgres_keys_that_do_not_fit_their_column_are_absent(database: str, tmp_path: Path) -> None:
    known = UUID(int=7)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id uuid PRIMARY KEY, small smallint, code text)")
        connection.execute("INSERT INTO t VALUES (%s, 3, '3')", [known])
    server = Server("postgres", {"dsn": database}, tmp_path)
    columns = {"id": types.STRING, "small": types.INT, "code": types.INT}
    source = server.source("t", columns, "id")
    wanted = outputs(columns, "small")
    async with server.open() as connector:
        for keys, expected in (
            (Keys(("id",), ((str(known),),)), [(3,)]),
            (Keys(("id",), (("nope",),)), []),
            (Keys(("id",), (("nope",), (str(known),), ("a\0b",))), [(3,)]),
            (Keys(("id",), (("a\0b",),)), []),
            (Keys(("small",), ((2**31 - 1,), (3,))), [(3,)]),
            (Keys(("code",), ((3,),)), [(3,)]),
        ):
            assert (await connector.fetch(source, Request(wanted, keys=keys))).rows == expected


async def test_postgres_values_that_python_cannot_hold_spoil_themselves_only(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, day date, doc jsonb, n numeric)")
        connection.execute(
            "INSERT INTO t VALUES (1, 'infinity', '20000-01-01', '{\"a\": 1.10}', 'NaN'),"
            " (2, '2024-01-01Z', '2024-01-01', '5', 1.50),"
            " (0, NULL, NULL, (repeat('[', 3000) || repeat(']', 3000))::jsonb, 0)"
        )
    server = Server("postgres", {"dsn": database}, tmp_path)
    columns = {"id": types.INT, "at": types.TIMESTAMP, "day": types.DATE, "doc": types.JSON, "n": types.DECIMAL}
    source = server.source("t", columns, "id")
    async with server.open() as connector:
        found = await connector.fetch(source, Request(outputs(columns, "at", "day", "doc", "n")))
        again = await connector.fetch(
            source, Request(outputs(columns, "at"), where=call("gt", column("id", types.INT), Literal(1, types.INT)))
        )
    assert isinstance(found.rows.pop(0)[2], (str, bytes))
    assert found.rows[0][:3] == ("infinity", "20000-01-01", {"a": Decimal("1.10")})
    assert found.rows[1][2:] == (5, Decimal("1.50"))
    assert again.rows == [(datetime(2024, 1, 1, tzinfo=UTC),)]


async def test_postgres_runs_nothing_that_writes(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        connection.execute(
            "CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (1); RETURN 1; END'"
        )
    server = Server("postgres", {"dsn": database}, tmp_path)
    source = server.source("t", {"id": types.INT}, "id", query="SELECT sneak() AS id")
    async with server.open() as connector:
        with pytest.raises(SourceError) as caught:
            await connector.fetch(source, Request(IDS))
        assert (caught.value.fault, caught.value.status) == (Fault.REFUSED, "25006")
        assert await connector.count(server.source("t", {"id": types.INT}, "id"), Request(())) == 0


async def test_postgres_statements_are_prepared_once(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    server = Server("postgres", {"dsn": database, "pool": {"min": 1, "max": 1}}, tmp_path)
    source = server.source("t", {"id": types.INT}, "id")
    seen = server.source("p", {"n": types.INT}, "n", query="SELECT count(*)::int AS n FROM pg_prepared_statements")
    async with server.open() as connector:
        for number in range(1, 9):
            keys = Keys(("id",), tuple((key,) for key in range(5 + number % 4)))
            await connector.fetch(source, Request(IDS, keys=keys))
        found = await connector.fetch(seen, Request((Output("n", column("n", types.INT)),)))
    assert found.rows == [(1,)]


async def test_postgres_reconnects_after_its_lines_were_cut(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        server = Server("postgres", {"dsn": database, "pool": {"min": 2, "max": 4}}, tmp_path)
        source = server.source("t", {"id": types.INT}, "id")
        async with server.open() as connector:
            assert await connector.count(source, Request(())) == 0
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert await connector.count(source, Request(())) == 0


@pytest.mark.parametrize(
    "change", [{"password": "wrong", "user": "nobody"}, {"dbname": "nowhere"}, {"host": "127.0.0.1", "port": 9}]
)
async def test_postgres_that_cannot_be_reached(database: str, tmp_path: Path, change: dict[str, Any]) -> None:
    dsn = psycopg.conninfo.make_conninfo(database, **change)
    server = Server("postgres", {"dsn": dsn}, tmp_path, timeout=0.5)
    async with server.open() as connector:
        with pytest.raises(Transient) as caught:
            await connector.fetch(server.source("t", INVOICE, "id"), Request(IDS))
        assert caught.value.fault is Fault.CONNECTION_FAILED
        health = await connector.health()
    assert health.status is Status.UNHEALTHY
    assert "nobody" not in health.detail


async def test_postgres_connection_strings_that_cannot_be_read() -> None:
    options = manifest("postgres").server.model_validate({"dsn": "host='secret"})
    with pytest.raises(SourceError) as caught:
        factory("postgres")(options, Context("erp", Path()))
    assert caught.value.fault is Fault.INVALID_CONFIG
    assert "secret" not in str(caught.value)


def test_statements_do_not_depend_on_values() -> None:
    dialect = Dialect(Engine.POSTGRES, query_of(Engine.POSTGRES))
    entity = manifest("postgres").entity()
    source = Source("a#B", "b", (SourceColumn("id", types.STRING),), ("id",), entity)
    texts, shapes = set(), set()
    for keys, limit in ((["canary-1", "canary-2", "canary-3"], 5), (["x", "y", "z", "w"], 6)):
        request = Request(
            (Output("id", column("id")),),
            where=Call("eq", (column("id"), Literal(f"canary-{limit}", types.STRING)), types.BOOLEAN),
            keys=Keys(("id",), tuple((key,) for key in keys)),
            limit=limit,
        )
        lean = lifted(request)
        texts |= {rows_statement(source, asked, dialect, False).sql for asked in (request, lean)}
        shapes.add(shape(source, lean, dialect, False))
    assert len(texts) == len(shapes) == 1
    assert "canary" not in texts.pop() + repr(shapes)
