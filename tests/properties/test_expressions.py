# SPDX-License-Identifier: Apache-2.0
"""Python, SQLite, DuckDB and PostgreSQL give one answer to every expression that is pushed down (S5).

`DICTAMESH_SEED` chooses other expressions and rows than the usual ones.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from functools import cache
from typing import Any

import psycopg
import pytest

from dictamesh.specs.expressions import (
    Binds,
    Call,
    Column,
    Engine,
    Expr,
    ExpressionFailed,
    Literal,
    compile_filter,
    compile_python,
    emit,
    order_key,
    pushable,
    render,
    walk,
)
from dictamesh.specs.expressions.casts import conversion
from dictamesh.specs.expressions.functions import FUNCTIONS
from dictamesh.specs.expressions.jsons import json_text
from dictamesh.specs.expressions.strings import MAX_TEXT_RESULT
from dictamesh.specs.types import STRING, Kind, Type
from tests.properties.expression_cases import COLUMNS, PARAMETERS, POOLS, VALUES, Case, cases, rows
from tests.properties.expression_engines import Database, Postgres, evaluate, in_duckdb, postgres, sqlite
from tests.support.postgres import fresh_database

SEED = int(os.environ.get("DICTAMESH_SEED", "2024"))
EACH, ROWS = 4, 40
ENOUGH = 100
TABLE = rows(SEED, ROWS)
ENGINES = ["sqlite", "duckdb", "postgres", "postgres15"]


@cache
def generated() -> tuple[tuple[Case, tuple[Any, ...]], ...]:
    """The expressions, each with the values that Python gives for the rows; a failure is None."""
    return tuple((case, tuple(_python(case.expr, TABLE))) for case in cases(SEED, EACH))


def _python(expr: Expr, table: list[dict[str, Any]]) -> Iterator[Any]:
    run = compile_python(expr)
    for row in table:
        try:
            yield run(row, VALUES)
        except ExpressionFailed:
            yield None


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(sqlite(TABLE))
        elif request.param == "duckdb":
            yield stack.enter_context(in_duckdb(TABLE))
        else:
            server = request.getfixturevalue("embedded_dsn" if request.param == "postgres" else "postgres15_dsn")
            yield stack.enter_context(postgres(stack.enter_context(fresh_database(server)), TABLE))


def test_a_fifth_of_the_cells_is_null() -> None:
    cells = [value for row in TABLE for value in row.values()]
    assert 0.17 < cells.count(None) / len(cells) < 0.23


def test_every_operator_and_function_is_evaluated_often() -> None:
    assert set(FUNCTIONS) - set(_enough(case for case, _ in generated())) == set()


def _enough(of: Any) -> list[str]:
    counts = Counter(node.name for case in of for node in walk(case.expr) if isinstance(node, Call))
    return [name for name, count in counts.items() if count * ROWS >= ENOUGH]


def test_values_agree(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    pushed = [(case, want) for case, want in generated() if pushable(case.expr, database.engine) is None]
    _say(capsys, database, pushed)
    assert len(pushed) / len(generated()) >= 0.8

    write = [_writer(case.expr, database.engine, condition=False) for case, _ in pushed]
    found = evaluate(database, write, [case.expr.type for case, _ in pushed])

    exact = database.engine is not Engine.DUCKDB
    wrong = [
        _difference(case, got, want, exact)
        for (case, want), got in zip(pushed, found, strict=True)
        if not all(_same(case.expr.type, a, b, exact) for a, b in zip(got, want, strict=True))
    ]
    assert wrong == []


def test_what_is_pushed_down_is_evaluated_often(database: Database) -> None:
    pushed = [case for case, _ in generated() if pushable(case.expr, database.engine) is None]
    known = {node.name for case in pushed for node in walk(case.expr) if isinstance(node, Call)}
    assert known - set(_enough(pushed)) == set()


def test_filters_keep_the_same_rows(database: Database) -> None:
    conditions = [case for case, _ in generated() if case.expr.type.kind is Kind.BOOLEAN]
    pushed = [case for case in conditions if pushable(case.expr, database.engine, condition=True) is None]
    assert len(pushed) / len(conditions) >= 0.8

    write = [_writer(case.expr, database.engine, condition=True) for case in pushed]
    found = evaluate(database, write, [case.expr.type for case in pushed])

    wrong = []
    for case, got in zip(pushed, found, strict=True):
        keep = compile_filter(case.expr)
        want = [keep(row, VALUES) for row in TABLE]
        if [value is True for value in got] != want:
            wrong.append((case.text, got, want))
    assert wrong == []


def _writer(expr: Expr, engine: Engine, *, condition: bool) -> Callable[[Binds], Any]:
    return lambda binds: emit(expr, engine, binds, condition=condition).sql


def _say(capsys: pytest.CaptureFixture[str], database: Database, pushed: list[Any]) -> None:
    count = len(generated())
    reasons = Counter(pushable(case.expr, database.engine) for case, _ in generated())
    with capsys.disabled():
        print(f"\n{database.engine.value}: {len(pushed)} of {count} expressions pushed down, {len(pushed) / count:.1%}")
        if database.engine is Engine.SQLITE:
            native = sum(
                "dm_eval" not in render(emit(case.expr, Engine.SQLITE).sql, Engine.SQLITE) for case, _ in pushed
            )
            print(f"  {native} of them by operators of SQLite alone, the others through the function of Python")
        for reason, times in reasons.most_common():
            if reason is not None:
                print(f"  {times:4}  {reason}")


def _same(type_: Type, got: Any, want: Any, exact: bool) -> bool:
    if got is None or want is None:
        return got is want
    if type_.kind is Kind.DECIMAL:
        return str(got) == str(want) if exact else bool(got == want)
    if type_.kind is Kind.JSON:
        return json_text(got) == json_text(want)
    return bool(got == want) and (type(got) is type(want))


def _difference(case: Case, got: list[Any], want: tuple[Any, ...], exact: bool) -> str:
    at = next(i for i, pair in enumerate(zip(got, want, strict=True)) if not _same(case.expr.type, *pair, exact))
    reads = {node.path[0]: TABLE[at][node.path[0]] for node in walk(case.expr) if isinstance(node, Column)}
    return f"{case.text} on {reads}: got {got[at]!r}, Python says {want[at]!r}"


@pytest.mark.parametrize("column", [name for name, type_ in COLUMNS.items() if type_.scalar and name != "d3"])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
def test_order_agrees(database: Database, column: str, descending: bool) -> None:
    expr = Column((column,), COLUMNS[column])
    binds = Binds(database.engine)
    key = render(order_key(expr, database.engine, binds, descending=descending), database.engine)

    found = [row[0] for row in database.run(f"SELECT id FROM cells ORDER BY {key}, id", binds.values(VALUES))]

    ids = sorted(
        (i for i, row in enumerate(TABLE) if row[column] is not None),
        key=lambda i: TABLE[i][column],
        reverse=descending,
    )
    assert found[len(ids) :] == [i for i, row in enumerate(TABLE) if row[column] is None]
    assert [TABLE[i][column] for i in found[: len(ids)]] == [TABLE[i][column] for i in ids]


def test_the_written_text_means_what_postgresql_means(embedded_dsn: str) -> None:
    """The text as the user wrote it, run by PostgreSQL, against Python: on values that both languages know."""
    table = [{name: _tame(name, value) for name, value in row.items()} for row in TABLE]
    known = [case for case, _ in generated() if not any(map(_differs_by_rule, walk(case.expr)))]
    assert len(known) / len(generated()) > 0.7

    with fresh_database(embedded_dsn) as dsn, postgres(dsn, table) as server:
        wrong = [
            (case.text, got, want)
            for case in known
            if (got := _as_written(server, case))
            != (want := [_text(case.expr.type, v) for v in _python(case.expr, table)])
        ]

    assert wrong == []


_STRANGE = {
    "0x1F",
    "1_000",
    "NaN",
    "bad\\",
    "%" * 9,
    "a" * 300,
    *(text for text in POOLS["m1"] if text != "2024-02-29"),
}


def _tame(name: str, value: Any) -> Any:
    """Leave out what the language defines otherwise: distant years, other forms of text, long patterns."""
    if isinstance(value, date) and not 1000 < value.year < 3000:
        return None
    if name == "j1":
        return None if "null" in json.dumps(value) else value
    return None if isinstance(value, str) and value in _STRANGE and name != "s1" else value


def _differs_by_rule(node: Expr) -> bool:
    """Return whether the language has limits of its own there (years, sizes of texts), or jsonb reads it otherwise."""
    if not isinstance(node, Call):
        return False
    if _planned_ahead(node):
        return True
    if node.name in {"add_days", "sub_days"} or (node.name == "extract" and isinstance(node.args[1], Call)):
        return not isinstance(node.args[1], Literal)
    if node.name == "make_date":
        year = node.args[0]
        return not (isinstance(year, Call) and year.name == "add" and isinstance(year.args[1], Literal))
    if node.name == "cast":
        return node.type.kind is Kind.JSON  # 1e15 is a float to Python, and written 1000000000000000.0
    if node.name in {"repeat", "lpad", "rpad"}:
        return not isinstance(node.args[1], Literal) or node.args[1].value > MAX_TEXT_RESULT
    if node.name in {"json_get", "json_get_text"}:
        return node.args[1].type.kind is Kind.INT
    return node.name == "right" and not isinstance(node.args[1], Literal)


def _planned_ahead(node: Call) -> bool:
    """Return whether the planner decides a part from constants: one fails though no row needs it, or is left out."""
    constant = [not any(isinstance(part, Column) for part in walk(arg)) for arg in (node, *node.args)]
    if node.name in {"and", "or"}:
        return any(constant[1:])
    return constant[0] and list(_python(node, [{}])) == [None]


def _as_written(server: Postgres, case: Case) -> list[str | None]:
    text = case.text
    for name, type_ in PARAMETERS.items():
        text = text.replace(name, _constant(VALUES.get(name), type_))
    text = text.replace("now()", f"'{VALUES['now']}'::timestamptz").replace(
        "CURRENT_DATE", f"'{VALUES['today']}'::date"
    )
    text = re.sub(r"\bjson_(typeof|array_length)", r"jsonb_\1", text)
    try:
        found = server.connection.execute(f"SELECT ({text})::text FROM cells ORDER BY id".encode()).fetchall()
    except psycopg.Error:
        found = [_one_row(server, text, i) for i in range(ROWS)]
    return [_finite(value) for (value,) in found]


def _one_row(server: Postgres, text: str, row: int) -> tuple[str | None]:
    try:
        return server.connection.execute(f"SELECT ({text})::text FROM cells WHERE id = {row}".encode()).fetchall()[0]
    except psycopg.Error:
        return (None,)


def _finite(value: str | None) -> str | None:
    return None if value in {"NaN", "Infinity", "-Infinity"} else value and value.removesuffix("+00")


def _constant(value: Any, type_: Type) -> str:
    if type_.kind is Kind.ARRAY:
        name = "integer[]" if type_.item is not None and type_.item.kind is Kind.INT else "text[]"
        return f"NULL::{name}" if value is None else "ARRAY[" + ", ".join(map(repr, value)) + f"]::{name}"
    return f"'{value}'::text"


def _text(type_: Type, value: Any) -> str | None:
    convert = conversion(type_, STRING)
    assert convert is not None
    if value is None:
        return None
    shown = convert(value)
    return shown.removesuffix("+00")
