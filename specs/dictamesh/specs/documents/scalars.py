# SPDX-License-Identifier: Apache-2.0
"""Plain scalars typed by the YAML 1.2 core schema: `on`, `yes`, dates and versions stay text."""

import math
import re

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
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_FIRST = frozenset("+-.0123456789")

MAX_DIGITS = 400
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
    if not _FLOAT.fullmatch(text):
        if _OCTAL.fullmatch(text):
            return int(text, 0)
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 0)
        return text
    if len(text) > MAX_DIGITS:
        raise NumberRangeError
    if _DECIMAL.fullmatch(text):
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise NumberRangeError
    return value
