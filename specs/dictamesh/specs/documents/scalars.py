# SPDX-License-Identifier: Apache-2.0
"""Plain scalars typed by the YAML 1.2 core schema: `on`, `yes`, dates and versions stay text."""

import math
import re
import sys
from collections.abc import Callable

_WORDS: dict[str, bool | float | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_FIRST = frozenset("+-.0123456789")

MAX_DIGITS = 300
"""Longest number; what is longer is text that lacks its quotes."""


class NumberRangeError(ValueError):
    """A number that is too long, or too large for a 64-bit float."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain (unquoted) scalar. Raises NumberRangeError."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    return _number(text)


def _number(text: str) -> str | int | float:
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            if len(text) > MAX_DIGITS:
                raise NumberRangeError
            value: int | float = convert(text)
            if abs(value) > sys.float_info.max:
                raise NumberRangeError
            return value
    return text


def _based(text: str) -> int:
    return int(text, 0)


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]+", re.ASCII), int),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII), float),
    (re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII), _based),
)
