# SPDX-License-Identifier: Apache-2.0
"""Conversion of values between types as PostgreSQL's casts do it, text read and written in one form only (S3, S5).

Text becomes a date, time or timestamp from ISO 8601 only: PostgreSQL's reader also takes forms that depend on settings.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Any

from dictamesh.specs.expressions.arithmetic import finite, plain, rescale, within
from dictamesh.specs.expressions.jsons import json_text, parse_json
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.types import Kind, Type

Convert = Callable[[Any], Any]
_EXACT = Context(prec=2000)

SPACE = " \t\n\r\f\v"
MAX_NUMBER_TEXT = 300  # characters of a text that is read as a number
NUMBER_WORD = "[+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
INTEGER_TEXT = re.compile(rf"[{SPACE}]*[+-]?[0-9]+[{SPACE}]*\Z")
NUMBER_TEXT = re.compile(rf"[{SPACE}]*{NUMBER_WORD}[{SPACE}]*\Z")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)\Z", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?\Z")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?\Z"
)
TRUE_TEXT = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
FALSE_TEXT = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


def _invalid(kind: Kind) -> ExpressionFailed:
    return ExpressionFailed(f"a text is not a valid {kind}")


def text_to_integer(kind: Kind) -> Convert:
    def convert(value: str) -> int:
        if len(value) > MAX_NUMBER_TEXT or INTEGER_TEXT.match(value) is None:
            raise _invalid(kind)
        return within(kind, int(value))

    return convert


def text_to_decimal(value: str) -> Decimal | None:
    if len(value) > MAX_NUMBER_TEXT or NUMBER_TEXT.match(value) is None:
        if _NOT_FINITE.match(value.strip(SPACE)):
            return None
        raise _invalid(Kind.DECIMAL)
    return plain(Decimal(value.strip(SPACE)))


def text_to_float(value: str) -> float | None:
    if len(value) > MAX_NUMBER_TEXT or NUMBER_TEXT.match(value) is None:
        if _NOT_FINITE.match(value.strip(SPACE)):
            return None
        raise _invalid(Kind.FLOAT)
    exact = Decimal(value.strip(SPACE))
    return finite(float(exact), zero_is_underflow=bool(exact))


def text_to_boolean(value: str) -> bool:
    word = value.strip(SPACE).lower()
    if word in TRUE_TEXT:
        return True
    if word in FALSE_TEXT:
        return False
    raise _invalid(Kind.BOOLEAN)


def text_to_date(value: str) -> date:
    match = _DATE.match(value.strip(SPACE))
    if match is None:
        raise _invalid(Kind.DATE)
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        raise _invalid(Kind.DATE) from None


def text_to_time(value: str) -> time:
    match = _TIME.match(value.strip(SPACE))
    if match is None:
        raise _invalid(Kind.TIME)
    hour, minute, second, fraction = match.groups()
    try:
        return time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        raise _invalid(Kind.TIME) from None


def text_to_timestamp(value: str) -> datetime:
    """Read ISO 8601; a text without an offset is UTC (S3)."""
    match = _TIMESTAMP.match(value.strip(SPACE))
    if match is None:
        raise _invalid(Kind.TIMESTAMP)
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    try:
        day_time = datetime.combine(
            date(int(year), int(month), int(day)),
            time(int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "").ljust(6, "0"))),
            _offset(sign, hours, minutes),
        )
        return day_time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(Kind.TIMESTAMP) from None


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> timezone:
    if sign is None:
        return UTC
    h, m = int(hours or 0), int(minutes or 0)
    if h > 14 or m > 59:
        raise ValueError
    offset = timedelta(hours=h, minutes=m)
    return timezone(offset if sign == "+" else -offset)


def float_text(value: float) -> str:
    """Write a float as PostgreSQL does: shortest digits that read back, exponent from 1e+15 and below 1e-4."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(_shortest(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if -4 < point <= 15:
        if point <= 0:
            body = "0." + "0" * -point + text
        else:
            body = text.ljust(point, "0")
            body = body[:point] + ("." + body[point:] if len(body) > point else "")
    else:
        power = point - 1
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{'-' if power < 0 else '+'}{abs(power):02d}"
    return ("-" if sign else "") + body


def _shortest(value: float) -> str:
    """Return the fewest digits that read back; unlike Python, PostgreSQL takes none half-way to the next float."""
    shown = repr(value)
    size = len(Decimal(shown).normalize().as_tuple().digits)
    while size < 17 and _half_way(value, Decimal(shown)):
        shown = f"{value:.{size}e}"
        size += 1
    return shown


def _half_way(value: float, shown: Decimal) -> bool:
    exact = Decimal(value)
    towards = math.nextafter(value, math.inf if shown > exact else -math.inf)
    return (
        shown != exact and math.isfinite(towards) and _EXACT.add(exact, Decimal(towards)) == _EXACT.multiply(shown, 2)
    )


def timestamp_text(value: datetime) -> str:
    text = value.strftime("%H:%M:%S") + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else "")
    return f"{value.date().isoformat()} {text}+00"


def time_text(value: time) -> str:
    return value.strftime("%H:%M:%S") + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else "")


def decimal_text(value: Decimal) -> str:
    return format(plain(value), "f")


def float_to_integer(kind: Kind) -> Convert:
    return lambda value: within(kind, round(value))


def decimal_to_integer(kind: Kind) -> Convert:
    return lambda value: within(kind, int(rescale(value, 0)))


def decimal_to_float(value: Decimal) -> float:
    return finite(float(value), zero_is_underflow=bool(value))


def float_to_decimal(value: float) -> Decimal:
    return plain(Decimal(f"{value:.15g}"))


def fitted(precision: int, scale: int) -> Convert:
    """Return the rounding to `decimal(precision, scale)`; a value that does not fit fails."""
    limit = Decimal(10) ** (precision - scale)

    def convert(value: Decimal) -> Decimal:
        rounded = rescale(value, scale)
        if abs(rounded) >= limit:
            raise ExpressionFailed(f"a value does not fit decimal({precision},{scale})")
        return rounded

    return convert


def date_to_timestamp(value: date) -> datetime:
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


_TO_TEXT: dict[Kind, Convert] = {
    Kind.INT: str,
    Kind.LONG: str,
    Kind.FLOAT: float_text,
    Kind.DECIMAL: decimal_text,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.DATE: lambda value: value.isoformat(),
    Kind.TIME: time_text,
    Kind.TIMESTAMP: timestamp_text,
    Kind.JSON: json_text,
    Kind.OBJECT: json_text,
    Kind.ARRAY: json_text,
}
_FROM_TEXT: dict[Kind, Convert] = {
    Kind.INT: text_to_integer(Kind.INT),
    Kind.LONG: text_to_integer(Kind.LONG),
    Kind.FLOAT: text_to_float,
    Kind.DECIMAL: text_to_decimal,
    Kind.BOOLEAN: text_to_boolean,
    Kind.DATE: text_to_date,
    Kind.TIME: text_to_time,
    Kind.TIMESTAMP: text_to_timestamp,
    Kind.JSON: parse_json,
}
_OTHER: dict[tuple[Kind, Kind], Convert] = {
    (Kind.INT, Kind.LONG): int,
    (Kind.LONG, Kind.INT): lambda value: within(Kind.INT, value),
    (Kind.INT, Kind.DECIMAL): Decimal,
    (Kind.LONG, Kind.DECIMAL): Decimal,
    (Kind.INT, Kind.FLOAT): float,
    (Kind.LONG, Kind.FLOAT): float,
    (Kind.DECIMAL, Kind.FLOAT): decimal_to_float,
    (Kind.DECIMAL, Kind.INT): decimal_to_integer(Kind.INT),
    (Kind.DECIMAL, Kind.LONG): decimal_to_integer(Kind.LONG),
    (Kind.FLOAT, Kind.INT): float_to_integer(Kind.INT),
    (Kind.FLOAT, Kind.LONG): float_to_integer(Kind.LONG),
    (Kind.FLOAT, Kind.DECIMAL): float_to_decimal,
    (Kind.BOOLEAN, Kind.INT): int,
    (Kind.INT, Kind.BOOLEAN): bool,
    (Kind.DATE, Kind.TIMESTAMP): date_to_timestamp,
    (Kind.TIMESTAMP, Kind.DATE): lambda value: value.date(),
    (Kind.TIMESTAMP, Kind.TIME): lambda value: value.time(),
    (Kind.OBJECT, Kind.JSON): lambda value: value,
    (Kind.ARRAY, Kind.JSON): lambda value: value,
}


def conversion(source: Type, target: Type) -> Convert | None:
    """Return the function that casts a value of `source` to `target`, or None where PostgreSQL knows no such cast."""
    step = _step(source.kind, target.kind)
    if step is None or target.kind is not Kind.DECIMAL or target.precision is None:
        return step
    fit = fitted(target.precision, target.scale or 0)

    def convert(value: Any) -> Any:
        exact = step(value)
        return None if exact is None else fit(exact)

    return convert


def _step(source: Kind, target: Kind) -> Convert | None:
    if source is target or source is Kind.NULL:
        return lambda value: value
    if target is Kind.STRING:
        return _TO_TEXT.get(source)
    if source is Kind.STRING:
        return _FROM_TEXT.get(target)
    return _OTHER.get((source, target))


_LOSSLESS = frozenset(
    {
        (Kind.INT, Kind.LONG),
        (Kind.INT, Kind.DECIMAL),
        (Kind.LONG, Kind.DECIMAL),
        (Kind.INT, Kind.FLOAT),
        (Kind.LONG, Kind.FLOAT),
        (Kind.FLOAT, Kind.DECIMAL),
        (Kind.BOOLEAN, Kind.INT),
        (Kind.INT, Kind.BOOLEAN),
        (Kind.DATE, Kind.TIMESTAMP),
        (Kind.TIMESTAMP, Kind.DATE),
        (Kind.TIMESTAMP, Kind.TIME),
        (Kind.OBJECT, Kind.JSON),
        (Kind.ARRAY, Kind.JSON),
    }
)


def conversion_can_fail(source: Type, target: Type) -> bool:
    """Return whether a value of `source` may exist that has no value in `target`."""
    if target.kind is Kind.DECIMAL and target.precision is not None:
        return not (source.kind is Kind.DECIMAL and _contains(target, source))
    if source.kind is target.kind or Kind.NULL in {source.kind, target.kind} or target.kind is Kind.STRING:
        return False
    return (source.kind, target.kind) not in _LOSSLESS


def _contains(wide: Type, narrow: Type) -> bool:
    if wide.precision is None or narrow.precision is None:
        return False
    scale, other = wide.scale or 0, narrow.scale or 0
    return scale >= other and wide.precision - scale >= narrow.precision - other
