# SPDX-License-Identifier: Apache-2.0
"""Tables by name and queries that only read."""

import pytest

from dictamesh.connectors.sql.relation import query_problem, table_parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("invoices", ("invoices",)),
        ("sales.invoices", ("sales", "invoices")),
        ("db.sales.invoices", ("db", "sales", "invoices")),
        ('"a.b".c', ("a.b", "c")),
        ('"say ""hi"""', ('say "hi"',)),
        ("the people", ("the people",)),
        ('a"; DROP TABLE b; --', ('a"; DROP TABLE b; --',)),
        ('we"ird', ('we"ird',)),
        ("a.b.c.d", ("a.b.c.d",)),
        (".a", (".a",)),
        ("a.", ("a.",)),
        ('"a"b', ('"a"b',)),
        ("größe.表", ("größe", "表")),
    ],
)
def test_names_are_split_at_their_dots(name: str, parts: tuple[str, ...]) -> None:
    assert table_parts(name) == parts


READING = [
    "SELECT 1 AS a",
    "SELECT * FROM t WHERE x = ';' -- a comment",
    "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
    "SELECT a FROM t UNION ALL SELECT b FROM u",
    "SELECT 10 % 3 AS a",
]
WRITING = [
    "DELETE FROM t",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DROP TABLE t",
    "CREATE TABLE t (a int)",
    "SELECT 1; SELECT 2",
    "SELECT 1;",
    "SELECT 1; DROP TABLE t",
    "SELECT 1) AS x; DROP TABLE t; --",
    "SELECT * INTO u FROM t",
    "",
    "   ",
    "-- nothing",
    "VACUUM",
    "PRAGMA query_only = OFF",
    "ATTACH 'x.db' AS y",
    "COPY t TO '/tmp/x'",
    "SET a = 1",
    "SELECT :name",
    "SELECT (",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT '" + "x" * 30_000 + "'",
]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "duckdb"])
@pytest.mark.parametrize("query", READING)
def test_a_single_select_is_taken(query: str, dialect: str) -> None:
    assert query_problem(query, dialect) is None


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "duckdb"])
@pytest.mark.parametrize("query", WRITING)
def test_everything_else_is_refused(query: str, dialect: str) -> None:
    assert query_problem(query, dialect)


@pytest.mark.parametrize(
    "query",
    [
        "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
        "SELECT * FROM t FOR UPDATE",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT lo_import('/etc/passwd')",
        "SELECT $1",
        "SELECT %(x)s",
    ],
)
def test_postgres_ways_to_write_are_refused(query: str) -> None:
    assert query_problem(query, "postgres")
