# SPDX-License-Identifier: Apache-2.0
"""JSON with exact numbers: a fraction keeps all digits as Decimal, an integer of any size stays one."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

_MAX_DIGITS = 4300  # the bound of int() in Python; longer ones stay text and become a bad cell

# A number that orjson would round: any fraction or exponent, any integer of 19 digits or more.
_DELICATE = re.compile(rb"[:,\[\s]-?[0-9]+(?:[.eE]|(?<=[0-9]{19}))|^\s*-?[0-9]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(raw: bytes | str) -> Any:
    """Parse JSON text; of a repeated key the last value counts, half a surrogate pair becomes U+FFFD.

    ValueError for anything else, NaN and over-deep nesting among it.
    """
    body = raw.encode() if isinstance(raw, str) else raw
    if _DELICATE.search(body) is None:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the slow parser decides: it also takes half a surrogate pair
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_float=_fraction, parse_int=_integer, parse_constant=_refuse)
        return _without_surrogates(found) if b"\\ud" in body or b"\\uD" in body else found
    except RecursionError:
        raise ValueError("nested too deep") from None


def _fraction(digits: str) -> Decimal | str:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return digits


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _refuse(_name: str) -> NoReturn:
    raise ValueError


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case _:
            return value
