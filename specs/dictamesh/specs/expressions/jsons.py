# SPDX-License-Identifier: Apache-2.0
"""JSON values: reading, writing and access with the meaning of PostgreSQL's jsonb; a JSON null is NULL."""

import json
import math
import re
from decimal import Decimal
from typing import Any

from dictamesh.specs.expressions.problems import ExpressionFailed

_INDEX = re.compile(r"[+-]?[0-9]{1,10}\Z")


def _no_constant(_word: str) -> Any:
    raise ValueError


def parse_json(text: str) -> Any:
    """Read a JSON text; raises ExpressionFailed when it is not one."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ExpressionFailed("a text is not valid JSON") from None


def json_text(value: Any) -> str:
    """Write JSON as jsonb does: keys by length then bytes, a space after colon and comma, no exponents."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{json_text(key)}: {json_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_text(item) for item in value) + "]"
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            return "null"
        value = Decimal(repr(value))
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def json_get(value: Any, key: str | int) -> Any:
    """Return the member or element at `key`, or None where there is none."""
    if isinstance(key, str):
        return value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, list) or not -len(value) <= key < len(value):
        return None
    return value[key]


def json_get_text(value: Any, key: str | int) -> str | None:
    return scalar_text(json_get(value, key))


def json_path(value: Any, steps: tuple[str, ...]) -> Any:
    """Follow a text path: a step into an array is an index."""
    for step in steps:
        if isinstance(value, list):
            value = json_get(value, int(step)) if _INDEX.match(step) else None
        else:
            value = json_get(value, step)
        if value is None:
            return None
    return value


def scalar_text(value: Any) -> str | None:
    """Return what ->> gives: a string without quotes, anything else as JSON text."""
    if value is None or isinstance(value, str):
        return value
    return json_text(value)


def json_kind(value: Any) -> str:
    """Return the name that jsonb_typeof gives."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def json_length(value: Any) -> int:
    if not isinstance(value, list):
        raise ExpressionFailed("cannot get array length of a JSON value that is not an array")
    return len(value)
