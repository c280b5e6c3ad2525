# SPDX-License-Identifier: Apache-2.0
"""Typed claims (S21) and typed values of tests (S3)."""

import datetime
from decimal import Decimal

import pytest

from dictamesh.runtime.governance.claims import find, texts, typed_claims
from dictamesh.runtime.governance.typed import Misfit, typed
from dictamesh.specs.types import BOOLEAN, BYTES, DATE, FLOAT, INT, JSON, LONG, STRING, TIME, TIMESTAMP, Kind, Type
from tests.unit.governance.pieces import ADDRESS, CONTACTS, DECIMAL

NOON = datetime.datetime(2024, 5, 1, 14, 0, 0, 120000, datetime.timezone(datetime.timedelta(hours=2)))


def test_claims_keep_only_what_is_declared_and_fits():
    declared = {"a": "string", "b": "integer", "c": "boolean", "d": ("string",), "e": ("integer",)}
    right = {"a": "x", "b": 1, "c": False, "d": ["x", "y"], "e": [], "undeclared": 1}
    assert typed_claims(right, declared) == {"a": "x", "b": 1, "c": False, "d": ("x", "y"), "e": ()}
    wrong = {"a": 1, "b": True, "c": "true", "d": "x", "e": [1, "2"]}
    assert typed_claims(wrong, declared) == {}
    assert typed_claims({"b": 2**63, "d": [None]}, declared) == {}


def test_claims_by_path():
    held = {"realm_access": {"roles": ["a"]}, "a.b": 1, "a": {"b": 2}, "s": "x"}
    assert find(held, "realm_access.roles") == ["a"]
    assert find(held, "a.b") == 1
    assert [find(held, path) for path in ("realm_access.none", "s.x", "none", "realm_access.roles.x")] == [None] * 4
    assert [texts(value) for value in ("a", ["a", 1], None, {"a": 1}, 5)] == [("a",), ("a",), (), (), ()]


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (None, INT, None),
        ("x", STRING, "x"),
        ("AP8=", BYTES, b"\x00\xff"),
        ("5", LONG, 5),
        (5, FLOAT, 5.0),
        ("39.985", DECIMAL, Decimal("39.99")),
        (39.98, DECIMAL, Decimal("39.98")),
        (True, BOOLEAN, True),
        ("2024-05-01", DATE, datetime.date(2024, 5, 1)),
        ("09:30", TIME, datetime.time(9, 30)),
        ("2024-05-01T12:00:00", TIMESTAMP, datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)),
        ("2024-05-01T14:00:00.12+02:00", TIMESTAMP, NOON),
        ({"a": [1]}, JSON, {"a": [1]}),
        ({"city": "Rome"}, ADDRESS, {"city": "Rome", "street": None}),
        ([{"since": "2024-05-01"}, None], CONTACTS, [{"phone": None, "since": datetime.date(2024, 5, 1)}, None]),
    ],
)
def test_values_of_tests(value, type_, expected):
    assert typed(value, type_) == expected


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (1, STRING),
        ("x!", BYTES),
        (True, INT),
        (1.5, INT),
        (2**31, INT),
        (2**63, LONG),
        ("nan", FLOAT),
        (True, FLOAT),
        ("many", DECIMAL),
        (True, DECIMAL),
        ("Infinity", DECIMAL),
        (1, BOOLEAN),
        ("May", DATE),
        (20240501, DATE),
        ("25:00", TIME),
        ("soon", TIMESTAMP),
        ("Rome", ADDRESS),
        ({"town": "Rome"}, ADDRESS),
        ("x", Type(Kind.ARRAY, item=STRING)),
    ],
)
def test_values_that_do_not_fit(value, type_):
    with pytest.raises(Misfit) as fault:
        typed(value, type_)
    assert str(value) not in str(fault.value)
