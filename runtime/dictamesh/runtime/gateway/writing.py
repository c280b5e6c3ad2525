# SPDX-License-Identifier: Apache-2.0
"""Writes answers as JSON, whatever a source put into them."""

import json
import math
from collections.abc import Mapping
from typing import Any

import orjson


def write(body: Mapping[str, Any]) -> bytes:
    """Return JSON in UTF-8.

    Sources may hold integers beyond 64 bits, lone surrogates and deep JSON values, which the fast writer refuses; the
    slow one escapes them. Numbers that JSON has no word for become null. Raises ValueError for what neither can write.
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        pass
    try:
        return json.dumps(_finite(body), allow_nan=False, separators=(",", ":"), default=_plain).encode("ascii")
    except (RecursionError, TypeError):
        pass
    raise ValueError("an answer cannot be written as JSON")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
