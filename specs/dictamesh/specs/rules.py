# SPDX-License-Identifier: Apache-2.0
"""Policies bound to what they govern: for each field its rules, for each entity its row rules (S13..S19).

These values are facts of the specs; `dictamesh.runtime.governance` decides with them for one principal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dictamesh.specs.expressions.tree import Expr


class Effect(StrEnum):
    ALLOW = "allow"
    MASK = "mask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class MaskRule:
    """A mask with all its parameters spelled out; unused ones are None. `key` names an entry of `security.keys`."""

    kind: str  # redact | nullify | partial | hmac
    key: str | None = None
    scope: str | None = None  # hmac: the text in front of the value, the mesh's name or the product's id
    keep_first: int | None = None
    keep_last: int | None = None
    char: str | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a rule is for; None means everybody, else one value of each must be the principal's."""

    roles: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    claims: tuple[tuple[str, tuple[Any, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One rule of a policy for one field; `where` reads fields of the entity and makes it speak per row (S17)."""

    name: str
    audience: Audience
    effect: Effect
    mask: MaskRule | None = None
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """What one policy says of one field. `allows` is false where its allow is silence (S16)."""

    policy: str
    rules: tuple[FieldRule, ...]
    allows: bool
    sort: bool = False  # onUse: allowed although not clear
    group: bool = False
    relation: bool = False


@dataclass(frozen=True, slots=True)
class RowRule:
    """One entry of `rows`; `keep` is an expression over the entity's fields, or True for all, False for none."""

    name: str
    audience: Audience
    keep: Expr | bool


@dataclass(frozen=True, slots=True)
class RowPolicy:
    policy: str
    entries: tuple[RowRule, ...]


@dataclass(frozen=True, slots=True)
class RuleTable:
    """All rules by address: `product#Entity.field` (dotted below objects) and `product#Entity`; policies by name order.

    An address without an entry is spoken of by no policy: the tier decides (S15).
    """

    fields: Mapping[str, tuple[FieldPolicy, ...]]
    rows: Mapping[str, tuple[RowPolicy, ...]]
