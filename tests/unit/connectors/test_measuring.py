# SPDX-License-Identifier: Apache-2.0
"""Queries of quality rules: what stands for table and column is put into the tree, and the rest stays as written."""

import pytest
import sqlglot
from sqlglot import exp

from dictamesh.connectors.sql.measuring import measuring
from dictamesh.connectors.sql.options import SqlEntity
from dictamesh.specs.expressions.engines import Engine
from dictamesh.specs.manifest import Measure, Source, SourceColumn
from dictamesh.specs.types import DECIMAL, INT, STRING

ODD = 'a"b; --'
PLAIN = Source("a#B", "crm.customers", (), ("id",), SqlEntity())
OWN = Source("a#B", "customers", (), ("id",), SqlEntity(query="SELECT * FROM t WHERE x > 0 -- mine"))
NAMED = Source("a#B", f'"{ODD.replace(chr(34), chr(34) * 2)}"', (), ("id",), SqlEntity())


def measured(
    text: str, source: Source = PLAIN, column: str | None = "e_mail", engine: Engine = Engine.POSTGRES
) -> Measure:
    found = measuring(engine).measure(source, text, column)
    assert isinstance(found, Measure), found
    return found


@pytest.mark.parametrize("engine", [Engine.POSTGRES, Engine.SQLITE])
@pytest.mark.parametrize(
    ("text", "query", "counts"),
    [
        (
            "SELECT COUNT(*) FROM {object} WHERE {property} IS NULL",
            'SELECT COUNT(*) AS "value" FROM "crm"."customers" AS "customers" WHERE "e_mail" IS NULL',
            True,
        ),
        (
            "select count(*) as n from ${table} t where t.${column} = 'x' and ${table}.y > 0",
            'SELECT COUNT(*) AS "n" FROM "crm"."customers" AS "t" WHERE t."e_mail" = \'x\' AND "customers".y > 0',
            True,
        ),
        (
            'SELECT MAX({field}) FROM "{model}"',
            'SELECT MAX("e_mail") AS "value" FROM "crm"."customers" AS "customers"',
            False,
        ),
        ("SELECT COUNT(*) FROM other.{object}", 'SELECT COUNT(*) AS "value" FROM other."customers"', True),
        (
            "SELECT COUNT(*) FROM log WHERE name = '{column} of {table}'",
            "SELECT COUNT(*) AS \"value\" FROM log WHERE name = 'e_mail of customers'",
            True,
        ),
        ("SELECT 100.0 * COUNT(x) / COUNT(*) FROM t", 'SELECT 100.0 * COUNT(x) / COUNT(*) AS "value" FROM t', True),
        ("SELECT COUNT(*) FROM t GROUP BY x", 'SELECT COUNT(*) AS "value" FROM t GROUP BY x', False),
        ("SELECT x + COUNT(*) FROM t", 'SELECT x + COUNT(*) AS "value" FROM t', False),
        ("SELECT 1 UNION SELECT COUNT(*) FROM t", 'SELECT 1 AS "value" UNION SELECT COUNT(*) FROM t', False),
    ],
)
def test_placeholders(engine: Engine, text: str, query: str, counts: bool) -> None:
    found = measured(text, engine=engine)
    assert (found.query, found.counts) == (query, counts)


def test_a_query_stands_for_the_table_of_an_entity() -> None:
    found = measured("SELECT COUNT(*) FROM {object} WHERE {object}.y > 0", OWN)
    assert found.query == (
        'SELECT COUNT(*) AS "value" FROM (SELECT * FROM t WHERE x > 0) AS "customers" WHERE "customers".y > 0'
    )


@pytest.mark.parametrize("engine", [Engine.POSTGRES, Engine.SQLITE])
def test_odd_names_stay_names(engine: Engine) -> None:
    found = measured("SELECT COUNT(*) FROM {object} WHERE {property} = '{property}'", NAMED, ODD, engine)
    tree = sqlglot.parse_one(found.query, dialect=engine.value)
    assert [each.name for each in tree.find_all(exp.Table)] == [ODD]
    assert [each.name for each in tree.find_all(exp.Column)] == [ODD]
    assert [each.this for each in tree.find_all(exp.Literal)] == [ODD]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT a, b FROM {object}", "the query must select one value"),
        ("SELECT * FROM {object}", "the query must select one value"),
        ("SELECT COUNT({place}) FROM {object}", "there is no placeholder '{place}'"),
        ("SELECT COUNT(*) FROM {object} WHERE {column} > 0", "'{column}' stands for the column of a property"),
        ("DELETE FROM {object}", "the query must be a SELECT"),
        ("SELECT 1; SELECT 2", "the query must be one statement"),
        ("SELECT COUNT(*) FROM {object} FOR UPDATE", "the query must only read"),
        ("SELECT pg_notify('a', 'b')", "the function pg_notify is not allowed"),
        ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "the query is no postgres SQL that can be checked"),
        ("SELECT 1 " + " " * 20_000, "the query is longer"),
        ("SELECT $1", "the query must only read"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    found = measuring(Engine.POSTGRES).measure(PLAIN, text, None)
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_over_a_faulty_query_nothing_is_measured() -> None:
    faulty = Source("a#B", "customers", (), ("id",), SqlEntity(query="DROP TABLE x"))
    found = measuring(Engine.POSTGRES).measure(faulty, "SELECT COUNT(*) FROM {object}", None)
    assert found == "the query that stands for the entity's table cannot be read"


def test_duplicates() -> None:
    sql = measuring(Engine.POSTGRES)
    found = sql.duplicates(PLAIN, (SourceColumn("e_mail", STRING), SourceColumn("n", INT)))
    assert found is not None
    assert found.counts
    assert 'GROUP BY CAST("rows"."e_mail" AS TEXT) COLLATE "C", "rows"."n"' in found.query
    assert sql.duplicates(PLAIN, (SourceColumn("price", DECIMAL),)) is None, "scales would make a difference"
