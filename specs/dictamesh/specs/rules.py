# SPDX-License-Identifier: Apache-2.0
"""Policies bound to what they govern: for each field its rules, for each entity its row rules (S13..S19).

These values are facts of the specs; `dictamesh.runtime.governance` decides with them for one principal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
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

    kind: str  # redact | nullify | partial | hmac | token | generalise | truncate-date
    key: str | None = None
    scope: str | None = None  # hmac, token: bound to the value, the mesh's name or the product's id
    keep_first: int | None = None
    keep_last: int | None = None
    char: str | None = None
    step: Decimal | None = None  # generalise: numbers fall to a multiple of it
    groups: tuple[tuple[str, str], ...] = ()  # generalise: text and what it becomes, in the order of the texts
    other: str | None = None  # generalise: what a text of no group becomes
    unit: str | None = None  # truncate-date: the part of the date that stays


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a rule is for; None means everybody, else one value of each must be the principal's.

    `agreements` are those that cover the rule's product; of an empty tuple none is ever in force.
    """

    roles: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    claims: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    agreements: "tuple[Term, ...] | None" = None
    kinds: tuple[str, ...] = field(init=False, repr=False)  # of the claims' values: 1 and true are equal in Python

    def __post_init__(self) -> None:
        kinds = tuple(type(value).__name__ for _, values in self.claims for value in values)
        object.__setattr__(self, "kinds", kinds)


@dataclass(frozen=True, slots=True)
class Term:
    """What an approved agreement adds to a rule: its parties, and the days on which it is in force, both included."""

    agreement: str
    consumer: Audience
    start: date | None = None
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the agreement is in force on a day (UTC)."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One rule of a policy for one field; `where` reads fields of the entity and makes it speak per row (S17)."""

    name: str
    audience: Audience
    effect: Effect
    mask: MaskRule | None = None
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """A field as engines see it; `entity` is the address of its entity, `name` the path below that.

    `tier` and `tags` are the effective ones (S2); `pii` says that a tag of it means personal data.
    """

    address: str
    entity: str
    product: str
    name: str
    tier: str
    tags: tuple[str, ...]
    pii: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What the mesh declares, and a text may speak of; all in the order of their names.

    `claims` are names with types: `string`, `integer`, `boolean`, or a tuple of one of them for a list.
    """

    claims: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    roles: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineRules:
    """The text of a policy, checked by its engine within `scope`, for one field.

    `audiences` are whom it can tell apart, one for each role, purpose and value of a claim that it speaks of.
    """

    engine: str
    text: str
    scope: Scope
    resource: Resource
    audiences: tuple[Audience, ...]


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """What one policy says of one field.

    `allows` is false where its allow is silence (S16). `uses` are those of sort, group, relation and cursor that
    `onUse` permits although the field is not clear (S20). Of a policy by an engine, `by` speaks and `rules` are empty.
    """

    policy: str
    rules: tuple[FieldRule, ...]
    allows: bool
    uses: frozenset[str] = frozenset()
    by: EngineRules | None = None

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Whom the policy tells apart."""
        return self.by.audiences if self.by is not None else tuple(rule.audience for rule in self.rules)


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
