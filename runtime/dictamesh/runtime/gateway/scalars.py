# SPDX-License-Identifier: Apache-2.0
"""The scalars of S3: how values are written into answers and read from arguments.

No error text holds the value: graphql-core's own texts quote it (S26).
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, ValueNode
from graphql.language import FloatValueNode, IntValueNode, StringValueNode

_LONG = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,2})?\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?\Z", re.ASCII)
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)([Zz]|[+-][0-9]{2}:[0-9]{2})\Z",
    re.ASCII,
)
_INT64 = 2**63


def write_long(value: Any) -> str:
    """Return an int of 64 bits as text; TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise TypeError("not a 64-bit integer")
    return str(value)


def read_long(value: Any) -> int:
    """Read a 64-bit integer from its text or a number; ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _LONG.match(value):
        number = int(value)
    else:
        raise ValueError
    if not -_INT64 <= number < _INT64:
        raise ValueError
    return number


def write_decimal(value: Any) -> str:
    """Return a finite Decimal in plain digits, with the scale that it carries; TypeError for anything else."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError("not a finite decimal")
    return format(value, "f")


def read_decimal(value: Any) -> Decimal:
    """Read a decimal from its text or a number; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    if isinstance(value, int) and abs(value) >= 10**100:
        raise ValueError
    text = value if isinstance(value, str) else repr(value)
    if not _DECIMAL.match(text):
        raise ValueError
    return Decimal(text)


def write_bytes(value: Any) -> str:
    """Return bytes as base64; TypeError for anything else."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("not bytes")
    return base64.b64encode(value).decode("ascii")


def read_bytes(value: Any) -> bytes:
    """Read bytes from base64; ValueError otherwise."""
    if not isinstance(value, str):
        raise ValueError
    return base64.b64decode(value, validate=True)


def write_date(value: Any) -> str:
    """Return a date as ISO 8601; TypeError for anything else, instants included."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError("not a date")
    return value.isoformat()


def read_date(value: Any) -> date:
    """Read a date from `YYYY-MM-DD`; ValueError otherwise."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError
    return date.fromisoformat(value)


def write_time(value: Any) -> str:
    """Return a time of day as ISO 8601 with the fraction it needs; TypeError for anything else."""
    if not isinstance(value, time):
        raise TypeError("not a time")
    return _short(value.replace(tzinfo=None).isoformat())


def read_time(value: Any) -> time:
    """Read a time of day; ValueError otherwise."""
    if not isinstance(value, str) or not _TIME.match(value):
        raise ValueError
    return time.fromisoformat(value)


def write_instant(value: Any) -> str:
    """Return an instant in UTC with Z and the fraction it needs, six digits at most; TypeError for a naive one."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("not an aware datetime")
    return _short(value.astimezone(UTC).replace(tzinfo=None).isoformat()) + "Z"


def read_instant(value: Any) -> datetime:
    """Read an instant from RFC 3339; ValueError otherwise, and for one beyond the years 1 to 9999 in UTC."""
    found = _INSTANT.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    day, clock, zone = found.groups()
    return datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").astimezone(UTC)


def _short(text: str) -> str:
    return text.rstrip("0") if "." in text else text


def _reader(read: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, OverflowError, InvalidOperation, binascii.Error):
            pass
        raise GraphQLError(expected)  # outside: the cause would carry the value

    return parse


def _literal(read: Callable[[Any], Any], expected: str) -> Callable[[ValueNode, Any], Any]:
    parse = _reader(read, expected)

    def parse_literal(node: ValueNode, _variables: Any = None) -> Any:
        if isinstance(node, StringValueNode | IntValueNode | FloatValueNode):
            quoted = isinstance(node, StringValueNode)
            return parse(node.value if quoted else _Number(node.value))
        raise GraphQLError(expected, node)

    return parse_literal


class _Number(str):
    """The digits of a number in the query text, which only scalars that accept numbers read."""

    __slots__ = ()


def _strings_only(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, _Number):
            raise ValueError
        return read(value)

    return check


def _json_out(value: Any) -> Any:
    return value


def _no_json(_value: Any) -> Any:
    raise GraphQLError("JSON is not accepted in arguments.")


WRITERS: dict[str, Callable[[Any], Any]] = {
    "Bytes": write_bytes,
    "Date": write_date,
    "DateTime": write_instant,
    "Decimal": write_decimal,
    "JSON": _json_out,
    "Long": write_long,
    "Time": write_time,
}
"""By scalar: turns the Python value of its kind into what JSON holds; TypeError when it is of another type."""

_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "Bytes": (_strings_only(read_bytes), "Bytes are written as base64 in a string."),
    "Date": (_strings_only(read_date), "A Date is written like 2026-01-31."),
    "DateTime": (_strings_only(read_instant), "A DateTime is written like 2026-01-31T13:45:00Z, zone included."),
    "Decimal": (read_decimal, 'A Decimal is written like "19.99", with at most 100 digits.'),
    "Long": (read_long, "A Long is a whole number of 64 bits, as a number or in a string."),
    "Time": (_strings_only(read_time), "A Time is written like 13:45:00."),
}

EXPECTATIONS = frozenset(expected for _, expected in _READERS.values())
"""What our scalars say of a value they do not accept."""


def scalar(name: str) -> GraphQLScalarType:
    """Build one of our scalars for graphql-core; KeyError for a name that is not ours."""
    if name == "JSON":
        return GraphQLScalarType(name, serialize=_json_out, parse_value=_no_json, parse_literal=_no_json_literal)
    read, expected = _READERS[name]
    return GraphQLScalarType(
        name, serialize=WRITERS[name], parse_value=_reader(read, expected), parse_literal=_literal(read, expected)
    )


def _no_json_literal(_node: ValueNode, _variables: Any = None) -> Any:
    return _no_json(None)
