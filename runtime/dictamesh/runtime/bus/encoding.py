# SPDX-License-Identifier: Apache-2.0
"""JSON values written as Avro, by functions that are made of a schema once (Avro 1.12, binary encoding).

A general writer finds the branch of each union by trying; here a schema of ours says it, which is what makes the relay
keep up with Kafka. What does not fit raises, so that writing is also the check of SR-5.
"""

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

Write = Callable[[Any, list[bytes]], None]
"""Appends the encoding of a value; raises TypeError, ValueError, KeyError or AttributeError where it does not fit."""

_EPOCH = date(1970, 1, 1).toordinal()
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DOUBLE = struct.Struct("<d")
_END = b"\x00"
_NULL, _VALUE = b"\x00", b"\x02"  # the branches of ["null", T]


def _varint(number: int) -> bytes:
    """A number of 64 bits, zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SHORT = tuple(_varint(length) for length in range(4096))


def _length(length: int) -> bytes:
    return _SHORT[length] if length < 4096 else _varint(length)


def writer(schema: Any) -> Write:
    """Return the function that writes values of a schema as `compile/avro.py` makes them; each name is declared once.

    Raises ValueError for a schema that holds anything else.
    """
    if isinstance(schema, str):
        return _PRIMITIVES[schema]
    if isinstance(schema, list | tuple):
        null, other = schema
        if null != "null":
            raise ValueError("a union of ours is null and a type")
        return _nullable(writer(other))
    kind = schema["type"]
    if "logicalType" in schema and schema["logicalType"] in _LOGICAL:
        return _LOGICAL[schema["logicalType"]](schema)
    match kind:
        case "record":
            return _record([(each["name"], writer(each["type"]), each) for each in schema["fields"]])
        case "enum":
            return _enum({name: _length(place) for place, name in enumerate(schema["symbols"])})
        case "array":
            return _array(writer(schema["items"]))
        case "map":
            return _map(writer(schema["values"]))
        case _:
            return writer(kind)


def _text(value: Any, out: list[bytes]) -> None:
    data = value.encode()
    length = len(data)
    out.append(_SHORT[length] if length < 4096 else _varint(length))
    out.append(data)


def _bytes(data: bytes, out: list[bytes]) -> None:
    out.append(_length(len(data)))
    out.append(data)


def _base64(value: Any, out: list[bytes]) -> None:
    _bytes(base64.b64decode(value, validate=True), out)


def _whole(bits: int) -> Write:
    bound = 1 << (bits - 1)

    def write(value: Any, out: list[bytes]) -> None:
        if type(value) is not int or not -bound <= value < bound:
            raise TypeError
        out.append(_varint(value))

    return write


def _real(value: Any, out: list[bytes]) -> None:
    if type(value) not in {int, float}:
        raise TypeError
    out.append(_DOUBLE.pack(value))


def _flag(value: Any, out: list[bytes]) -> None:
    if type(value) is not bool:
        raise TypeError
    out.append(b"\x01" if value else b"\x00")


def _nullable(other: Write) -> Write:
    def write(value: Any, out: list[bytes]) -> None:
        if value is None:
            out.append(_NULL)
        else:
            out.append(_VALUE)
            other(value, out)

    return write


class Misplaced(ValueError):  # noqa: N818 - the state of a value
    """A value below a record does not fit; the text is the path of fields that leads to it."""


def _record(fields: Sequence[tuple[str, Write, Mapping[str, Any]]]) -> Write:
    """A record; what it lacks and has a default for is written as that, what it has beside its fields fits not."""
    defaults = {name: _default(write, each["default"]) for name, write, each in fields if "default" in each}
    plain = tuple((name, write) for name, write, _ in fields)

    def write_record(value: Any, out: list[bytes]) -> None:
        missing = 0
        name = ""
        try:
            for name, write in plain:
                if name in value:
                    write(value[name], out)
                else:
                    out.append(defaults[name])
                    missing += 1
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, ArithmeticError) as error:
            below = f".{error}" if isinstance(error, Misplaced) else ""
            raise Misplaced(name + below) from None
        if len(value) + missing != len(plain):
            raise Misplaced("a field that the schema lacks")

    return write_record


def _default(write: Write, value: Any) -> bytes:
    out: list[bytes] = []
    write(value, out)
    return b"".join(out)


def _enum(symbols: Mapping[str, bytes]) -> Write:
    return lambda value, out: out.append(symbols[value])


def _array(item: Write) -> Write:
    def write(value: Any, out: list[bytes]) -> None:
        if type(value) is not list and type(value) is not tuple:
            raise TypeError
        if value:
            out.append(_length(len(value)))
            for each in value:
                item(each, out)
        out.append(_END)

    return write


def _map(inner: Write) -> Write:
    def write(value: Any, out: list[bytes]) -> None:
        if value:
            out.append(_length(len(value)))
            for name, each in value.items():
                _text(name, out)
                inner(each, out)
        elif not isinstance(value, Mapping):
            raise TypeError
        out.append(_END)

    return write


def _decimal(schema: Mapping[str, Any]) -> Write:
    precision, scale = schema["precision"], schema.get("scale", 0)

    def write(value: Any, out: list[bytes]) -> None:
        if type(value) is not str:
            raise TypeError
        sign, digits, exponent = Decimal(value).as_tuple()
        if not isinstance(exponent, int) or exponent + scale < 0:
            raise ValueError
        unscaled = int("".join(map(str, digits)) or "0") * 10 ** (exponent + scale)
        if unscaled >= 10**precision:
            raise ValueError
        number = -unscaled if sign else unscaled
        _bytes(number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True), out)

    return write


def _day(value: Any, out: list[bytes]) -> None:
    out.append(_varint(date.fromisoformat(value).toordinal() - _EPOCH))


def _clock(value: Any, out: list[bytes]) -> None:
    found = time.fromisoformat(value)
    seconds = (found.hour * 60 + found.minute) * 60 + found.second
    out.append(_varint(seconds * 1_000_000 + found.microsecond))


def _moment(value: Any, out: list[bytes]) -> None:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    out.append(_varint((found - _BEGINNING) // _MICROSECOND))


_PRIMITIVES: Mapping[str, Write] = {
    "string": _text,
    "bytes": _base64,
    "int": _whole(32),
    "long": _whole(64),
    "double": _real,
    "boolean": _flag,
}
_LOGICAL: Mapping[str, Callable[[Mapping[str, Any]], Write]] = {
    "uuid": lambda _: _text,
    "timestamp-millis": lambda _: _whole(64),
    "timestamp-micros": lambda _: _moment,
    "time-micros": lambda _: _clock,
    "date": lambda _: _day,
    "decimal": _decimal,
}
