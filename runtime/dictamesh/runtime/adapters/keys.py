# SPDX-License-Identifier: Apache-2.0
"""The canonical text of a key (S6): used by the cache, the audit and the catalog alike."""

import base64
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from dictamesh.runtime.adapters.cells import Key


def canonical(key: Key) -> str:
    """Return the JSON text of a single value without its quotes; a composite key is a JSON array (RFC 8785)."""
    if len(key) == 1:
        value = key[0]
        if type(value) is str:
            return value
        value = json_form(value)
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    return orjson.dumps([json_form(value) for value in key]).decode()


def digits(value: Decimal) -> str:
    """Return a decimal written out, equal for equal numbers: without zeros behind the last digit that counts.

    Not by `normalize`, which rounds to 28 digits.
    """
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"


def json_form(value: Any) -> Any:
    """Return a scalar as its JSON form in answers: whole numbers and booleans stay, all else is text (S3)."""
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return value
