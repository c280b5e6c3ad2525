# SPDX-License-Identifier: Apache-2.0
"""Classes of principals: one for each that rules can tell apart. Pure."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, TypeVar

from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.specs.rules import Audience

T = TypeVar("T")

_ALL_SUBSETS = 6  # names; of more, subsets of three at most are tried


def principals(audiences: Iterable[Audience]) -> tuple[Principal, ...]:
    """Return a principal for each class that rules for `audiences` can tell apart; anonymous is the first.

    A rule asks for one of its roles, one of its purposes and one value of each of its claims; so the subsets of the
    roles and claims that are named, each with every purpose and with none, are all there is.
    """
    known = list(audiences)
    roles = sorted({role for each in known for role in each.roles or ()})
    purposes = sorted({purpose for each in known for purpose in each.purposes or ()})
    claims = list(dict.fromkeys((name, value) for each in known for name, values in each.claims for value in values))
    return (
        ANONYMOUS,
        *(
            _principal(held, purpose, given)
            for held in _subsets(roles)
            for purpose in (None, *purposes)
            for given in _subsets(claims)
        ),
    )


def _principal(roles: tuple[str, ...], purpose: str | None, claims: tuple[tuple[str, Any], ...]) -> Principal:
    held: dict[str, tuple[Any, ...]] = {}
    for name, value in claims:
        held[name] = (*held.get(name, ()), value)
    allowed = (purpose,) if purpose else ()
    return Principal("", authenticated=True, roles=frozenset(roles), purpose=purpose, purposes=allowed, claims=held)


def _subsets(names: list[T]) -> Iterator[tuple[T, ...]]:
    largest = len(names) if len(names) <= _ALL_SUBSETS else 3
    for size in range(largest + 1):
        yield from combinations(names, size)


def describe(who: Principal) -> str:
    """Name a class of principals: `analyst+support for analytics with countries`."""
    if not who.authenticated:
        return "anonymous"
    roles = "+".join(sorted(who.roles)) or "authenticated without roles"
    purpose = f" for {who.purpose}" if who.purpose else ""
    claims = f" with {', '.join(sorted(who.claims))}" if who.claims else ""
    return roles + purpose + claims
