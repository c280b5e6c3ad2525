# SPDX-License-Identifier: Apache-2.0
"""A reader of envelopes as one function of straight code for each record of a schema (Avro 1.12, binary encoding).

It gives JSON values at once. It knows the types that schemas of ours have, and fails at whatever is unusual, for
fastavro to read or to refuse. No text of a schema stands in the code, which names them as constants.
"""

import base64
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

from dictamesh.runtime.adapters.keys import json_form

Read = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value at a place, and returns it with the place behind it; raises anything where that fails."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH = _BEGINNING.toordinal()
_LARGEST = 500  # fields of a record
_DEEPEST = 16
_DOUBLE = struct.Struct("<d")


class _UnknownError(Exception):
    """A schema that is none of ours."""


def fast_reader(schema: Any) -> Read | None:
    """Return the function that reads records of a schema, None where it holds what no schema of ours does."""
    try:
        if not isinstance(schema, Mapping) or schema.get("type") != "record":
            return None
        return _record(schema, 0)
    except (_UnknownError, LookupError, TypeError, AttributeError, ValueError):
        return None


def _number(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
        shift += 7
        if shift > 63:
            raise ValueError


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, at = _number(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError
    return data[at:end].decode(), end


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _number(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError
    return data[at:end], end


def _converted(read: Callable[[bytes, int], tuple[Any, int]], convert: Callable[[Any], Any]) -> Read:
    def converted(data: bytes, at: int) -> tuple[Any, int]:
        value, at = read(data, at)
        return convert(value), at

    return converted


def _array(item: Read) -> Read:
    def array(data: bytes, at: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            count, at = _number(data, at)
            if count == 0:
                return found, at
            if not 0 < count <= len(data):  # blocks that tell their size are fastavro's
                raise ValueError
            for _ in range(count):
                value, at = item(data, at)
                found.append(value)

    return array


def _map(inner: Read) -> Read:
    def entry(data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        name, at = _text(data, at)
        value, at = inner(data, at)
        return (name, value), at

    return _converted(_array(entry), dict)


def _nullable(inner: Read) -> Read:
    def nullable(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at]
        if branch == 0:
            return None, at + 1
        if branch != 2:
            raise ValueError
        return inner(data, at + 1)

    return nullable


def _enum(symbols: tuple[str, ...]) -> Read:
    def enum(data: bytes, at: int) -> tuple[str, int]:
        place, at = _number(data, at)
        if place < 0:
            raise ValueError
        return symbols[place], at

    return enum


def _flag(data: bytes, at: int) -> tuple[bool, int]:
    return (False, True)[data[at]], at + 1


def _real(data: bytes, at: int) -> tuple[float, int]:
    return _DOUBLE.unpack_from(data, at)[0], at + 8


def _moment(value: int) -> str:
    return (_BEGINNING + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")


def _clock(value: int) -> str:
    seconds, micro = divmod(value, 1_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, micro).isoformat()


def _decimal(schema: Mapping[str, Any]) -> Read:
    context, scale = Context(prec=schema["precision"]), schema.get("scale", 0)

    def decimal(value: bytes) -> Any:
        number = int.from_bytes(value, "big", signed=True)
        return json_form(Decimal(number).scaleb(-scale, context))

    return _converted(_bytes, decimal)


def _reader(kind: Any, depth: int) -> Read:
    if depth > _DEEPEST:
        raise _UnknownError
    if isinstance(kind, list | tuple):
        if len(kind) != 2 or kind[0] != "null":
            raise _UnknownError
        return _nullable(_reader(kind[1], depth + 1))
    plain = kind["type"] if isinstance(kind, Mapping) else kind
    logical = kind.get("logicalType") if isinstance(kind, Mapping) else None
    simple = _SIMPLE.get((plain, logical))
    if simple is not None:
        return simple
    return _MADE[plain, logical](kind, depth + 1)


_SIMPLE: Mapping[tuple[Any, Any], Read] = {
    ("string", None): _text,
    ("string", "uuid"): _text,
    ("int", None): _number,
    ("long", None): _number,
    ("long", "timestamp-millis"): _number,
    ("boolean", None): _flag,
    ("double", None): _real,
    ("bytes", None): _converted(_bytes, lambda value: base64.b64encode(value).decode()),
    ("int", "date"): _converted(_number, lambda value: date.fromordinal(value + _EPOCH).isoformat()),
    ("long", "time-micros"): _converted(_number, _clock),
    ("long", "timestamp-micros"): _converted(_number, _moment),
}


def _record(schema: Mapping[str, Any], depth: int) -> Read:
    """One function; texts and nulls, of which there are most, are read in place."""
    fields = schema["fields"]
    if not 0 < len(fields) <= _LARGEST:  # an array of what takes no byte has any number of items
        raise _UnknownError
    scope: dict[str, Any] = {"LENGTHS": _SHORT, "text": _text}
    lines = ["def read(data, at):"]
    for place, each in enumerate(fields):
        if not isinstance(each["name"], str):
            raise _UnknownError
        scope[f"k{place}"] = each["name"]
        lines += _lines(scope, place, each["type"], depth)
    lines.append("    return {" + ", ".join(f"k{place}: v{place}" for place in range(len(fields))) + "}, at")
    exec("\n".join(lines), scope)  # noqa: S102 - of numbered names alone
    read: Read = scope["read"]
    return read


def _lines(scope: dict[str, Any], place: int, kind: Any, depth: int) -> list[str]:
    value = f"v{place}"
    if isinstance(kind, list | tuple) and len(kind) == 2 and kind[0] == "null":
        deeper = _lines(scope, place, kind[1], depth + 1)
        return [
            "    branch = data[at]",
            "    at += 1",
            f"    if branch == 0: {value} = None",
            "    elif branch != 2: raise ValueError",
            "    else:",
            *(f"    {line}" for line in deeper),
        ]
    scope[f"r{place}"] = read = _reader(kind, depth)
    if read is not _text:
        return [f"    {value}, at = r{place}(data, at)"]
    return [
        "    length = data[at]",
        f"    if length > 127: {value}, at = text(data, at)",
        "    else:",
        "        at += 1",
        "        end = at + LENGTHS[length]",
        f"        {value} = data[at:end].decode()",
        "        at = end",
    ]


# of a text by its first byte; an odd one is below zero, which no length is
_SHORT = {byte: byte >> 1 for byte in range(0, 128, 2)}
_MADE: Mapping[tuple[Any, Any], Callable[[Any, int], Read]] = {
    ("bytes", "decimal"): lambda kind, _: _decimal(kind),
    ("enum", None): lambda kind, _: _enum(tuple(kind["symbols"])),
    ("array", None): lambda kind, depth: _array(_reader(kind["items"], depth)),
    ("map", None): lambda kind, depth: _map(_reader(kind["values"], depth)),
    ("record", None): _record,
}
