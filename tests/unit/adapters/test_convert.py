# SPDX-License-Identifier: Apache-2.0
"""From drivers' values to values of the language (S3, S4)."""

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dictamesh.runtime.adapters.cells import DATA_INVALID, Invalid
from dictamesh.runtime.adapters.convert import Reading, converter
from dictamesh.runtime.adapters.fields import field_converter
from dictamesh.specs.types import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    JSON,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)
from tests.support.plans import field, listed

MONEY = Type(Kind.DECIMAL, 12, 2)
STATUS = Type(Kind.STRING, values=("open", "paid"))
STRICT, COERCE, CSV = Reading(), Reading(coerce=True), Reading(text_values=True)


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        (STRING, "é", "é"),
        (STRING, uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (STATUS, "paid", "paid"),
        (BYTES, b"\x00\xff", b"\x00\xff"),
        (BYTES, memoryview(b"ab"), b"ab"),
        (BYTES, "AP8=", b"\x00\xff"),
        (INT, 2**31 - 1, 2**31 - 1),
        (INT, -(2**31), -(2**31)),
        (INT, 3.0, 3),
        (INT, Decimal(7), 7),
        (LONG, 2**63 - 1, 2**63 - 1),
        (LONG, "-9223372036854775808", -(2**63)),
        (FLOAT, 1, 1.0),
        (FLOAT, Decimal("0.1"), 0.1),
        (FLOAT, float("nan"), None),
        (FLOAT, float("-inf"), None),
        (MONEY, "19.99", Decimal("19.99")),
        (MONEY, 19.995, Decimal("20.00")),
        (MONEY, Decimal("-0.005"), Decimal("-0.01")),
        (MONEY, Decimal("0.005"), Decimal("0.01")),
        (MONEY, 2, Decimal("2.00")),
        (MONEY, Decimal("NaN"), None),
        (MONEY, 1e-30, Decimal("0.00")),
        (DECIMAL, "1.50", Decimal("1.50")),
        (BOOLEAN, True, True),
        (DATE, date(2024, 2, 29), date(2024, 2, 29)),
        (DATE, "2024-02-29", date(2024, 2, 29)),
        (TIME, "13:45", time(13, 45)),
        (TIME, "13:45:00.123456", time(13, 45, 0, 123456)),
        (TIMESTAMP, "2026-01-31T13:45:00Z", datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
        (TIMESTAMP, "2026-01-31 13:45:00", datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
        (TIMESTAMP, "2026-01-31 13:45:00+02", datetime(2026, 1, 31, 11, 45, tzinfo=UTC)),
        (TIMESTAMP, "2026-01-31T13:45:00.5+02:00", datetime(2026, 1, 31, 11, 45, 0, 500_000, tzinfo=UTC)),
        (TIMESTAMP, datetime(2026, 1, 31, 13, 45), datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
        (JSON, {"a": [Decimal("0.5"), None]}, {"a": [0.5, None]}),
        (JSON, "text", "text"),
        (listed(INT), [1, None], [1, None]),
        (listed(INT), "[1, 2]", [1, 2]),
        (listed(listed(STRING)), [["a"]], [["a"]]),
    ],
)
def test_values_that_fit(type_: Type, raw: Any, value: Any) -> None:
    found = converter(type_, STRICT)(raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("type_", "raw"),
    [
        (STRING, 5),
        (STRING, True),
        (STATUS, "lost"),
        (BYTES, "?"),
        (BYTES, 5),
        (INT, 2**31),
        (INT, 1.5),
        (INT, True),
        (INT, "5"),
        (INT, float("inf")),
        (LONG, 2**63),
        (LONG, "1.0"),
        (LONG, "9223372036854775808"),
        (FLOAT, "1.5"),
        (FLOAT, True),
        (FLOAT, 10**400),
        (MONEY, "ten"),
        (MONEY, "1e99999"),
        (MONEY, Decimal("10000000000.00")),
        (MONEY, True),
        (BOOLEAN, 1),
        (BOOLEAN, "true"),
        (DATE, "20240229"),
        (DATE, "2023-02-29"),
        (DATE, datetime(2024, 1, 1)),
        (TIME, "25:00"),
        (TIME, time(1, tzinfo=UTC)),
        (TIMESTAMP, "2026-01-31"),
        (TIMESTAMP, 1_700_000_000),
        (TIMESTAMP, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        (JSON, object()),
        (listed(INT), "5"),
        (listed(INT), "not json"),
    ],
)
def test_values_that_do_not_fit(type_: Type, raw: Any) -> None:
    with pytest.raises(Invalid) as caught:
        converter(type_, STRICT)(raw)
    assert str(caught.value) == ""  # a message could only quote the value


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        (STRING, 5, "5"),
        (STRING, False, "false"),
        (INT, "12", 12),
        (FLOAT, "1e3", 1000.0),
        (BOOLEAN, "0", False),
        (BOOLEAN, 1, True),
        (BOOLEAN, "Yes", True),
        (DATE, "2024-02-29T10:00:00Z", date(2024, 2, 29)),
        (TIMESTAMP, "2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_coerce_accepts_more(type_: Type, raw: Any, value: Any) -> None:
    assert converter(type_, COERCE)(raw) == value


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [(INT, "12", 12), (INT, "", None), (BOOLEAN, "true", True), (STRING, "", ""), (MONEY, "1.005", Decimal("1.01"))],
)
def test_a_source_of_text(type_: Type, raw: str, value: Any) -> None:
    assert converter(type_, CSV)(raw) == value


def test_integer_booleans() -> None:
    convert = converter(BOOLEAN, Reading(integer_booleans=True))
    assert (convert(0), convert(1)) == (False, True)
    with pytest.raises(Invalid):
        convert(2)


def test_naive_timestamps_are_of_the_declared_zone() -> None:
    convert = converter(TIMESTAMP, Reading(timezone=ZoneInfo("Europe/Berlin")))
    assert convert("2026-07-01 12:00:00") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert convert("2026-01-01 12:00:00") == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert convert("2026-07-01 12:00:00Z") == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_json_columns_that_arrive_as_text() -> None:
    assert converter(JSON, Reading(json_text=True))('{"a": 1}') == {"a": 1}
    with pytest.raises(Invalid):
        converter(JSON, Reading(json_text=True))("{")


def test_objects_by_physical_names() -> None:
    address = field(
        "address",
        Type(Kind.OBJECT),
        "CustomerAddress",
        members=(
            field("city"),
            field("zip", column="post_code"),
            field("floors", INT),
            field("lat", FLOAT, column="geo.lat"),
        ),
    )
    convert = field_converter(address, STRICT)
    raw = {"city": "Köln", "post_code": 5, "floors": 3, "geo": {"lat": Decimal("1.5")}, "more": 1}
    assert convert(raw) == {"city": "Köln", "zip": DATA_INVALID, "floors": 3, "lat": 1.5}
    assert convert('{"city": "Bonn"}') == {"city": "Bonn", "zip": None, "floors": None, "lat": None}
    assert convert(None) is None
    with pytest.raises(Invalid):
        convert(["a"])


def test_one_bad_item_spoils_no_other() -> None:
    tags = field("tags", listed(INT))
    assert field_converter(tags, STRICT)([1, "x", None]) == [1, DATA_INVALID, None]
    lines = field("lines", listed(Type(Kind.OBJECT)), "Line", members=(field("n", INT),))
    assert field_converter(lines, STRICT)([{"n": 1}, 7]) == [{"n": 1}, DATA_INVALID]


@pytest.mark.parametrize("written", ["1e401", "1e999999999", "-1e999999999999", "1e-999999999", "0e-999999999"])
def test_a_number_that_nobody_can_write_out_is_no_decimal(written: str) -> None:
    """As digits 1e999999999 is a gigabyte; the hash of a captured record, and every answer, writes them."""
    with pytest.raises(Invalid):
        converter(DECIMAL, Reading())(Decimal(written))
    assert converter(DECIMAL, Reading())(Decimal("1e400")) == Decimal("1e400")
