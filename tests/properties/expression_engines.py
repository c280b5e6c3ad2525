# SPDX-License-Identifier: Apache-2.0
"""The generated rows as a table in each engine, and statements that evaluate many expressions at once."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, Protocol

import duckdb
import psycopg
from psycopg.types.json import Jsonb

from dictamesh.specs.expressions import Binds, Engine, render, sqlite_decoder, sqlite_functions
from dictamesh.specs.expressions.decimals import type_name
from dictamesh.specs.expressions.engines import to_engine
from dictamesh.specs.types import DECIMAL, Kind, Type
from tests.properties.expression_cases import COLUMNS, VALUES

Rows = Sequence[Mapping[str, Any]]
_POSTGRES_TYPES = {
    Kind.STRING: "text",
    Kind.INT: "integer",
    Kind.LONG: "bigint",
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamptz",
    Kind.JSON: "jsonb",
    Kind.ARRAY: "text[]",
}


class Database(Protocol):
    """An engine that holds the table `cells`."""

    engine: Engine

    def run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]: ...

    def decoder(self, type_: Type) -> Callable[[Any], Any]: ...


class Postgres:
    engine = Engine.POSTGRES

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode(), values).fetchall()

    def decoder(self, type_: Type) -> Callable[[Any], Any]:
        return lambda value: value


class SQLite:
    engine = Engine.SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, dict(values)).fetchall()

    def decoder(self, type_: Type) -> Callable[[Any], Any]:
        return sqlite_decoder(type_)


class DuckDB:
    engine = Engine.DUCKDB

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, dict(values)).fetchall()

    def decoder(self, type_: Type) -> Callable[[Any], Any]:
        if type_.kind is Kind.TIMESTAMP:
            return lambda value: None if value is None else value.replace(tzinfo=UTC)
        if type_.kind is Kind.JSON:
            return lambda value: None if value is None else json.loads(value)
        return lambda value: value


def _postgres_type(type_: Type) -> str:
    if type_ == DECIMAL:
        return "numeric"
    if type_.kind is Kind.DECIMAL:
        return f"numeric({type_.precision}, {type_.scale})"
    return _POSTGRES_TYPES[type_.kind]


def _duckdb_type(type_: Type) -> str:
    return "DECIMAL(38, 15)" if type_ == DECIMAL else type_name(type_)


def _postgres_value(type_: Type, value: Any) -> Any:
    return Jsonb(value) if type_.kind is Kind.JSON and value is not None else value


@contextlib.contextmanager
def postgres(dsn: str, table: Rows) -> Iterator[Postgres]:
    """The table on a PostgreSQL server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        shape = ", ".join(f'"{name}" {_postgres_type(type_)}' for name, type_ in COLUMNS.items())
        connection.execute(f"CREATE TABLE cells (id integer PRIMARY KEY, {shape})".encode())
        marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
        with connection.cursor() as cursor:
            cells = [[i, *(_postgres_value(t, row[n]) for n, t in COLUMNS.items())] for i, row in enumerate(table)]
            cursor.executemany(f"INSERT INTO cells VALUES ({marks})".encode(), cells)
        yield Postgres(connection)


@contextlib.contextmanager
def sqlite(table: Rows) -> Iterator[SQLite]:
    """The table in SQLite: dates, times and decimals as text, booleans as 0 and 1."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for name, count, function in sqlite_functions():
            connection.create_function(name, count, function, deterministic=True)
        shape = ", ".join(f'"{name}"' for name in COLUMNS)
        connection.execute(f"CREATE TABLE cells (id INTEGER PRIMARY KEY, {shape})")
        _insert(connection, Engine.SQLITE, table)
        yield SQLite(connection)


@contextlib.contextmanager
def in_duckdb(table: Rows) -> Iterator[DuckDB]:
    """The table in a DuckDB that may load no extension."""
    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with contextlib.closing(duckdb.connect(config=settings)) as connection:
        shape = ", ".join(f'"{name}" {_duckdb_type(type_)}' for name, type_ in COLUMNS.items())
        connection.execute(f"CREATE TABLE cells (id INTEGER, {shape})")
        _insert(connection, Engine.DUCKDB, table)
        yield DuckDB(connection)


def _insert(connection: Any, engine: Engine, table: Rows) -> None:
    marks = ", ".join(["?"] * (len(COLUMNS) + 1))
    cells = [[i, *(to_engine(engine, t, row[n]) for n, t in COLUMNS.items())] for i, row in enumerate(table)]
    if engine is not Engine.DUCKDB:
        connection.executemany(f"INSERT INTO cells VALUES ({marks})", cells)
        return
    for start in range(0, len(cells), 200):  # DuckDB plans each row of executemany anew
        some = cells[start : start + 200]
        values = ", ".join([f"({marks})"] * len(some))
        connection.execute(f"INSERT INTO cells VALUES {values}", [cell for row in some for cell in row])


def evaluate(database: Database, write: Sequence[Callable[[Binds], Any]], types: Sequence[Type]) -> list[list[Any]]:
    """Return the column of values of each expression, in order of the rows, 60 expressions a statement."""
    columns: list[list[Any]] = []
    for start in range(0, len(write), 60):
        binds = Binds(database.engine)
        parts = [render(each(binds), database.engine) for each in write[start : start + 60]]
        found = database.run(f"SELECT {', '.join(parts)} FROM cells ORDER BY id", binds.values(VALUES))
        for index in range(len(parts)):
            decode = database.decoder(types[start + index])
            columns.append([decode(row[index]) for row in found])
    return columns
