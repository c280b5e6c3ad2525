# SPDX-License-Identifier: Apache-2.0
"""Every metric at every kind of source: counted there or here, the numbers are those of the rows."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.quality.results import Outcome, Result
from tests.integration.connectors.people import CSV_ROWS, ROWS
from tests.integration.quality.homes import HOMES, at_home, by_reading, only, plan, results

Row = dict[str, Any]


def count(holds: Callable[[Row], bool]) -> Callable[[list[Row]], int]:
    return lambda rows: sum(map(holds, rows))


def surplus(*names: str) -> Callable[[list[Row]], int]:
    def measured(rows: list[Row]) -> int:
        keys = [tuple(row[name] for name in names) for row in rows]
        return sum(each - 1 for each in Counter(key for key in keys if None not in key).values())

    return measured


def among(name: str, values: Iterable[Any], *, null: bool = False) -> Callable[[list[Row]], int]:
    return count(lambda row: null if row[name] is None else row[name] in set(values))


# By name: the field, the rule, and what it counts.
RULES: dict[str, tuple[str, dict[str, Any], Callable[[list[Row]], int]]] = {
    "rows": ("", {"metric": "rowCount"}, len),
    "pairs": (
        "",
        {"metric": "duplicateValues", "arguments": {"properties": ["group", "age"]}},
        surplus("group", "age"),
    ),
    "other": ("", {"type": "sql", "query": "\"group\" <> 'red'"}, among("group", ("Red", "green"))),
    "triples": (
        "",
        {"metric": "duplicateValues", "arguments": {"properties": ["group", "active", "price"]}},
        surplus("group", "active", "price"),
    ),
    "young": (
        "",
        {"type": "sql", "query": "age < 3 AND active"},
        count(lambda row: row["age"] is not None and row["age"] < 3 and bool(row["active"])),
    ),
    "past": ("", {"type": "sql", "query": "born < CURRENT_DATE"}, count(lambda r: r["born"] is not None)),
    **{
        f"null {name}": (name, {"metric": "nullValues"}, among(name, (), null=True))
        for name in ("name", "group", "age", "price", "active", "born", "seen")
    },
    "missing name": ("name", {"metric": "missingValues"}, among("name", ("",), null=True)),
    "odd name": (
        "name",
        {"metric": "missingValues", "arguments": {"missingValues": ["", "50%", "q\"q"]}},
        among("name", ("", "50%", 'q"q')),
    ),
    "missing age": (
        "age",
        {"metric": "missingValues", "arguments": {"missingValues": [None, -3, 7]}},
        among("age", (-3, 7), null=True),
    ),
    "missing price": (
        "price",
        {"metric": "missingValues", "arguments": {"missingValues": ["0.00", 7.37]}},
        among("price", (Decimal(0), Decimal("7.37"))),
    ),
    "invalid group": (
        "group",
        {"metric": "invalidValues", "arguments": {"validValues": ["red", "green"]}},
        count(lambda row: row["group"] not in {"red", "green", None}),
    ),
    "invalid age": (
        "age",
        {"metric": "invalidValues", "arguments": {"validValues": [0, 1, 2, 3]}},
        count(lambda row: row["age"] not in {0, 1, 2, 3, None}),
    ),
    "invalid born": (
        "born",
        {"metric": "invalidValues", "arguments": {"validValues": ["1970-01-01", "1971-02-02"]}},
        count(lambda row: str(row["born"]) not in {"1970-01-01", "1971-02-02", "None"}),
    ),
    "invalid name": (
        "name",
        {"metric": "invalidValues", "arguments": {"pattern": "^[A-Z][a-z]+$"}},
        count(lambda row: row["name"] is not None and not re.fullmatch("[A-Z][a-z]+", row["name"])),
    ),
    "same name": ("name", {"metric": "duplicateValues"}, surplus("name")),
    "same age": ("age", {"metric": "duplicateValues"}, surplus("age")),
    "same big": ("big", {"metric": "duplicateValues"}, surplus("big")),
    "same price": ("price", {"metric": "duplicateValues"}, surplus("price")),
    "same seen": ("seen", {"metric": "duplicateValues"}, surplus("seen")),
}  # fmt: skip


def rules(**more: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, (field, rule, _) in RULES.items():
        found.setdefault(field, []).append({"name": name, "mustBeGreaterOrEqualTo": 0, **rule, **more})
    return found


def expected(home: str, name: str) -> int:
    return RULES[name][2](CSV_ROWS if home == "csv" else ROWS)


@pytest.mark.parametrize("home", HOMES)
async def test_numbers_are_those_of_the_rows(home: str, tmp_path: Path, embedded_dsn: str) -> None:
    async with at_home(home, plan(home, rules()), tmp_path, embedded_dsn) as mesh:
        found = await results(mesh.adapters)
        read = await results(by_reading(mesh))
    assert {name: each.reason for name, each in found.items() if each.reason} == {}
    wanted = {name: expected(home, name) for name in RULES}
    assert {name: int(each.value or 0) for name, each in found.items()} == wanted
    assert {name: int(each.value or 0) for name, each in read.items()} == wanted
    assert {each.rows for each in found.values()} == {len(ROWS)}
    assert {each.outcome for each in found.values()} == {Outcome.PASSED}


@pytest.mark.parametrize("home", ["sqlite", "rest"])
async def test_shares_are_in_percent(home: str, tmp_path: Path, embedded_dsn: str) -> None:
    given = {"group": [{"metric": "nullValues", "unit": "percent", "mustBeLessThan": 25, "name": "below"},
                       {"metric": "nullValues", "unit": "percent", "mustBe": 25, "name": "exact"}]}  # fmt: skip
    async with at_home(home, plan(home, given), tmp_path, embedded_dsn) as mesh:
        found = await results(mesh.adapters)
    assert (found["below"].outcome, found["exact"].outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert found["below"].value == 25
    assert (found["below"].bad, found["below"].rows, found["below"].rate) == (15, 60, 0.75)


SQL = {
    "count": ("SELECT COUNT(*) FROM {object} WHERE age < 0", 0, 3 * 60 // 11),
    "share": ("SELECT 100.0 * COUNT(age) / COUNT(*) FROM {object}", None, None),
    "truth": ("SELECT COUNT(*) > 5 FROM ${table}", None, 1),
    "least": ("SELECT MIN(age) FROM {object}", None, None),
    "column": ("SELECT COUNT(*) FROM {object} t WHERE t.{property} IS NULL", None, None),
    "with": ("WITH few AS (SELECT * FROM {object} WHERE age = 1) SELECT COUNT(*) FROM few", None, None),
}


@pytest.mark.parametrize("home", ["sqlite", "postgres"])
async def test_queries_give_one_value(home: str, tmp_path: Path, embedded_dsn: str) -> None:
    given = {
        "age": [{"type": "sql", "name": name, "query": query, "mustNotBe": -99} for name, (query, *_) in SQL.items()]
    }
    async with at_home(home, plan(home, given), tmp_path, embedded_dsn) as mesh:
        found = await results(mesh.adapters)
    ages = [row["age"] for row in ROWS]
    assert {each.outcome for each in found.values()} == {Outcome.PASSED}
    assert found["count"].value == sum(age is not None and age < 0 for age in ages)
    assert round(float(found["share"].value or 0), 6) == round(100 * (60 - ages.count(None)) / 60, 6)
    assert found["truth"].value == 1
    assert found["least"].value is None, "a value of a row is not shown"
    assert found["column"].value == ages.count(None)
    assert found["with"].value == ages.count(1)


@pytest.mark.parametrize("home", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT age FROM {object}", "the query gave several rows"),
        ("SELECT age FROM {object} WHERE id = 'none'", "the query gave no row"),
        ("SELECT MAX(age) FROM {object} WHERE id = 'none'", "the query gave no value"),
        ("SELECT MAX(name) FROM {object}", "the query gave neither a number nor true or false"),
        ("SELECT COUNT(*) FROM nowhere", "the source refuses the query"),
        ("SELECT COUNT(nothing) FROM {object}", "the source refuses the query"),
    ],
)
async def test_a_query_that_gives_nothing_to_hold(
    home: str, query: str, reason: str, tmp_path: Path, embedded_dsn: str
) -> None:
    given = {"": [{"type": "sql", "name": "rule", "query": query, "mustBe": 0}]}
    async with at_home(home, plan(home, given), tmp_path, embedded_dsn) as mesh:
        (found,) = (await results(mesh.adapters)).values()
    assert (found.outcome, found.reason, found.value, found.rate) == (Outcome.ERROR, reason, None, None)
    assert not found.unreachable


@pytest.mark.parametrize("home", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT (SELECT COUNT(*) FROM {object}); DELETE FROM {object}",
        "WITH gone AS (DELETE FROM {object} RETURNING 1) SELECT COUNT(*) FROM gone",
        "SELECT COUNT(*) INTO copy FROM {object}",
        "DELETE FROM {object}",
    ],
)
async def test_a_query_that_writes_is_not_run(home: str, query: str, tmp_path: Path, embedded_dsn: str) -> None:
    made = plan(home, {"": [{"type": "sql", "query": query, "mustBe": 0}, {"metric": "rowCount", "mustBe": 60}]})
    assert only(made).quality[0].measure is None
    async with at_home(home, made, tmp_path, embedded_dsn) as mesh:
        found = list((await results(mesh.adapters)).values())
    assert [each.outcome for each in found] == [Outcome.SKIPPED, Outcome.PASSED]


@pytest.mark.parametrize("home", ["postgres"])
async def test_a_function_that_writes_meets_a_read_only_transaction(
    home: str, tmp_path: Path, embedded_dsn: str
) -> None:
    given = {"": [{"type": "sql", "name": "sly", "query": "SELECT nextval('sales.numbers')", "mustBe": 0}]}
    async with at_home(home, plan(home, given), tmp_path, embedded_dsn) as mesh:
        (found,) = (await results(mesh.adapters)).values()
    assert (found.outcome, found.reason) == (Outcome.ERROR, "the source refuses the query")


async def test_of_more_rows_than_may_be_read_nothing_is_said(tmp_path: Path, embedded_dsn: str) -> None:
    made = plan("rest", {"": [{"metric": "rowCount", "mustBe": 60}], "age": [{"metric": "nullValues", "mustBe": 0}]})
    async with at_home("rest", made, tmp_path, embedded_dsn) as mesh:
        for limit, outcome in ((60, Outcome.PASSED), (59, Outcome.ERROR)):
            found = await results(mesh.adapters, limit)
            assert found["rowCount"].outcome is outcome
        assert {each.reason for each in found.values()} == {"SCAN_LIMIT"}
        assert not any(each.unreachable for each in found.values())


READ = {"triples", "invalid name", "same price", "same seen"}
"""What no database counts: patterns, and what it would compare otherwise."""
TEXT = {"rows", "other", "young", "past", "null name", "null group", "missing name", "odd name", "missing price"}
"""What is counted in CSV, too: text, and values that stand for none."""


@pytest.mark.parametrize(
    ("home", "read"),
    [("sqlite", READ), ("postgres", READ), ("csv", set(RULES) - TEXT - {"invalid group"}), ("rest", set(RULES))],
)
async def test_what_a_source_can_count_is_not_read(
    home: str, read: set[str], tmp_path: Path, embedded_dsn: str
) -> None:
    async with at_home(home, plan(home, rules()), tmp_path, embedded_dsn) as mesh:
        found = await results(mesh.adapters, max_scan=1)
    assert {name for name, each in found.items() if each.reason == "SCAN_LIMIT"} == read
    assert {each.outcome for name, each in found.items() if name not in read} <= {Outcome.PASSED}


async def test_rows_are_read_once_for_all_rules(tmp_path: Path, embedded_dsn: str) -> None:
    async with at_home("rest", plan("rest", rules()), tmp_path, embedded_dsn) as mesh:
        await results(mesh.adapters)
        assert mesh.calls == {"main": 1}


async def test_a_source_that_fails_is_told(tmp_path: Path, embedded_dsn: str) -> None:
    made = plan("sqlite", {"age": [{"metric": "nullValues", "mustBe": 0}, {"type": "text", "description": "as is"}]})
    async with at_home("sqlite", made, tmp_path, embedded_dsn) as mesh:
        (tmp_path / "people.sqlite").write_bytes(b"no database at all" * 100)
        found: list[Result] = list((await results(mesh.adapters)).values())
    assert [each.outcome for each in found] == [Outcome.ERROR, Outcome.SKIPPED]
    assert found[0].unreachable
    assert found[1].reason == "words for people are not run"


async def test_nothing_of_a_value_is_kept(tmp_path: Path, embedded_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Rules over a personal field: no result, no log line holds a value of it."""
    given = rules()
    given["name"] += [
        {"type": "sql", "query": f"SELECT {what}({{column}}) FROM {{object}}", "mustBe": 0} for what in ("MAX", "MIN")
    ]
    for home in ("sqlite", "rest"):
        folder = tmp_path / home
        folder.mkdir()
        async with at_home(home, plan(home, given), folder, embedded_dsn) as mesh:
            found = await results(mesh.adapters)
        told = [(each.outcome, each.rows, each.bad, each.value, each.reason) for each in found.values()]
        shown = f"{told} {caplog.text}"
        assert not [row["name"] for row in ROWS if row["name"] and len(row["name"]) > 2 and row["name"] in shown]
