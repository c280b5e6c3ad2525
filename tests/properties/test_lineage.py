# SPDX-License-Identifier: Apache-2.0
"""No column that can change a value is missing in its lineage: held against what expressions and statements do.

`DICTAMESH_SEED` chooses other expressions, statements and rows than the usual ones.
"""

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dictamesh.runtime.lineage.expressions import reads
from dictamesh.runtime.lineage.statements.flows import Flows
from dictamesh.runtime.lineage.statements.statement import read_statement
from dictamesh.specs.expressions import Expr, ExpressionFailed, compile_python
from dictamesh.specs.expressions.tree import columns
from tests.properties.expression_cases import COLUMNS, VALUES, cases, rows

SEED = int(os.environ.get("DICTAMESH_SEED", "2024"))
TABLE = rows(SEED, 24)
EXPRESSIONS = cases(SEED, 4)
FAILED = object()


def _value(run: Any, row: dict[str, Any]) -> Any:
    try:
        return run(row, VALUES)
    except ExpressionFailed:
        return FAILED


def _moved(expr: Expr) -> dict[str, int]:
    """By column, in how many rows another value of it changes the value of the expression."""
    run = compile_python(expr)
    found: Counter[str] = Counter()
    for index, row in enumerate(TABLE):
        before = _value(run, row)
        for name in COLUMNS:
            other = {**row, name: TABLE[(index + 7) % len(TABLE)][name]}
            after = _value(run, other)
            found[name] += not (after is before or (type(after) is type(before) and after == before))
    return found


def test_whatever_changes_a_value_is_in_its_lineage() -> None:
    dependent = 0
    for case in EXPRESSIONS:
        told = {path[0] for path in reads(case.expr)}
        moving = {name for name, times in _moved(case.expr).items() if times}
        assert moving <= told, case
        assert told == {path[0] for path in columns(case.expr)}
        dependent += len(moving)
    assert dependent > len(EXPRESSIONS), "most expressions do depend on their columns"


# Statements over two tables, in the SQL that SQLite runs. Each part is chosen at random.
A, B = ("id", "a", "b", "c"), ("id", "x", "y", "z")
STEPS = 200_000  # of SQLite's machine


class Statements:
    """A generator of statements: joins, sub-selects, unions, windows, aggregates, conditions, in one another."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, names: list[str], depth: int = 0) -> str:
        one, two = (self.random.choice(names) for _ in range(2))
        forms = [
            one,
            one,
            f"{one} + {two}",
            f"coalesce({one}, {two})",
            f"CASE WHEN {one} > 2 THEN {two} ELSE 0 END",
            f"CASE {one} WHEN 1 THEN {two} WHEN {two} THEN 7 END",
            f"nullif({one}, {two})",
            f"CAST({one} AS TEXT) || 'x'",
            "5",
        ]
        if depth < 1:
            forms.append(f"(SELECT max(y) FROM beta WHERE beta.x = {one})")
            forms.append(f"EXISTS (SELECT 1 FROM beta WHERE z = {one} AND y > 1)")
        return self.random.choice(forms)

    def condition(self, names: list[str]) -> str:
        one, two = (self.random.choice(names) for _ in range(2))
        return self.random.choice(
            [f"{one} > {two}", f"{one} IS NOT NULL", f"{one} IN (SELECT z FROM beta WHERE y < 3)", f"{one} = 2"]
        )

    def source(self, depth: int) -> tuple[str, list[str]]:
        """What stands after FROM, and the columns it has."""
        kind = self.random.choice(
            ["alpha", "beta", "join", "using", "select", "select"] if depth < 3 else ["alpha", "beta"]
        )
        if kind == "alpha":
            return "alpha AS t", [f"t.{name}" for name in A]
        if kind == "beta":
            return "beta AS u", [f"u.{name}" for name in B]
        names = [f"t.{name}" for name in A] + [f"u.{name}" for name in B]
        if kind == "join":
            side = self.random.choice(["JOIN", "LEFT JOIN"])
            return (
                f"alpha AS t {side} beta AS u ON {self.random.choice(['t.id = u.id', 't.a = u.x AND u.y > t.b'])}",
                names,
            )
        if kind == "using":
            return "alpha AS t JOIN beta AS u USING (id)", ["id", *(name for name in names if not name.endswith(".id"))]
        inner, count = self.query(depth + 1)
        return f"({inner}) AS s", [f"s.o{index}" for index in range(count)]

    def query(self, depth: int = 0) -> tuple[str, int]:
        """A SELECT with outputs o0, o1, ... and their number."""
        kind = self.random.choice(["plain", "plain", "group", "window", "union", "with"])
        if kind == "union":
            (left, count), (right, other) = self.query(depth + 2), self.query(depth + 2)
            names = ", ".join(f"o{index}" for index in range(min(count, other)))
            word = self.random.choice(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
            return f"SELECT {names} FROM ({left}) {word} SELECT {names} FROM ({right})", min(count, other)
        if kind == "with":
            inner, count = self.query(depth + 2)
            names = ", ".join(f"o{index}" for index in range(count))
            return f"WITH w ({names}) AS ({inner}) SELECT * FROM w WHERE {self.condition(['o0'])}", count
        source, names = self.source(depth)
        where = f" WHERE {self.condition(names)}" if self.random.random() < 0.4 else ""
        if kind == "group":
            key, of = self.random.choice(names), self.random.choice(names)
            total = self.random.choice(
                [f"sum({of})", f"count({of})", "count(*)", f"max({of}) + 1", f"count(DISTINCT {of})"]
            )
            having = f" HAVING count(*) > {self.random.choice([0, 1])}" if self.random.random() < 0.3 else ""
            return f"SELECT {key} AS o0, {total} AS o1 FROM {source}{where} GROUP BY {key}{having}", 2
        if kind == "window":
            part, order = self.random.choice(names), self.random.choice(names)
            over = f"(PARTITION BY {part} ORDER BY {order}, {names[0]})"
            shown = self.random.choice(
                [f"row_number() OVER {over}", f"sum({names[-1]}) OVER {over}", f"lag({part}) OVER {over}"]
            )
            return f"SELECT {names[0]} AS o0, {shown} AS o1 FROM {source}{where}", 2
        outputs = [f"{self.value(names)} AS o{index}" for index in range(self.random.choice([1, 2, 3]))]
        distinct = "DISTINCT " if self.random.random() < 0.2 else ""
        order = f" ORDER BY {self.random.choice(names)} LIMIT 4" if depth and self.random.random() < 0.3 else ""
        return f"SELECT {distinct}{', '.join(outputs)} FROM {source}{where}{order}", len(outputs)


def _database(data: random.Random) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for name, names in (("alpha", A), ("beta", B)):
        connection.execute(f"CREATE TABLE {name} ({', '.join(f'{column} INTEGER' for column in names)})")
        for _ in range(9):
            row = [data.choice([None, 1, 2, 3, 4]) for _ in names]
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(names))})", row)
    return connection


def _shuffled(connection: sqlite3.Connection, data: random.Random) -> Iterator[tuple[str, str, sqlite3.Connection]]:
    """The database with one column changed everywhere, for each column."""
    for table, names in (("alpha", A), ("beta", B)):
        for column in names:
            other = sqlite3.connect(":memory:", isolation_level=None)
            connection.backup(other)
            for (row,) in other.execute(f"SELECT rowid FROM {table}").fetchall():
                other.execute(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (data.choice([None, 0, 2, 3, 5]), row)
                )
            yield table, column, other
            other.close()


def _results(connection: sqlite3.Connection, sql: str, count: int) -> list[Counter[Any]] | None:
    """The values of each output; None for a statement that takes too many steps."""
    connection.set_progress_handler(lambda: True, STEPS)
    try:
        found = connection.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return None
    return [Counter(row[index] for row in found) for index in range(count)]


def _holds(flows: Flows, table: str, column: str) -> bool:
    return any(flow.table == (table,) and flow.column in {column, ""} for flow in flows)


@pytest.mark.parametrize("part", range(4))
def test_whatever_changes_a_statement_is_in_its_lineage(part: int) -> None:
    """400 statements, each run on three databases and on each with one column changed: who moves must be named."""
    made, data = Statements(SEED * 10 + part), random.Random(SEED + part)
    known = {("alpha",): A, ("beta",): B}
    checked = moved = silent = 0
    for _ in range(100):
        sql, count = made.query()
        told = read_statement(sql, "sqlite", [f"o{index}" for index in range(count)], known)
        assert told.whole, sql
        for _ in range(3):
            connection = _database(data)
            before = _results(connection, sql, count)
            if before is None:
                break
            for table, column, other in _shuffled(connection, data):
                after = _results(other, sql, count)
                if after is None:
                    continue
                for index in range(count):
                    named = _holds(told.columns[f"o{index}"] | told.rows, table, column)
                    checked += 1
                    silent += not named
                    if after[index] != before[index]:
                        moved += 1
                        assert named, f"{table}.{column} changes o{index} of {sql}"
            connection.close()
    assert moved > 500
    assert silent > checked // 4, "lineage that names every column would say nothing"
