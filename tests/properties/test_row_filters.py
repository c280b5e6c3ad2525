# SPDX-License-Identifier: Apache-2.0
"""Row filters keep the same rows in SQL and in Python: 100,000 random rows, a fifth of their cells NULL (S17, S18)."""

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dictamesh.runtime.governance.conditions import condition
from dictamesh.specs.expressions import Binds, Expr, check, emit, pushable, render
from dictamesh.specs.types import Kind
from tests.properties.expression_cases import SCOPE, VALUES, cases, rows
from tests.properties.expression_engines import Database, in_duckdb, postgres, sqlite
from tests.support.postgres import fresh_database

ROWS = 25_000  # for each of four engines
SEED = 11
WRITTEN = (
    "s1 = 'a'",
    "s1 <> 'a'",
    "NOT s1 = 'a'",
    "s1 = ANY(principal.countries)",
    "NOT (s1 = ANY(principal.countries))",
    "s1 = ANY(principal.none)",
    "s1 = ANY(principal.missing)",
    "s1 IS NULL OR s1 = s2",
    "s1 IN ('a', 'ab', '') AND b1",
    "b1 IS NOT TRUE",
    "b1 AND (b2 OR s1 IS NULL)",
    "i1 = ANY(principal.levels) OR i1 IS NULL",
    "i1 BETWEEN 0 AND 100",
    "i1 + i2 > 0",
    "i1 / i2 > 1",
    "d1 >= 1.50 AND d1 < d2",
    "f1 > 0 AND f1 < f2",
    "day1 < CURRENT_DATE",
    "day1 <= day2 OR day2 IS NULL",
    "at1 >= TIMESTAMPTZ '2024-01-31T10:00:00Z'",
    "at1 < now() AND at2 IS NOT NULL",
    "s1 LIKE 'a%' OR s2 LIKE '%b'",
    "coalesce(s1, s2, '') = ''",
    "CASE WHEN b1 THEN i1 > 0 WHEN b2 IS NULL THEN FALSE ELSE s1 = 'a' END",
    "request.purpose = 'service' AND lower(s1) = 'a'",
    "length(s1) > 2 AND s1 IS DISTINCT FROM s2",
)


def filters() -> list[Expr]:
    """Filters as stewards write them, and conditions of the generator."""
    made = [each.expr for each in cases(SEED, 2) if each.expr.type.kind is Kind.BOOLEAN]
    return [*(check(text, SCOPE) for text in WRITTEN), *random.Random(SEED).sample(made, 24)]


FILTERS = filters()


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "postgres15"])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[Database, list]]:
    number = ("sqlite", "duckdb", "postgres", "postgres15").index(request.param)
    table = rows(SEED + number, ROWS)
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(sqlite(table)), table
        elif request.param == "duckdb":
            yield stack.enter_context(in_duckdb(table)), table
        else:
            server = request.getfixturevalue("embedded_dsn" if request.param == "postgres" else "postgres15_dsn")
            yield stack.enter_context(postgres(stack.enter_context(fresh_database(server)), table)), table


def test_sql_and_python_keep_the_same_rows(database: tuple[Database, list]) -> None:
    engine, table = database
    judged = kept = 0
    for expr in FILTERS:
        if pushable(expr, engine.engine, condition=True) is not None:
            continue
        binds = Binds(engine.engine)
        where = render(emit(expr, engine.engine, binds, condition=True).sql, engine.engine)
        found = engine.run(f"SELECT id FROM cells WHERE {where} ORDER BY id", binds.values(VALUES))
        holds = condition(expr)
        expected = [index for index, row in enumerate(table) if holds(row, VALUES)]
        assert [row[0] for row in found] == expected, where
        judged += 1
        kept += bool(expected) and len(expected) < ROWS
    assert judged >= 30
    assert kept >= 20
