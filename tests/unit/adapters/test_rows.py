# SPDX-License-Identifier: Apache-2.0
"""Keys, orders, bounds and mappings of rows."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.adapters.ask import Ask, ReadFailed, Sort, Spent
from dictamesh.runtime.adapters.cells import DATA_INVALID, EXPRESSION_FAILED
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.adapters.local import cut, ordered, plain
from dictamesh.runtime.adapters.mapping import row_mapping
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Literal, Parameter
from dictamesh.specs.types import BOOLEAN, DATE, INT
from tests.support.plans import entity, field


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("c-1",), "c-1"),
        ((7,), "7"),
        ((True,), "true"),
        ((Decimal("1.50"),), "1.50"),
        ((date(2026, 1, 2),), "2026-01-02"),
        ((datetime(2026, 1, 2, 3, tzinfo=UTC),), "2026-01-02T03:00:00Z"),
        ((b"\xff",), "/w=="),
        (("a", 1), '["a",1]'),
        (('"é,', "b"), '["\\"é,","b"]'),
    ],
)
def test_canonical_keys(key: tuple[Any, ...], text: str) -> None:
    assert canonical(key) == text


def test_nulls_come_last_both_ways_and_the_key_decides() -> None:
    values = ["b", None, "a", DATA_INVALID, "a", "Ä"]
    rows = [{"id": n, "v": value} for n, value in enumerate(values)]

    def ids(*order: Sort) -> list[int]:
        return [row["id"] for row in ordered(rows, Ask(frozenset(), order=order), made, "")]

    made = entity("Thing", field("id", INT), field("v"))
    assert ids(Sort("v")) == [2, 4, 0, 5, 1, 3]
    assert ids(Sort("v", True)) == [5, 0, 2, 4, 1, 3]
    assert ids(Sort("v", True), Sort("id", True)) == [5, 0, 4, 2, 3, 1]


def test_cuts() -> None:
    rows: list[Any] = list(range(5))
    assert cut(rows, Ask(frozenset(), limit=2, offset=1)) == [1, 2]
    assert cut(rows, Ask(frozenset(), offset=4)) == [4]
    assert cut(rows, Ask(frozenset(), limit=0)) == []


def test_cells_without_a_value_are_null_to_conditions() -> None:
    assert plain({"a": DATA_INVALID, "b": 1}, {"c": None}) == {"a": None, "b": 1, "c": None}


def test_rows_are_counted_until_none_is_left() -> None:
    spent = Spent(3)
    spent.rows(3)
    with pytest.raises(ReadFailed, match="LIMIT_EXCEEDED"):
        spent.rows(1)


def test_columns_are_selected_once_and_computed_where_the_source_does_not() -> None:
    total = call("add", Column(("price",), INT), Column(("tax",), INT))
    per = call("div", Literal(10, INT), Column(("tax",), INT))
    late = call("lt", Column(("due",), DATE), Parameter("today", DATE))
    made = entity(
        "Line",
        field("id", INT),
        field("price", INT),
        field("cost", INT, column="price", expr=Column(("price",), INT)),
        field("tax", INT),
        field("due", DATE),
        field("total", INT, column=None, expr=total, pushed="why not"),
        field("per", INT, column=None, expr=per, pushed="it can fail"),
        field("late", BOOLEAN, column=None, expr=late, pushed="why not"),
        field("there", INT, column=None, expr=total),
    )
    mapping = row_mapping(made, ["cost", "price", "total", "per", "there"])
    assert sorted(output.name for output in mapping.outputs) == ["=there", "price", "tax"]
    place = {output.name: index for index, output in enumerate(mapping.outputs)}

    def raw(**values: Any) -> tuple[Any, ...]:
        return tuple(values[name.strip("=")] for name in sorted(place, key=lambda name: place[name]))

    assert mapping.row(raw(price=3, tax=2, there="5"), {}) == {
        "cost": 3,
        "price": 3,
        "total": 5,
        "per": 5,
        "there": 5,
    }
    assert mapping.row(raw(price="x", tax=0, there=None), {}) == {
        "cost": DATA_INVALID,
        "price": DATA_INVALID,
        "total": DATA_INVALID,
        "per": EXPRESSION_FAILED,
        "there": None,
    }
    assert row_mapping(made, ["late"]).row(("2026-01-01",), {"today": date(2026, 1, 2)}) == {"late": True}
