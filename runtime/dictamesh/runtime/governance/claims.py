# SPDX-License-Identifier: Apache-2.0
"""Typed claims out of what a token or a spec holds (S1, S21)."""

from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.governance.principal import ClaimScalar, ClaimValue

ClaimTypes = Mapping[str, str | tuple[str, ...]]

_LARGEST = 2**63 - 1


def typed_claims(held: Mapping[str, Any], declared: ClaimTypes) -> dict[str, ClaimValue]:
    """Return the declared claims of `held` that have their declared type; all others are missing.

    `declared` maps a name to `string`, `integer` or `boolean`, or to a tuple of one of them for a list.
    """
    found = {name: _typed(find(held, name), type_) for name, type_ in declared.items()}
    return {name: value for name, value in found.items() if value is not None}


def find(held: Mapping[str, Any], name: str) -> Any:
    """Return the claim of that very name, else follow its dots into objects (`realm_access.roles`); else None."""
    if name in held:
        return held[name]
    value: Any = held
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Return the strings of a claim that holds one or a list of them; anything else counts as none."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def _typed(value: Any, type_: str | tuple[str, ...]) -> ClaimValue | None:
    if isinstance(type_, str):
        return _scalar(value, type_)
    if not isinstance(value, list | tuple):
        return None
    items = [_scalar(item, type_[0]) for item in value]
    kept = tuple(item for item in items if item is not None)
    return kept if len(kept) == len(items) else None


def _scalar(value: Any, type_: str) -> ClaimScalar | None:
    if type_ == "string":
        return value if isinstance(value, str) else None
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return value if whole else None
