# SPDX-License-Identifier: Apache-2.0
"""Masks: functions that make a value unreadable (S19)."""

import hmac as hmac_
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from functools import partial as bind
from typing import Any

from dictamesh.specs.rules import MaskRule
from dictamesh.specs.types import Kind, Type

REDACTED = "***REDACTED***"
HMAC_DIGITS = 32

Masking = Callable[[Any], Any]
Keys = Mapping[str, bytes]

_WIDE = Context(prec=60, rounding=ROUND_FLOOR, traps=[])
_WHOLE = {Kind.INT: 31, Kind.LONG: 63}  # bits


class MaskKeyMissing(LookupError):  # noqa: N818 - the state of the configuration
    """A mask names a key that was not handed in; the text holds the name only."""

    def __init__(self, name: str | None) -> None:
        super().__init__(f"mask key '{name}' is not among security.keys")
        self.key = name


def mask(rule: MaskRule, type: Type, keys: Keys) -> Masking:  # noqa: A002 - the language's word
    """Return the function that masks values of `type`; NULL stays NULL, arrays are masked by element.

    A kind that does not fit the type gives null. `keys` holds the bytes of `security.keys` by name. The members of an
    object have decisions of their own, so an object as a whole is null. Raises MaskKeyMissing.
    """
    if type.kind is Kind.ARRAY and type.item is not None:
        return bind(_each, mask(rule, type.item, keys))
    if not _fits(rule, type):
        return nullify
    return _MAKERS[rule.kind](rule, type, keys)


def gives_value(rule: MaskRule, type: Type) -> bool:  # noqa: A002 - the language's word
    """Whether every value of `type` is served as some value, not as null."""
    if rule.kind == "generalise" and rule.step is None and rule.other is None:
        return False
    return rule.kind != "nullify" and _fits(rule, type)


def takes_text(type: Type) -> bool:  # noqa: A002 - the language's word
    """Whether a field of `type` can hold any text: strings, but not enumerations, whose GraphQL type cannot."""
    return type.kind is Kind.STRING and not type.values


def nullify(_value: Any) -> None:
    """Return None."""


def pseudonym(key: bytes, scope: str, text: str) -> str:
    """Return the first 32 hex digits of HMAC-SHA256(key, scope 0x00 text), both as UTF-8 (S19)."""
    # JSON may carry lone surrogates, which strict UTF-8 refuses
    return keyed_digest(key, scope.encode() + b"\x00" + text.encode("utf-8", "surrogatepass"))


def keyed_digest(key: bytes, message: bytes) -> str:
    """Return the first 32 hex digits of HMAC-SHA256."""
    return hmac_.digest(key, message, "sha256").hex()[:HMAC_DIGITS]


def _fits(rule: MaskRule, type_: Type) -> bool:
    if rule.kind == "generalise" and rule.step is not None:
        return type_.numeric
    if rule.kind == "truncate-date":
        return type_.kind in {Kind.DATE, Kind.TIMESTAMP}
    return takes_text(type_)


def _each(one: Masking, value: Any) -> Any:
    return [one(item) for item in value] if isinstance(value, list | tuple) else None


def _nullify(_rule: MaskRule, _type: Type, _keys: Keys) -> Masking:
    return nullify


def _redact(_rule: MaskRule, _type: Type, _keys: Keys) -> Masking:
    return lambda value: REDACTED if isinstance(value, str) else None


def _partial(rule: MaskRule, _type: Type, _keys: Keys) -> Masking:
    first = 0 if rule.keep_first is None else rule.keep_first
    last = 4 if rule.keep_last is None else rule.keep_last
    char = rule.char or "*"

    def masked(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        hidden = len(value) - first - last
        if hidden <= first + last:
            return char * len(value)
        return value[:first] + char * hidden + value[len(value) - last :]

    return masked


def _hmac(rule: MaskRule, _type: Type, keys: Keys) -> Masking:
    key, scope = _key(rule, keys), rule.scope or ""
    return lambda value: pseudonym(key, scope, value) if isinstance(value, str) else None


def _token(rule: MaskRule, _type: Type, keys: Keys) -> Masking:
    from dictamesh.runtime.governance.reversible import token  # noqa: PLC0415 - loads cryptography

    key, scope = _key(rule, keys), rule.scope or ""
    return lambda value: token(key, scope, value) if isinstance(value, str) else None


def _key(rule: MaskRule, keys: Keys) -> bytes:
    key = keys.get(rule.key) if rule.key is not None else None
    if key is None:
        raise MaskKeyMissing(rule.key)
    return key


def _generalise(rule: MaskRule, type_: Type, _keys: Keys) -> Masking:
    if rule.step is None:
        groups, other = dict(rule.groups), rule.other
        return lambda value: groups.get(value, other) if isinstance(value, str) else None
    if type_.kind in _WHOLE:
        return bind(_floor_whole, int(rule.step), 1 << _WHOLE[type_.kind])
    if type_.kind is Kind.FLOAT:
        return bind(_floor_float, rule.step)
    return bind(_floor_decimal, rule.step, None if type_.scale is None else Decimal(1).scaleb(-type_.scale))


def _floor_whole(step: int, bound: int, value: Any) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    floor = value // step * step
    return floor if -bound <= floor < bound else None


def _floor_float(step: Decimal, value: Any) -> float | None:
    if not isinstance(value, float | int) or isinstance(value, bool):
        return None
    floor = _floor(step, Decimal(repr(value)))
    return None if floor is None else float(floor)


def _floor_decimal(step: Decimal, quantum: Decimal | None, value: Any) -> Decimal | None:
    if not isinstance(value, Decimal | int) or isinstance(value, bool):
        return None
    floor = _floor(step, Decimal(value))
    return floor if floor is None or quantum is None else _finite(_WIDE.quantize(floor, quantum))


def _floor(step: Decimal, value: Decimal) -> Decimal | None:
    return _finite(_WIDE.multiply(_WIDE.to_integral_value(_WIDE.divide(value, step)), step))


def _finite(value: Decimal) -> Decimal | None:
    """None for what 60 digits cannot hold."""
    return value if value.is_finite() else None


def _truncate(rule: MaskRule, _type: Type, _keys: Keys) -> Masking:
    return bind(_truncated, rule.unit or "year")


def _truncated(unit: str, value: Any) -> date | None:
    if isinstance(value, datetime):
        hour = value.hour if unit == "hour" else 0
        return _beginning(unit, value.replace(hour=hour, minute=0, second=0, microsecond=0))
    return _beginning(unit, value) if isinstance(value, date) else None


def _beginning(unit: str, value: date) -> date | None:
    match unit:
        case "year":
            return value.replace(month=1, day=1)
        case "quarter":
            return value.replace(month=(value.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return value.replace(day=1)
        case "week":
            return _monday(value)
    return value


def _monday(value: date) -> date | None:
    try:
        return value - timedelta(days=value.weekday())
    except OverflowError:  # the first days of year 1
        return None


_MAKERS: Mapping[str, Callable[[MaskRule, Type, Keys], Masking]] = {
    "redact": _redact,
    "nullify": _nullify,
    "partial": _partial,
    "hmac": _hmac,
    "token": _token,
    "generalise": _generalise,
    "truncate-date": _truncate,
}
