# SPDX-License-Identifier: Apache-2.0
"""A record that was seen, as bytes: so that one that could not be mapped can be tried again when the spec is mended."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from dictamesh.runtime.capture.contract import Seen

_TAG = "$dictamesh"
_DEEPEST = 80  # levels: three are written for one at most, and JSON is written to 254
_READ: Mapping[str, Callable[[str], Any]] = {
    "bytes": base64.b64decode,
    "text": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "decimal": Decimal,
    "uuid": UUID,
    "float": float,
    "int": int,
    "microseconds": lambda text: timedelta(microseconds=int(text)),
}


class Unpackable(ValueError):  # noqa: N818 - the name says what is the case
    """Bytes are no packed record."""


def packed(seen: Seen) -> bytes:
    """Return a record as JSON that `unpacked` reads back, drivers' values included; of others their text is kept.

    What nests deeper than any sender's message may is cut off: a source that holds such values is asked again.
    """
    return orjson.dumps({each.name: _written(getattr(seen, each.name)) for each in fields(Seen)})


def unpacked(body: bytes) -> Seen:
    """Return the record that was packed; raises Unpackable."""
    try:
        read = {name: _read(value) for name, value in orjson.loads(body).items()}
        if not {"columns", "fields"} <= read.keys():
            raise Unpackable("no packed record")
        return Seen(**read)
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError):
        raise Unpackable("no packed record") from None


def _written(value: Any, left: int = _DEEPEST) -> Any:
    match value:
        case Mapping() | list() | tuple() if not left:
            return None
        case Mapping() if _TAG in value or not all(_plain(str(key)) for key in value):
            # what looks like ours is not taken for it
            return {
                _TAG: "mapping",
                "items": [[_written(str(key)), _written(each, left - 1)] for key, each in value.items()],
            }
        case Mapping():
            return {str(key): _written(each, left - 1) for key, each in value.items()}
        case list() | tuple():
            return [_written(each, left - 1) for each in value]
        case str():
            return value if _plain(value) else _tagged("text", _base64(value.encode("utf-8", "surrogatepass")))
        case None | bool():
            return value
        case int() if -(2**63) <= value < 2**64:
            return value
        case float() if value - value == 0:
            return value
        case _:
            return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case int() | float() | Decimal():
            return _tagged(type(value).__name__.lower(), repr(value) if isinstance(value, float) else str(value))
        case bytes() | bytearray() | memoryview():
            return _tagged("bytes", _base64(bytes(value)))
        case datetime() | date() | time():
            return _tagged(type(value).__name__, value.isoformat())
        case UUID():
            return _tagged("uuid", str(value))
        case timedelta():
            return _tagged("microseconds", str(value // timedelta(microseconds=1)))
        case _:
            return _written(str(value))


def _plain(text: str) -> bool:
    """Whether a text is no half of a surrogate pair, which UTF-8 does not hold."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _tagged(kind: str, text: str) -> dict[str, str]:
    return {_TAG: kind, "text": text}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_TAG)
    if kind is None:
        return {key: _read(each) for key, each in value.items()}
    if kind == "mapping":
        return {_read(key): _read(each) for key, each in value["items"]}
    return _READ[kind](value["text"])
