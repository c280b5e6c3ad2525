# SPDX-License-Identifier: Apache-2.0
"""Classes of callers: one for each that rules can tell apart, with the agreements that may be in force. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

from dictamesh.runtime.governance.audiences import InForce
from dictamesh.runtime.governance.principal import ANONYMOUS, ClaimValue, Principal
from dictamesh.specs.expressions.tree import Expr, Literal, Parameter, walk
from dictamesh.specs.rules import Audience, FieldPolicy, RowPolicy

MOST = 4096
"""Classes that are compared; of more, those with the fewest roles and claims."""

ClaimTypes = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Situation:
    """A caller and the names of the agreements in force."""

    who: Principal
    agreements: frozenset[str] = frozenset()

    @property
    def in_force(self) -> InForce:
        return lambda term: term.agreement in self.agreements

    def within(self, other: "Situation") -> bool:
        """Whether this caller holds no more than another, so that what is said of it stands for the other too."""
        mine, theirs = self.who, other.who
        return (
            mine.authenticated <= theirs.authenticated
            and mine.roles <= theirs.roles
            and mine.purpose in {None, theirs.purpose}
            and all(theirs.claims.get(name) == value for name, value in mine.claims.items())
            and self.agreements <= other.agreements
        )

    def __str__(self) -> str:
        agreed = f" under {', '.join(sorted(self.agreements))}" if self.agreements else ""
        return describe(self.who) + agreed


@dataclass(frozen=True, slots=True)
class Situations:
    """The classes in order of what a caller holds; `left_out` counts those above the bound."""

    all: tuple[Situation, ...]
    left_out: int = 0


def situations(audiences: Iterable[Audience], claims: ClaimTypes | None = None, most: int = MOST) -> Situations:
    """Return one situation for each class that rules for `audiences` can tell apart; anonymous is the first.

    A rule asks for one of its roles, one of its purposes, one value of each of its claims and one of its agreements. So
    the subsets of what is named, roles that no rule tells apart taken as one, are all there is. `claims` are the
    declared types: a claim that is no list has one value at most.
    """
    known = list(dict.fromkeys(_everyone(audiences)))
    roles = _distinct(known, lambda each: each.roles or ())
    purposes = _distinct(known, lambda each: each.purposes or ())
    values = {(name, repr(value)): (name, value) for each in known for name, held in each.claims for value in held}
    terms = sorted({term.agreement for each in known for term in each.agreements or ()})
    held = _claims(list(values.values()), claims or {})
    count = 2 ** len(roles) * (1 + len(purposes)) * len(held) * 2 ** len(terms) + 2 ** len(terms)
    found = list(_some(roles, purposes, held, terms, most))
    return Situations(tuple(found), max(0, count - len(found)))


def heard_by(policies: Iterable[FieldPolicy]) -> Iterator[Audience]:
    """Yield everyone whom policies on a field tell apart."""
    for policy in policies:
        yield from policy.audiences
        for rule in policy.rules:
            if rule.where is not None:
                yield from _named_in(rule.where)


def kept_by(policies: Iterable[RowPolicy]) -> Iterator[Audience]:
    """Yield everyone whom policies on rows tell apart."""
    for policy in policies:
        for entry in policy.entries:
            yield entry.audience
            if not isinstance(entry.keep, bool):
                yield from _named_in(entry.keep)


def _named_in(expr: Expr) -> Iterator[Audience]:
    """Yield an audience for each text that a condition on the caller's roles or purpose holds."""
    nodes = list(walk(expr))
    asked = {node.name for node in nodes if isinstance(node, Parameter)}
    texts = [node.value for node in nodes if isinstance(node, Literal) and isinstance(node.value, str)]
    if "principal.roles" in asked:
        yield from (Audience(roles=frozenset({each})) for each in texts)
    if "request.purpose" in asked:
        yield from (Audience(purposes=frozenset({each})) for each in texts)


def _everyone(audiences: Iterable[Audience]) -> Iterator[Audience]:
    for each in audiences:
        yield each
        yield from (term.consumer for term in each.agreements or ())


def _distinct(known: list[Audience], names: Any) -> list[str]:
    """The names of which some audience holds one and not another; the first by name stands for its like."""
    by_place: dict[tuple[int, ...], str] = {}
    for name in sorted({name for each in known for name in names(each)}):
        by_place.setdefault(tuple(index for index, each in enumerate(known) if name in names(each)), name)
    return sorted(by_place.values())


def _claims(values: list[tuple[str, Any]], types: ClaimTypes) -> list[dict[str, ClaimValue]]:
    """Every choice of the claims' values, the smallest first."""
    choices: list[dict[str, ClaimValue]] = [{}]
    for name in dict.fromkeys(name for name, _ in values):
        own = [value for known, value in values if known == name]
        listed = not isinstance(types.get(name), str)
        more = [tuple(some) for some in _subsets(own) if some] if listed else own
        choices = [*choices, *({**held, name: value} for held in choices for value in more)]
    return sorted(choices, key=lambda held: sum(len(v) if isinstance(v, tuple) else 1 for v in held.values()))


def _some(
    roles: list[str], purposes: list[str], held: list[dict[str, ClaimValue]], terms: list[str], most: int
) -> Iterator[Situation]:
    left = most
    for size in range(len(roles) + len(terms) + 1):
        for agreements in _subsets(terms):
            if len(agreements) == size:
                yield Situation(ANONYMOUS, frozenset(agreements))
            for some in combinations(roles, size - len(agreements)) if size >= len(agreements) else ():
                for purpose in (None, *purposes):
                    for claims in held:
                        if left <= 0:
                            return
                        left -= 1
                        yield Situation(_principal(some, purpose, claims), frozenset(agreements))


def _principal(roles: tuple[str, ...], purpose: str | None, claims: Mapping[str, ClaimValue]) -> Principal:
    allowed = (purpose,) if purpose else ()
    return Principal("", authenticated=True, roles=frozenset(roles), purpose=purpose, purposes=allowed, claims=claims)


def _subsets(names: list[T]) -> Iterator[tuple[T, ...]]:
    for size in range(len(names) + 1):
        yield from combinations(names, size)


def describe(who: Principal) -> str:
    """Name a class of principals: `analyst+support for analytics with countries`."""
    if not who.authenticated:
        return "anonymous"
    roles = "+".join(sorted(who.roles)) or "authenticated without roles"
    purpose = f" for {who.purpose}" if who.purpose else ""
    claims = f" with {', '.join(sorted(who.claims))}" if who.claims else ""
    return roles + purpose + claims
