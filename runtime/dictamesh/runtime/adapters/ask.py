# SPDX-License-Identifier: Apache-2.0
"""What is asked of an entity, in its own words, and what all reads of one operation share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.specs.expressions.tree import Call, Expr
from dictamesh.specs.types import BOOLEAN


class ReadFailed(Exception):  # noqa: N818 - one code of S26 says the kind
    """Rows could not be read; `code` is one of S26. `transient`: last known good may stand in (S25).

    `reason` is a word for metrics: a fault of the connector contract, or why the guard refused the call.
    """

    def __init__(self, code: str, *, transient: bool = False, reason: str = "error") -> None:
        super().__init__(code)
        self.code = code
        self.transient = transient
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order: NULLs last, text by code point (S9)."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Rows wanted of one entity.

    `fields` are wanted of each row; rows may carry more. `where` is a condition over its fields and those of to-one
    relations. `must` names to-one relations whose row has to exist for the caller (S18). Without `order` rows come by
    key, or as the source has them (S9). Where rows are asked for by value, `limit` and `offset` count for each value.
    `veiled`: the caller does not see the key, so where it decides the order, its hash stands in for it.
    """

    fields: frozenset[str]
    where: Expr | None = None
    must: tuple[str, ...] = ()
    order: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int = 0
    veiled: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """Which rows of an entity exist for the caller: all that meet `keep` and whose `must` relations lead to a row."""

    keep: Expr | None = None
    must: tuple[str, ...] = ()
    nothing: bool = False  # no row exists, so no source need be asked

    @property
    def everything(self) -> bool:
        return self.keep is None and not self.must and not self.nothing


@dataclass(slots=True)
class Spent:
    """What one operation has used up so far, and what that did to its answer.

    `left`: rows that may still be fetched (S10). `degraded` collects the names of products that were answered from
    expired entries of the cache (S25).
    """

    left: int
    degraded: set[str] = field(default_factory=set)

    def rows(self, count: int) -> None:
        """Count fetched rows; raises `ReadFailed(LIMIT_EXCEEDED)` when they are more than allowed."""
        self.left -= count
        if self.left < 0:
            raise ReadFailed("LIMIT_EXCEEDED")


@dataclass(frozen=True, slots=True)
class Operation:
    """What all reads of one operation share; it lives as long as the operation.

    `shown` tells by address which rows of an entity exist for the caller. `parameters` holds the values of `Parameter`
    nodes by name. `hops`: relations that conditions may still lead over; beyond them nothing exists, so that circles of
    row filters end. `salt` goes into the hashes that stand in for hidden keys in an order.
    """

    shown: Callable[[str], Shown]
    parameters: Mapping[str, Any]
    spent: Spent
    max_scan: int
    hops: int = 8
    salt: str = ""

    def over_relation(self) -> "Operation":
        """Return the same operation one relation further."""
        return replace(self, hops=self.hops - 1)


@dataclass(slots=True)
class Found:
    """Rows by the values asked for: those without rows are absent.

    `failed` holds a code for each value that could not be answered for; those in `transient` may pass. `cached` were
    answered by the cache, `stale` by expired entries of it: the code is that of the source's failure.
    """

    rows: dict[Key, list[Row]] = field(default_factory=dict)
    failed: dict[Key, str] = field(default_factory=dict)
    transient: set[Key] = field(default_factory=set)
    cached: frozenset[Key] = frozenset()
    stale: dict[Key, str] = field(default_factory=dict)

    def fail(self, values: Iterable[Key], failure: ReadFailed) -> None:
        """Note that nothing is known of `values`."""
        for value in values:
            self.failed[value] = failure.code
            if failure.transient:
                self.transient.add(value)


def both(*conditions: Expr | None) -> Expr | None:
    """Join conditions by AND; None stands for no condition."""
    parts = tuple(part for condition in conditions if condition is not None for part in conjuncts(condition))
    return parts[0] if len(parts) == 1 else Call("and", parts, BOOLEAN) if parts else None


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """Return the parts of which all must hold."""
    if isinstance(condition, Call) and condition.name == "and":
        return tuple(part for arg in condition.args for part in conjuncts(arg))
    return (condition,)
