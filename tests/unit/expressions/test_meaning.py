# SPDX-License-Identifier: Apache-2.0
"""Expressions as Python evaluates them: PostgreSQL's answers, by hand."""

import time as clock
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.specs.expressions import ExpressionFailed, can_fail, check, compile_filter, compile_python
from tests.unit.expressions.scope import SCOPE

ROW: dict[str, Any] = {
    "id": 7,
    "big": 2,
    "ratio": 2.5,
    "price": Decimal("10.00"),
    "name": "Hello",
    "paid": True,
    "due_on": date(2024, 1, 31),
    "at": datetime(2024, 2, 29, 12, 30, 5, 123456, tzinfo=UTC),
    "data": {"a": {"b": [1, None]}, "n": "5"},
    "tags": ["x", None],
    "customer": {"storeId": "s1"},
}
PARAMETERS = {"principal.countries": ["DE"], "today": date(2024, 3, 1)}


def value(source: str, row: dict[str, Any] | None = None) -> Any:
    return compile_python(check(source, SCOPE))(ROW if row is None else row, PARAMETERS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("id / big", 3),
        ("-id / 2", -3),
        ("-id % 5", -2),
        ("id / 100.0", Decimal("0.07000000000000000000")),
        ("price / 3", Decimal("3.3333333333333333")),
        ("round(2.345, 2)", Decimal("2.35")),
        ("round(-2.5)", Decimal(-3)),
        ("round(2.5::float8)", 2.0),
        ("1e15::float8::text", "1e+15"),
        ("0.1::float8::text", "0.1"),
        ("name LIKE 'H%_o'", True),
        ("name ILIKE 'h%'", True),
        ("'a_b' LIKE 'a\\_b'", True),
        ("'axb' LIKE 'a\\_b'", False),
        ("substring(name FROM -1 FOR 3)", "H"),
        ("split_part('a,b', ',', -1)", "b"),
        ("upper('straße')", "STRAßE"),
        ("concat(name, NULL, TRUE)", "Hellot"),
        ("due_on + 30", date(2024, 3, 1)),
        ("at + INTERVAL '1 month'", datetime(2024, 3, 29, 12, 30, 5, 123456, tzinfo=UTC)),
        ("due_on + INTERVAL '1 month'", datetime(2024, 2, 29, tzinfo=UTC)),
        ("date_trunc('quarter', at)", datetime(2024, 1, 1, tzinfo=UTC)),
        ("EXTRACT(second FROM at)", Decimal("5.123456")),
        ("due_on < CURRENT_DATE", True),
        ("data -> 'a' -> 'b' ->> 0", "1"),
        ("data #>> '{a,b,1}'", None),
        ("(data ->> 'n')::int + 1", 6),
        ("'x' = ANY(tags)", True),
        ("'y' = ANY(tags)", None),
        ("'DE' = ANY(principal.countries)", True),
        ("id IN (1, NULL)", None),
        ("NULL IS DISTINCT FROM id", True),
        ("GREATEST(NULL, id, big)", 7),
        ("NULLIF(id, 7.0)", None),
        ("customer.storeId", "s1"),
        ("FALSE AND 1 / 0 = 1", False),
        ("COALESCE(id, 1 / 0)", 7),
        ("CASE WHEN paid THEN 1 ELSE 1 / 0 END", 1),
        ("'Infinity'::float8", None),
        ("'NaN'::numeric", None),
        ("' 12 '::int", 12),
        ("'2024-01-05T10:00:00+02:00'::timestamptz", datetime(2024, 1, 5, 8, tzinfo=UTC)),
    ],
)
def test_values(source: str, expected: Any) -> None:
    found = value(source)
    assert found == expected
    assert type(found) is type(expected)
    assert not isinstance(found, Decimal) or str(found) == str(expected)


@pytest.mark.parametrize(
    "source",
    [
        "id / 0",
        "id % 0",
        "price / 0",
        "ratio / 0",
        "id + 2147483647",
        "big * 9223372036854775807",
        "- (id - 7 - 2147483647 - 1)",
        "ratio * 1e308::float8",
        "name::int",
        "name::date",
        "COALESCE(1 / (id - 7), 0)",
        "sqrt(-1 * price)",
        "substring(name FROM 1 FOR id - 8)",
        "split_part(name, ',', id - 7)",
        "make_date(2023, 2, id + 22)",
        "due_on + 2147483647",
        (
            "at + INTERVAL '1000 years' + INTERVAL '1000 years' + INTERVAL '1000 years' + INTERVAL '1000 years' "
            "+ INTERVAL '1000 years' + INTERVAL '1000 years' + INTERVAL '1000 years' + INTERVAL '1000 years'"
        ),
        "repeat(name, 1000000000)",
        "lpad(name, 1000000000)",
        "name LIKE name || '\\'",
        "jsonb_array_length(data)",
        "price::numeric(3,2)",
        "1e30::numeric::bigint",
    ],
)
def test_failures(source: str) -> None:
    if source.startswith("1e30"):
        source = "(price * 1e30)::bigint"
    expr = check(source, SCOPE)
    assert can_fail(expr)
    with pytest.raises(ExpressionFailed) as failed:
        compile_python(expr)(ROW, PARAMETERS)
    assert not any(str(cell) in str(failed.value) for cell in (ROW["name"], ROW["price"]))


@pytest.mark.parametrize(
    "source",
    [
        "id % 10 + 1",
        "length(name) + 1",
        "id / 2",
        "big / 3",
        "price + 1",
        "price * price",
        "EXTRACT(year FROM at)::int",
    ],
)
def test_what_cannot_fail_is_known(source: str) -> None:
    assert not can_fail(check(source, SCOPE))


def test_a_missing_cell_is_null() -> None:
    assert value("id + 1", {}) is None
    assert value("customer.storeId", {"customer": None}) is None
    assert value("ratio", {"ratio": float("inf")}) is None
    assert value("ratio", {"ratio": float("nan")}) is None
    assert value("price", {"price": Decimal("NaN")}) is None


def test_a_filter_takes_null_and_failure_for_false() -> None:
    for source in ("1 / (id - 7) = 1", "id = NULL", "NOT (1 / (id - 7) = 1)", "id = 8", "1 / (id - 7) = 1 OR TRUE"):
        assert compile_filter(check(source, SCOPE))(ROW, PARAMETERS) is False
    assert compile_filter(check("id = 7 OR 1 / (id - 7) = 1", SCOPE))(ROW, PARAMETERS) is True


def test_like_takes_linear_time() -> None:
    keep = compile_filter(check("name LIKE '%a%a%a%a%a%a%a%b'", SCOPE))
    short, long = ({"name": "a" * size} for size in (10_000, 1_000_000))

    def cpu(row: dict[str, Any]) -> float:
        start = clock.process_time()
        assert keep(row, {}) is False
        return clock.process_time() - start

    assert cpu(long) < 2 + 400 * cpu(short)
