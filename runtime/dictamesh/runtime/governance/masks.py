# SPDX-License-Identifier: Apache-2.0
"""Masks: functions that make a value unreadable (S19)."""

import hmac as hmac_
from collections.abc import Callable, Mapping
from functools import partial as bind
from typing import Any

from dictamesh.specs.rules import MaskRule
from dictamesh.specs.types import Kind, Type

REDACTED = "***REDACTED***"
HMAC_DIGITS = 32

Masking = Callable[[Any], Any]


class MaskKeyMissing(LookupError):  # noqa: N818 - the state of the configuration
    """A mask names a key that was not handed in; the text holds the name only."""

    def __init__(self, name: str | None) -> None:
        super().__init__(f"mask key '{name}' is not among security.keys")
        self.key = name


def mask(rule: MaskRule, type: Type, keys: Mapping[str, bytes]) -> Masking:  # noqa: A002 - the language's word
    """Return the function that masks values of `type`; NULL stays NULL, arrays are masked by element.

    A kind that does not fit the type gives null. `keys` holds the bytes of `security.keys` by name. The members of an
    object have decisions of their own, so an object as a whole is null. Raises MaskKeyMissing.
    """
    if type.kind is Kind.ARRAY and type.item is not None:
        return bind(_each, mask(rule, type.item, keys))
    if not takes_text(type):
        return nullify
    if rule.kind == "redact":
        return _redact
    if rule.kind == "partial":
        first = 0 if rule.keep_first is None else rule.keep_first
        last = 4 if rule.keep_last is None else rule.keep_last
        return bind(_partial, first, last, rule.char or "*")
    if rule.kind == "hmac":
        return _hmac(rule, keys)
    return nullify


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


def _each(one: Masking, value: Any) -> Any:
    return [one(item) for item in value] if isinstance(value, list | tuple) else None


def _redact(value: Any) -> str | None:
    return REDACTED if isinstance(value, str) else None


def _partial(first: int, last: int, char: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    hidden = len(value) - first - last
    if hidden <= first + last:
        return char * len(value)
    return value[:first] + char * hidden + value[len(value) - last :]


def _hmac(rule: MaskRule, keys: Mapping[str, bytes]) -> Masking:
    key = keys.get(rule.key) if rule.key is not None else None
    if key is None:
        raise MaskKeyMissing(rule.key)
    return bind(_pseudonym, key, rule.scope or "")


def _pseudonym(key: bytes, scope: str, value: Any) -> str | None:
    return pseudonym(key, scope, value) if isinstance(value, str) else None
