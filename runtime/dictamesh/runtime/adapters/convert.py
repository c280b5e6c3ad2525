# SPDX-License-Identifier: Apache-2.0
"""From a driver's value to the Python value of its declared type (S3, S4)."""

import base64
import binascii
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

from dictamesh.connectors.exact_json import loads
from dictamesh.runtime.adapters.cells import Invalid
from dictamesh.specs.types import Kind, Type

Converter = Callable[[Any], Any]

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?\Z", re.ASCII)
_ZONE = re.compile(r"([+-][0-9]{2})\Z", re.ASCII)  # PostgreSQL's text form: `+02`
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}", re.ASCII)
_BOOLEANS = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}
_LONGEST_NUMBER = 400
_FLOATS = 10**308
_DEEPEST = 200  # levels of a JSON value: those who write JSON take 254


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source's values are to be read.

    `text_values`: the source writes everything as text (CSV). `json_text`: JSON columns arrive as text (SQL).
    """

    coerce: bool = False
    timezone: tzinfo = UTC
    integer_booleans: bool = False
    text_values: bool = False
    json_text: bool = False

    @property
    def from_text(self) -> bool:
        return self.coerce or self.text_values


def converter(type_: Type, reading: Reading) -> Converter:
    """Return a function from a driver's value to a value of `type_`, None for None; it raises `Invalid`."""
    match type_.kind:
        case Kind.ARRAY:
            return _listed(type_, reading)
        case Kind.OBJECT | Kind.JSON:
            return _json_reader(type_.kind, reading)
        case Kind.STRING:
            inner = _text_reader(frozenset(type_.values), reading)
        case Kind.DECIMAL:
            inner = _decimal_reader(type_, reading)
        case kind:
            inner = _SCALARS[kind](reading)
    if reading.text_values and type_.kind is not Kind.STRING:
        return lambda raw: None if raw is None or raw == "" else inner(raw)
    return _quick(type_, inner)


def _quick(type_: Type, inner: Converter) -> Converter:
    """The same without a second call where the driver's value is of the type already, as nearly all are."""
    match type_.kind:
        case Kind.STRING if not type_.values:
            return lambda raw: raw if raw is None or type(raw) is str else inner(raw)
        case Kind.INT:
            return lambda raw: raw if raw is None or (type(raw) is int and raw in _INT) else inner(raw)
        case Kind.TIMESTAMP:
            return lambda raw: raw if raw is None or (type(raw) is datetime and raw.tzinfo is UTC) else inner(raw)
        case _:
            return lambda raw: None if raw is None else inner(raw)


def json_value(raw: Any) -> Any:
    """Parse a JSON text; raises `Invalid`."""
    try:
        return loads(raw)
    except ValueError:
        raise Invalid from None


def _json_reader(kind: Kind, reading: Reading) -> Converter:
    parses = reading.json_text or reading.from_text or kind is Kind.OBJECT

    def convert(raw: Any) -> Any:
        value = json_value(raw) if parses and isinstance(raw, str | bytes) else raw
        if value is not None and kind is Kind.OBJECT and not isinstance(value, dict):
            raise Invalid
        return _plain_json(value)

    return convert


def _plain_json(value: Any, left: int = _DEEPEST) -> Any:
    """Exact fractions become floats: what JSON itself promises of a number; raises `Invalid` for what nests deep."""
    if not left:
        raise Invalid
    match value:
        case Decimal():
            return float(value) if math.isfinite(float(value)) else None
        case dict():
            return {str(key): _plain_json(item, left - 1) for key, item in value.items()}
        case list() | tuple():
            return [_plain_json(item, left - 1) for item in value]
        case None | bool() | str():
            return value
        case int():
            return value if value in _LONG else float(value) if abs(value) < _FLOATS else None
        case float():
            return value if math.isfinite(value) else None
        case _:
            raise Invalid


def _listed(type_: Type, reading: Reading) -> Converter:
    item = converter(type_.item or Type(Kind.JSON), reading)

    def convert(raw: Any) -> Any:
        values = as_list(raw)
        return None if values is None else [item(value) for value in values]

    return convert


def as_list(raw: Any) -> list[Any] | None:
    """Return an array given as a list or as JSON text; raises `Invalid`."""
    value = json_value(raw) if isinstance(raw, str | bytes) else raw
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise Invalid
    return list(value)


def _text_reader(values: frozenset[str], reading: Reading) -> Converter:
    def convert(raw: Any) -> str:
        text = raw if isinstance(raw, str) else _as_text(raw, reading.coerce)
        if values and text not in values:
            raise Invalid
        return text

    return convert


def _as_text(raw: Any, coerce: bool) -> str:
    if isinstance(raw, uuid.UUID):
        return str(raw)
    if coerce and isinstance(raw, bool):
        return "true" if raw else "false"
    if coerce and isinstance(raw, int | float | Decimal):
        return str(raw)
    raise Invalid


def _bytes_reader(_: Reading) -> Converter:
    def convert(raw: Any) -> bytes:
        if isinstance(raw, bytes | bytearray | memoryview):
            return bytes(raw)
        if isinstance(raw, str):
            try:
                return base64.b64decode(raw, validate=True)
            except (binascii.Error, ValueError):
                raise Invalid from None
        raise Invalid

    return convert


def _whole_reader(allowed: range, *, text: bool) -> Converter:
    def convert(raw: Any) -> int:
        value: Any = raw
        if isinstance(raw, str):
            if not text or not _WHOLE.match(raw.strip()):
                raise Invalid
            value = int(raw)
        elif isinstance(raw, float | Decimal):
            if not math.isfinite(raw) or not -(2**63) <= raw < 2**63 or raw != int(raw):
                raise Invalid
            value = int(raw)
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            raise Invalid
        return value

    return convert


def _float_reader(reading: Reading) -> Converter:
    def convert(raw: Any) -> float | None:
        if isinstance(raw, str) and reading.from_text:
            raw = _number(raw)
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
            raise Invalid
        try:
            value = float(raw)
        except OverflowError:
            raise Invalid from None
        return value if math.isfinite(value) else None

    return convert


def _number(text: str) -> Decimal:
    text = text.strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER.match(text):
        raise Invalid
    return Decimal(text)


def _decimal_reader(type_: Type, _: Reading) -> Converter:
    """Text is read without `coerce`: a decimal's JSON form is a string (S3)."""

    def convert(raw: Any) -> Decimal | None:
        if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
            raise Invalid
        value = _number(raw) if isinstance(raw, str) else Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
        return rounded(value, type_) if value.is_finite() else None

    return convert


def rounded(value: Decimal, type_: Type) -> Decimal:
    """Round half away from zero to the type's scale (S3); `Invalid` where the precision does not suffice.

    Of a type without one a value lies within 400 places of the point: written out, 1e999999 has a million digits.
    """
    if type_.scale is None:
        if not -_LONGEST_NUMBER <= value.adjusted() <= _LONGEST_NUMBER:
            raise Invalid
        return value
    with localcontext() as context:
        context.prec = 2 * _LONGEST_NUMBER
        try:
            result = value.quantize(Decimal(1).scaleb(-type_.scale), rounding=ROUND_HALF_UP)
        except InvalidOperation:
            raise Invalid from None
    if type_.precision is not None and result and result.adjusted() >= type_.precision - type_.scale:
        raise Invalid
    return result or abs(result)


def _boolean_reader(reading: Reading) -> Converter:
    def convert(raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, int) and raw in {0, 1} and (reading.integer_booleans or reading.coerce):
            return raw == 1
        if isinstance(raw, str) and reading.from_text and raw.strip().lower() in _BOOLEANS:
            return _BOOLEANS[raw.strip().lower()]
        raise Invalid

    return convert


def _date_reader(reading: Reading) -> Converter:
    moment = _moment_reader(reading)

    def convert(raw: Any) -> date:
        if isinstance(raw, date) and not isinstance(raw, datetime):
            return raw
        if isinstance(raw, str) and _DATE.match(raw):
            day: date = _parsed(date.fromisoformat, raw)
            return day
        if reading.coerce:
            found: datetime = moment(raw)
            return found.date()
        raise Invalid

    return convert


def _time_reader(_: Reading) -> Converter:
    def convert(raw: Any) -> time:
        if isinstance(raw, time) and raw.tzinfo is None:
            return raw
        if isinstance(raw, str) and _TIME.match(raw):
            clock: time = _parsed(time.fromisoformat, raw)
            return clock
        raise Invalid

    return convert


def _moment_reader(reading: Reading) -> Converter:
    def convert(raw: Any) -> datetime:
        value = raw
        if isinstance(raw, str):
            if _MOMENT.match(raw):
                text = raw + ":00" if _ZONE.search(raw[16:]) else raw
                value = _parsed(datetime.fromisoformat, text.replace("z", "Z"))
            elif reading.coerce and _DATE.match(raw):
                value = _parsed(datetime.fromisoformat, raw)
        elif reading.coerce and isinstance(raw, date) and not isinstance(raw, datetime):
            value = datetime(raw.year, raw.month, raw.day, tzinfo=reading.timezone)
        if not isinstance(value, datetime):
            raise Invalid
        return _in_utc(value, reading.timezone)

    return convert


def _in_utc(value: datetime, zone: tzinfo) -> datetime:
    if value.tzinfo is UTC:
        return value
    try:
        return (value if value.tzinfo is not None else value.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise Invalid from None


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise Invalid from None


def _null_reader(_: Reading) -> Converter:
    def convert(_: Any) -> None:
        raise Invalid

    return convert


_SCALARS: dict[Kind, Callable[[Reading], Converter]] = {
    Kind.BYTES: _bytes_reader,
    Kind.INT: lambda reading: _whole_reader(_INT, text=reading.from_text),
    Kind.LONG: lambda _: _whole_reader(_LONG, text=True),  # its JSON form is a string (S3)
    Kind.FLOAT: _float_reader,
    Kind.BOOLEAN: _boolean_reader,
    Kind.DATE: _date_reader,
    Kind.TIME: _time_reader,
    Kind.TIMESTAMP: _moment_reader,
    Kind.NULL: _null_reader,
}
