# SPDX-License-Identifier: Apache-2.0
"""Exported tables in real databases: they are made, they describe themselves, they hold what the contract says."""

import sqlite3
from contextlib import closing

import duckdb
import psycopg
import pytest

from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.exports.ddl import ddl
from dictamesh.runtime.exports.dialects import DIALECTS
from dictamesh.specs.documents import Memory
from tests.integration.execution.harness import compiled
from tests.support.depot import FILES
from tests.support.postgres import fresh_database

INSERT = "INSERT INTO goods (id, label, state) VALUES ({}, {}, {})"
GOOD = (1, "'saw'", "'in stock'")
BAD = {
    "no key": ("NULL", "'nail'", "NULL"),
    "the same key": (1, "'nail'", "NULL"),
    "no label": (2, "NULL", "NULL"),
    "the same label": (2, "'saw'", "NULL"),
    "another state": (2, "'nail'", "'in_stock'"),
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compiled(Memory(FILES))


def entities(plan: Plan) -> list[EntityPlan]:
    return list(plan.entities.values())


def test_sqlite(plan: Plan) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for entity in entities(plan):
            database.executescript(ddl(entity, DIALECTS["sqlite"]))
        found = {row[1]: row[5] for row in database.execute("PRAGMA table_info(sites)")}
        assert found == {"maker": 1, "number": 2, "city": 0}
        database.execute(INSERT.format(*GOOD))
        for name, row in BAD.items():
            if name != "no key":  # an INTEGER PRIMARY KEY takes NULL for "the next one"
                with pytest.raises(sqlite3.IntegrityError):
                    database.execute(INSERT.format(*row))


def test_duckdb(plan: Plan) -> None:
    with closing(duckdb.connect()) as database:
        for entity in entities(plan):
            database.execute(ddl(entity, DIALECTS["duckdb"]))
        said = "SELECT comment FROM duckdb_columns() WHERE table_name = 'goods' AND column_name = 'keeper'"
        assert database.execute(said).fetchall() == [("[restricted: pii]",)]
        database.execute(INSERT.format(*GOOD))
        for row in BAD.values():
            with pytest.raises(duckdb.ConstraintException):
                database.execute(INSERT.format(*row))


def test_postgres(plan: Plan, embedded_dsn: str) -> None:
    with fresh_database(embedded_dsn) as dsn, psycopg.connect(dsn, autocommit=True) as database:
        for entity in entities(plan):
            database.execute(ddl(entity, DIALECTS["postgres"]).encode())
        said = database.execute(
            "SELECT obj_description('goods'::regclass), col_description('goods'::regclass, 2)"
        ).fetchone()
        assert said == ("A thing in the depot; it's */ any thing.", "What's on it. [public]")
        database.execute(INSERT.format(*GOOD).encode())
        for row in BAD.values():
            with pytest.raises(psycopg.IntegrityError):
                database.execute(INSERT.format(*row).encode())
