# SPDX-License-Identifier: Apache-2.0
"""Scalars out and in (S3); no error text holds a value (S26)."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from graphql import GraphQLError, parse_value

from dictamesh.runtime.gateway.scalars import EXPECTATIONS, WRITERS, scalar

BERLIN = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Long", 2**63 - 1, "9223372036854775807"),
        ("Long", -(2**63), "-9223372036854775808"),
        ("Decimal", Decimal("19.90"), "19.90"),
        ("Decimal", Decimal("0.00"), "0.00"),
        ("Decimal", Decimal("-0.00"), "-0.00"),
        ("Decimal", Decimal("1E+3"), "1000"),
        ("Bytes", b"\x00\xff", "AP8="),
        ("Bytes", b"", ""),
        ("Date", date(26, 1, 3), "0026-01-03"),
        ("Time", time(13, 45), "13:45:00"),
        ("Time", time(0, 0, 0, 120_000), "00:00:00.12"),
        ("DateTime", datetime(2026, 1, 31, 13, 45, tzinfo=UTC), "2026-01-31T13:45:00Z"),
        ("DateTime", datetime(2026, 1, 31, 1, 0, 0, 1, tzinfo=BERLIN), "2026-01-30T23:00:00.000001Z"),
        ("DateTime", datetime(2026, 1, 31, 13, 45, 10, 500_000, tzinfo=UTC), "2026-01-31T13:45:10.5Z"),
        ("JSON", {"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_out(name, value, shown):
    assert WRITERS[name](value) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Long", 2**63),
        ("Long", True),
        ("Long", "1"),
        ("Long", 1.0),
        ("Decimal", Decimal("NaN")),
        ("Decimal", Decimal("Infinity")),
        ("Decimal", 1.5),
        ("Bytes", "text"),
        ("Date", datetime(2026, 1, 31, tzinfo=UTC)),
        ("Date", "2026-01-31"),
        ("Time", "13:45"),
        ("DateTime", datetime(2026, 1, 31)),
        ("DateTime", date(2026, 1, 31)),
    ],
)
def test_a_value_of_another_type_never_goes_out(name, value):
    with pytest.raises(TypeError):
        WRITERS[name](value)


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("Long", 5, 5),
        ("Long", "-9223372036854775808", -(2**63)),
        ("Decimal", "19.90", Decimal("19.90")),
        ("Decimal", 3, Decimal(3)),
        ("Decimal", 0.1, Decimal("0.1")),
        ("Decimal", "1e3", Decimal(1000)),
        ("Bytes", "AP8=", b"\x00\xff"),
        ("Date", "2026-01-31", date(2026, 1, 31)),
        ("Time", "13:45", time(13, 45)),
        ("Time", "13:45:00.25", time(13, 45, 0, 250_000)),
        ("DateTime", "2026-01-31T13:45:00Z", datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
        ("DateTime", "2026-01-31t15:45:00.5+02:00", datetime(2026, 1, 31, 13, 45, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_in(name, sent, value):
    assert scalar(name).parse_value(sent) == value
    literal = str(sent) if isinstance(sent, int | float) else f'"{sent}"'
    assert scalar(name).parse_literal(parse_value(literal)) == value


BAD = [
    ("Long", "SECRET"),
    ("Long", 2**63),
    ("Long", 1.5),
    ("Long", "9" * 5000),
    ("Long", True),
    ("Long", "٣"),
    ("Decimal", "SECRET"),
    ("Decimal", "NaN"),
    ("Decimal", "1e999999999"),
    ("Decimal", "9" * 101),
    ("Decimal", 10**200),
    ("Decimal", True),
    ("Decimal", float("inf")),
    ("Bytes", "SECRET!"),
    ("Bytes", 7),
    ("Date", "2026-02-30"),
    ("Date", "2026-02-30T00:00:00Z"),
    ("Date", 20260131),
    ("Time", "25:00"),
    ("Time", "SECRET"),
    ("DateTime", "2026-01-31T13:45:00"),
    ("DateTime", "2026-01-31"),
    ("DateTime", "0001-01-01T00:00:00+23:59"),
    ("DateTime", "2026-01-31T13:45:00.1234567Z"),
    ("DateTime", 1_700_000_000),
    ("JSON", {}),
]


@pytest.mark.parametrize(("name", "sent"), BAD)
def test_bad_input_is_refused_without_quoting_it(name, sent):
    with pytest.raises(GraphQLError) as caught:
        scalar(name).parse_value(sent)
    assert caught.value.message in EXPECTATIONS | {"JSON is not accepted in arguments."}
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "literal"),
    [("Date", "20260131"), ("DateTime", "1"), ("Long", "1.5"), ("Long", "true"), ("Decimal", "[1]"), ("Bytes", "12")],
)
def test_literals_of_another_kind_are_refused(name, literal):
    with pytest.raises(GraphQLError):
        scalar(name).parse_literal(parse_value(literal))
