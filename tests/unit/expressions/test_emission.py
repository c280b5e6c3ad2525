# SPDX-License-Identifier: Apache-2.0
"""SQL of expressions: bound, quoted, indexed, or refused with a reason."""

import contextlib
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlglot import exp

from dictamesh.specs.expressions import (
    Binds,
    Column,
    Engine,
    NotPushable,
    Parameter,
    by_alias,
    call,
    check,
    emit,
    order_key,
    pushable,
    render,
    sqlite_decoder,
    sqlite_functions,
)
from dictamesh.specs.types import DATE, DECIMAL, LONG, STRING, TIMESTAMP, Kind, Type
from tests.unit.expressions.scope import SCOPE


def sql(source: str, engine: Engine, *, condition: bool = False) -> tuple[str, Binds]:
    emitted = emit(check(source, SCOPE), engine, condition=condition)
    return render(emitted.sql, engine), emitted.binds


@pytest.mark.parametrize("engine", list(Engine))
def test_no_constant_is_written(engine: Engine) -> None:
    text, binds = sql("name = 'it''s; DROP TABLE x' AND id IN (815, 816)", engine, condition=True)
    assert "DROP" not in text
    assert "815" not in text
    assert sorted(map(str, binds.values({}).values())) == ["815", "816", "it's; DROP TABLE x"]


@pytest.mark.parametrize("engine", list(Engine))
def test_names_are_quoted(engine: Engine) -> None:
    column = Column(('a"b%(x)s',), STRING)
    text = render(emit(call("is_null", column), engine).sql, engine)
    shown = '"a""b%%(x)s"' if engine is Engine.POSTGRES else '"a""b%(x)s"'
    assert shown in text


def test_placeholders_have_the_form_of_the_driver() -> None:
    assert ":b0" in sql("id = 1", Engine.SQLITE)[0]
    assert "$b0" in sql("id = 1", Engine.DUCKDB)[0]
    assert "%(b0)s" in sql("id = 1", Engine.POSTGRES)[0]


def test_one_text_serves_every_principal() -> None:
    text, binds = sql("name = ANY(principal.countries) OR name = ANY(principal.countries)", Engine.SQLITE)
    assert len(binds.entries) == 1
    assert text.count(":b0") >= 2
    assert binds.values({"principal.countries": ["DE", None]}) == {"b0": '["DE", null]'}
    assert binds.values({}) == {"b0": None}


def test_parts_of_a_statement_share_their_binds() -> None:
    binds = Binds(Engine.POSTGRES)
    one = emit(check("id = 1", SCOPE), Engine.POSTGRES, binds).sql
    two = emit(check("id = 2", SCOPE), Engine.POSTGRES, binds).sql
    statement = exp.select("*").from_("t").where(one).where(two)
    assert binds.values({}) == {"b0": 1, "b1": 2}
    assert render(statement, Engine.POSTGRES).count("%(b") == 2


def test_columns_of_relations_need_an_alias() -> None:
    expr = check("customer.storeId = name", SCOPE)
    reason = pushable(expr, Engine.POSTGRES)
    assert reason is not None
    assert "customer.storeId" in reason
    column = by_alias({(): "t0", ("customer",): "t1"})
    text = render(emit(expr, Engine.POSTGRES, column=column).sql, Engine.POSTGRES)
    assert '"t1"."storeId"' in text
    assert '"t0"."name"' in text


@pytest.mark.parametrize(
    ("source", "engine"),
    [
        ("COALESCE(1 / id, 0)", Engine.POSTGRES),
        ("(1 / id) IS NULL", Engine.DUCKDB),
        ("1 / id = 1 OR paid", Engine.POSTGRES),
        ("initcap(name)", Engine.DUCKDB),
        ("data ->> 'a'", Engine.DUCKDB),
        ("self.total", Engine.DUCKDB),
        ("power(ratio, 2)", Engine.POSTGRES),
    ],
)
def test_what_an_engine_cannot_say_is_refused_with_a_reason(source: str, engine: Engine) -> None:
    expr = check(source, SCOPE)
    assert pushable(expr, engine)
    with pytest.raises(NotPushable):
        emit(expr, engine)


def test_guards_that_would_explode_are_refused() -> None:
    source = " * ".join(["ratio"] * 20)
    reason = pushable(check(source, SCOPE), Engine.POSTGRES)
    assert reason == "its guarded SQL would be too large"


@pytest.mark.parametrize("engine", [Engine.SQLITE, Engine.POSTGRES])
def test_a_deep_expression_is_written_without_recursion_errors(engine: Engine) -> None:
    expr = check(" || ".join(["name"] * 100), SCOPE)
    assert render(emit(expr, engine).sql, engine)


@pytest.fixture
def database() -> Any:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for name, count, function in sqlite_functions():
            connection.create_function(name, count, function, deterministic=True)
        connection.executescript(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, due_on TEXT, price, at TEXT, paid INTEGER);
            CREATE INDEX by_name ON t (name);
            CREATE INDEX by_day ON t (due_on);
            INSERT INTO t VALUES (1, 'b', '2024-01-01', 2.5, '2024-01-01 10:00:00', 1),
              (2, 'B', '2024-02-29', '10.00', '2024-01-01T09:00:00.5-02:00', 0), (3, NULL, NULL, 9, NULL, NULL),
              (4, 'ä', '2023-12-31', '-0.5', '2024-01-01T10:00:00Z', 1), (5, 'x', '1999-01-01', 'what', 'never', 7);
            """
        )
        yield connection


def run(database: sqlite3.Connection, query: str, binds: Binds, **parameters: Any) -> list[Any]:
    return [row[0] for row in database.execute(query, binds.values(parameters)).fetchall()]


@pytest.mark.parametrize(
    "source",
    ["name = 'b'", "name > 'b' AND due_on IS NOT NULL", "due_on >= '2024-01-01'", "name = ANY(principal.countries)"],
)
def test_sqlite_uses_its_indexes(database: sqlite3.Connection, source: str) -> None:
    text, binds = sql(source, Engine.SQLITE, condition=True)
    plan = database.execute(f"EXPLAIN QUERY PLAN SELECT id FROM t WHERE {text}", binds.values({})).fetchall()
    assert any("USING INDEX" in row[3] or "USING COVERING INDEX" in row[3] for row in plan)


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ("name LIKE 'b'", [1]),
        ("name < 'a'", [2]),
        ("price > 2.5", [2, 3]),
        ("price IS NULL", [5]),
        ("at = '2024-01-01T10:00:00Z'", [1, 4]),
        ("at IS NULL", [3, 5]),
        ("NOT (name = ANY(principal.countries))", []),
        ("1 / (id - 1) = 1", [2]),
        ("NOT (1 / (id - 1) = 1 AND paid)", [2, 3, 4, 5]),
        ("length(name) + id = 3", [2]),
    ],
)
def test_sqlite_means_what_python_means(database: sqlite3.Connection, source: str, ids: list[int]) -> None:
    text, binds = sql(source, Engine.SQLITE, condition=True)
    assert run(database, f"SELECT id FROM t WHERE {text} ORDER BY id", binds) == ids


@pytest.mark.parametrize(
    ("column", "type_", "descending", "ids"),
    [
        ("name", STRING, False, [2, 1, 5, 4, 3]),
        ("name", STRING, True, [4, 5, 1, 2, 3]),
        ("price", DECIMAL, False, [4, 1, 3, 2, 5]),
        ("price", DECIMAL, True, [2, 3, 1, 4, 5]),
        ("due_on", DATE, True, [2, 1, 4, 5, 3]),
        ("at", TIMESTAMP, False, [1, 4, 2, 3, 5]),
    ],
)
def test_sqlite_orders(
    database: sqlite3.Connection, column: str, type_: Type, descending: bool, ids: list[int]
) -> None:
    binds = Binds(Engine.SQLITE)
    key = render(order_key(Column((column,), type_), Engine.SQLITE, binds, descending=descending), Engine.SQLITE)
    assert run(database, f"SELECT id FROM t ORDER BY {key}, id", binds) == ids


@pytest.mark.parametrize(
    ("type_", "stored", "read"),
    [
        (Type(Kind.DECIMAL, 12, 2), 19.989999999, Decimal("19.99")),
        (Type(Kind.DECIMAL, 12, 2), "1.005", Decimal("1.01")),
        (DECIMAL, "1.50", Decimal("1.50")),
        (DECIMAL, "x", None),
        (LONG, 2**63, None),
        (LONG, "5", None),
        (DATE, "2024-02-30", None),
        (DATE, "2024-02-29", date(2024, 2, 29)),
        (TIMESTAMP, "2024-02-29T10:00:00+01:00", datetime(2024, 2, 29, 9, tzinfo=UTC)),
        (Type(Kind.ARRAY, item=DATE), '["2024-01-01", null]', [date(2024, 1, 1), None]),
        (Type(Kind.ARRAY, item=DATE), '"x"', None),
        (Type(Kind.BOOLEAN), 1, True),
        (Type(Kind.BOOLEAN), 7, None),
        (STRING, b"x", None),
        (Type(Kind.JSON), '{"a": [1]}', {"a": [1]}),
    ],
)
def test_sqlite_values_are_read_by_type(type_: Type, stored: Any, read: Any) -> None:
    assert sqlite_decoder(type_)(stored) == read


def test_a_parameter_may_be_missing() -> None:
    binds = Binds(Engine.DUCKDB)
    name = binds.add(Parameter("now", TIMESTAMP))
    assert binds.add(Parameter("now", TIMESTAMP)) == name
    assert binds.values({"now": datetime(2024, 1, 1, tzinfo=UTC)}) == {name: datetime(2024, 1, 1)}
