# SPDX-License-Identifier: Apache-2.0
"""Limits of values against JSON Schema's own reading of the same words, and what JSON Schema does not know."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dictamesh.runtime.adapters.cells import DATA_INVALID
from dictamesh.runtime.adapters.limits import Broken, broken_limit
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from dictamesh.specs.limits import Limit
from dictamesh.specs.patterns import longest_text

MESH = {"apiVersion": "dictamesh/v1", "kind": "Mesh", "name": "acme", "include": ["shop.yaml"]}
NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.text("aB1-é𝔘 \n", max_size=5)
NUMBERS = st.integers(-5, 5) | st.decimals(-5, 5, places=2) | st.sampled_from([0.1, 0.3, 0.7, 2.5, -0.1])
PATTERNS = st.sampled_from(["^a", "B$", "[a-c]1", "^$", "-", "^[aB]{2,3}$", "é|1"])
COUNTS = st.integers(0, 4)


def plan_of(property_: Mapping[str, Any]) -> Plan:
    """A mesh of one entity with a property of these words, named `value`."""
    properties = [
        {"name": "id", "logicalType": "string", "primaryKey": True, "classification": "public"},
        {"name": "value", "classification": "public", **property_},
    ]
    product = {
        "apiVersion": "dictamesh/v1",
        "kind": "DataProduct",
        "id": "shop",
        "name": "shop",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "Article", "physicalName": "articles", "properties": properties}],
        "source": {"server": "erp"},
    }
    mesh = {**MESH, "servers": {"erp": {"type": "sqlite", "path": "erp.db"}}}
    files = {"mesh.yaml": yaml.safe_dump(mesh), "shop.yaml": yaml.safe_dump(product)}
    built = build(Memory({name: text.encode() for name, text in files.items()}), "mesh.yaml")
    assert built.plan is not None, built.diagnostics
    return built.plan


def broken(property_: Mapping[str, Any], value: Any) -> Broken | None:
    (entity,) = plan_of(property_).entities.values()
    return broken_limit(entity.fields)({"id": "1", "value": value})


def some(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


def pairs(low: str, high: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A lower and a higher limit, or one of them, or none; the lower one is below the other."""
    both = st.lists(values, min_size=2, max_size=2, unique=True).map(lambda two: {low: min(two), high: max(two)})
    return both | some(**{low: values}) | some(**{high: values})


def merged(*given_: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*given_).map(lambda each: {name: value for part in each for name, value in part.items()})


def agrees(property_: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> None:
    valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (broken(property_, value) is None) == valid


@example({"pattern": "B$"}, "B\n")
@example({"pattern": "^$"}, "\n")
@settings(max_examples=100, deadline=None)
@given(merged(pairs("minLength", "maxLength", COUNTS), some(pattern=PATTERNS)), TEXTS)
def test_texts_keep_to_limits_as_json_schema_says(options: dict[str, Any], text: str) -> None:
    # JSON Schema's `$` is the end, as RE2's is; the library runs Python's, which also stands before a last line feed
    schema = {name: each.replace("$", r"\Z") if name == "pattern" else each for name, each in options.items()}
    agrees({"logicalType": "string", "logicalTypeOptions": options}, schema, text)


@settings(max_examples=100, deadline=None)
@given(
    pairs("minimum", "maximum", NUMBERS) | pairs("exclusiveMinimum", "exclusiveMaximum", NUMBERS),
    some(multipleOf=st.sampled_from(["0.1", "0.25", "2", "3"]).map(Decimal)),
    NUMBERS,
)
def test_numbers_keep_to_limits_as_json_schema_says(bounds: dict[str, Any], more: dict[str, Any], number: Any) -> None:
    words = {name: str(value) for name, value in bounds.items()} | {name: float(each) for name, each in more.items()}
    # the library reckons with the numbers that it is given: exact ones here, as the limits are meant
    exact = {name: Decimal(str(value)) for name, value in (bounds | more).items()}
    property_ = {"logicalType": "number", "logicalTypeOptions": words}
    agrees({**property_, "physicalType": "decimal(9,4)"}, exact, Decimal(str(number)))
    floats = broken(property_, float(number))
    assert floats == broken({**property_, "physicalType": "decimal(9,4)"}, Decimal(str(number)))


ITEMS = st.lists(st.none() | st.booleans() | st.integers(0, 2) | st.lists(st.booleans(), max_size=2), max_size=4)


@settings(max_examples=100, deadline=None)
@given(merged(pairs("minItems", "maxItems", COUNTS), some(uniqueItems=st.booleans())), ITEMS)
def test_arrays_keep_to_limits_as_json_schema_says(options: dict[str, Any], items: list[Any]) -> None:
    held = {"logicalType": "array", "items": {"logicalType": "object"}, "logicalTypeOptions": options}
    agrees(held, options, items)


@settings(max_examples=100, deadline=None)
@given(
    merged(pairs("minProperties", "maxProperties", COUNTS), some(required=st.lists(NAMES, unique=True))),
    st.dictionaries(NAMES, st.none() | st.integers(0, 2)),
)
def test_objects_keep_to_limits_as_json_schema_says(options: dict[str, Any], value: dict[str, Any]) -> None:
    there = {name: each for name, each in value.items() if each is not None}  # a property that is null is not there
    property_ = {"logicalType": "object", "logicalTypeOptions": options}
    assert (broken(property_, value) is None) == jsonschema.Draft202012Validator(options).is_valid(there)


@pytest.mark.parametrize(
    ("kind", "bound", "below", "above"),
    [
        ("date", "2020-02-29", date(2020, 2, 28), date(2020, 3, 1)),
        (
            "timestamp",
            "2020-01-01T00:00:00+01:00",
            datetime(2019, 12, 31, 22, 59, tzinfo=UTC),
            datetime(2020, 1, 1, tzinfo=UTC),
        ),
        ("time", "08:30:00", time(8, 29, 59), time(8, 30, 1)),
    ],
)
def test_dates_and_times_have_bounds(kind: str, bound: str, below: Any, above: Any) -> None:
    least = {"logicalType": kind, "logicalTypeOptions": {"minimum": bound}}
    most = {"logicalType": kind, "logicalTypeOptions": {"exclusiveMaximum": bound}}
    assert broken(least, below) == Broken("shop#Article.value", Limit.MINIMUM)
    assert broken(least, above) is None
    assert broken(most, above) == Broken("shop#Article.value", Limit.EXCLUSIVE_MAXIMUM)
    assert broken(most, below) is None


WIDTHS = {
    "logicalType": "array",
    "items": {
        "logicalType": "object",
        "properties": [
            {"name": "width", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}},
            {
                "name": "marks",
                "logicalType": "array",
                "items": {"logicalType": "string", "logicalTypeOptions": {"pattern": "^m"}},
            },
        ],
    },
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([], None),
        ([None, {"width": None, "marks": None}], None),
        ([{"width": 1, "marks": ["m", None]}], None),
        ([{"width": 1}, {"width": 0}], Broken("shop#Article.value.width", Limit.MINIMUM)),
        ([{"marks": ["m", "n"]}], Broken("shop#Article.value.marks", Limit.PATTERN)),
    ],
)
def test_what_arrays_and_objects_hold_has_limits_of_its_own(value: Any, expected: Broken | None) -> None:
    assert broken(WIDTHS, value) == expected


def test_older_contracts_say_of_a_bound_that_it_is_exclusive() -> None:
    options = {"minimum": 1, "exclusiveMinimum": True, "maximum": 3, "exclusiveMaximum": False}
    property_ = {"logicalType": "integer", "logicalTypeOptions": options}
    assert [broken(property_, each) is None for each in (1, 2, 3, 4)] == [False, True, True, False]


def test_a_pattern_that_cannot_be_run_refuses_nothing() -> None:
    assert broken({"logicalType": "string", "logicalTypeOptions": {"pattern": "^(?!x)"}}, "x") is None


NUMERIC = {"logicalType": "number", "physicalType": "numeric"}


@pytest.mark.parametrize(
    ("of", "value", "keeps"),
    [
        (0.1, Decimal("0." + "3" * 5000), False),
        (0.1, Decimal("1." + "0" * 5000), True),
        (0.1, Decimal("1." + "0" * 2_000_000 + "1"), False),
        (3, Decimal("3e400"), True),
        (3, Decimal("1e400"), False),
        (5e-324, Decimal("1e400"), True),
        (3, Decimal("3e-400"), False),
    ],
)
def test_a_number_of_any_length_is_a_multiple_or_not(of: float, value: Decimal, keeps: bool) -> None:
    assert (broken({**NUMERIC, "logicalTypeOptions": {"multipleOf": of}}, value) is None) == keeps


def test_items_that_all_have_one_hash_are_held_against_each_other_in_time() -> None:
    """-1 and -2 have one hash, and with them as many lists as one likes: a set of those takes an hour."""
    options = {"items": {"logicalType": "object"}, "logicalTypeOptions": {"uniqueItems": True}}
    lists = [[-1 - (number >> bit & 1) for bit in range(16)] for number in range(1 << 16)]
    assert broken({"logicalType": "array", **options}, lists) is None
    assert broken({"logicalType": "array", **options}, [*lists, lists[0]]) == Broken(
        "shop#Article.value", "uniqueItems"
    )


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 1.0], False),
        ([0, -0.0], False),
        ([10**20, 1e20], False),
        ([1, True], True),
        (["1", 1], True),
        (['","', '"', ","], True),
        ([["a"], ["a", None]], True),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([{"a": None}, {}], True),
        ([Decimal("1.50"), Decimal("1.5")], False),
        ([Decimal("1e400"), Decimal("1e-400")], True),
        ([Decimal("1." + "0" * 40 + "1"), Decimal(1)], True),
    ],
)
def test_items_are_equal_as_json_schema_says(items: list[Any], unique: bool) -> None:
    options = {"items": {"logicalType": "object"}, "logicalTypeOptions": {"uniqueItems": True}}
    assert (broken({"logicalType": "array", **options}, items) is None) == unique


def test_what_cannot_be_read_is_not_there() -> None:
    property_ = {
        "logicalType": "object",
        "properties": [{"name": "width", "logicalType": "integer"}, {"name": "unit", "logicalType": "string"}],
    }
    value = {"width": DATA_INVALID, "unit": "mm"}
    for options, limit in (({"required": ["width"]}, Limit.REQUIRED), ({"minProperties": 2}, Limit.MIN_PROPERTIES)):
        found = broken({**property_, "logicalTypeOptions": options}, value)
        assert found == Broken("shop#Article.value", limit)


NAMES_OF_PEOPLE = r"^[\p{L} '-]{1,100}$"


def test_a_pattern_over_the_letters_of_all_languages_is_run() -> None:
    names = {"logicalType": "string", "logicalTypeOptions": {"pattern": NAMES_OF_PEOPLE}}
    assert [broken(names, each) is None for each in ("Żółw d'Été", "Ana 2", "", "ü" * 101)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("^[a-z]+$", 262_144),
        (r"^[^@]+@[^@]+\.[a-z]{2,}$", 262_144),
        ("^(.{1,900}|b.{1,900})$", 4_096),
        (NAMES_OF_PEOPLE, 2_048),
    ],
)
def test_a_pattern_is_run_on_texts_that_are_not_too_long_for_it(pattern: str, longest: int) -> None:
    assert longest_text(pattern) == longest
    anything = {"logicalType": "string", "logicalTypeOptions": {"pattern": f"{pattern}|x*"}}
    assert broken(anything, "x" * min(longest, 4_096)) is None
    assert broken(anything, "x" * 262_145) == Broken("shop#Article.value", Limit.PATTERN)
