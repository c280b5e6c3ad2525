# SPDX-License-Identifier: Apache-2.0
"""The caller of an operation, as policies see it (S21)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

ClaimScalar = str | int | bool
ClaimValue = ClaimScalar | tuple[ClaimScalar, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, for which purpose.

    `name` is for the audit only: two principals that differ in nothing else get the same decisions. `purposes` are
    those allowed to the caller, `purpose` the one in force. `claims` hold only declared claims of the declared type.
    `fingerprint` is a stable SHA-256 (hex) of all that a decision can tell apart.
    """

    name: str
    authenticated: bool
    roles: frozenset[str] = frozenset()
    purpose: str | None = None
    purposes: tuple[str, ...] = ()
    claims: Mapping[str, ClaimValue] = field(default_factory=dict)
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))
        object.__setattr__(self, "fingerprint", _fingerprint(self))


def _fingerprint(principal: Principal) -> str:
    facts = [
        principal.authenticated,
        sorted(principal.roles),
        principal.purpose,
        sorted(principal.claims.items(), key=lambda item: item[0]),
    ]
    return hashlib.sha256(json.dumps(facts, separators=(",", ":")).encode()).hexdigest()


ANONYMOUS = Principal(name="anonymous", authenticated=False)


def parameters(principal: Principal, declared: Iterable[str] = ()) -> dict[str, Any]:
    """Return the values of `principal.*` and `request.purpose` for expressions (S1).

    A claim of `declared` that the principal lacks is None; list claims and roles are lists, roles sorted.
    """
    values: dict[str, Any] = {f"principal.{name}": None for name in declared}
    for name, value in principal.claims.items():
        values[f"principal.{name}"] = list(value) if isinstance(value, tuple) else value
    values["principal.roles"] = sorted(principal.roles)
    values["request.purpose"] = principal.purpose
    return values
