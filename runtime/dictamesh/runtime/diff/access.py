# SPDX-License-Identifier: Apache-2.0
"""The access diff: what every class of callers gets of every field and row, before and after. Pure.

Conditions on rows are the same, or compared on a sample around their literals: what that shows to be no wider is no
wider as far as was seen, which is said.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.change import AccessChange
from dictamesh.runtime.diff.classes import ClaimTypes, Situation, heard_by, kept_by, situations
from dictamesh.runtime.diff.sample import Sample, sample
from dictamesh.runtime.diff.strictness import Side, conditions, effect, looser, parts, side, told
from dictamesh.runtime.governance.conditions import condition
from dictamesh.runtime.governance.decide import Decision, compile_outcome, row_filter
from dictamesh.runtime.governance.places import Places
from dictamesh.runtime.governance.principal import parameters
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.rules import RowPolicy

ABSENT = "absent"


class Sees(StrEnum):
    """Whether a caller sees more than before."""

    MORE = "more"
    LESS = "less"
    OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What differs for one situation."""

    where: Situation
    before: str
    after: str
    sees: Sees


@dataclass(frozen=True, slots=True)
class Access:
    """Verdicts by address; an address without a difference is absent. `left_out`: classes above the bound."""

    fields: Mapping[str, tuple[Verdict, ...]]
    rows: Mapping[str, tuple[Verdict, ...]]
    left_out: Mapping[str, int]


Judged = tuple[tuple[Verdict, ...], int]


def access(old: Plan, new: Plan, before: Places, after: Places) -> Access:
    """Compare the decisions of two plans on every field and entity that both have, or the new one alone.

    `before` and `after` are the fields of the plans by address.
    """
    claims = {**_claims(old), **_claims(new)}
    judge = cache(lambda was, now: _fields(was, now, claims))  # most fields of a mesh share few sets of rules
    fields: dict[str, tuple[Verdict, ...]] = {}
    rows: dict[str, tuple[Verdict, ...]] = {}
    left: dict[str, int] = {}
    for address, field in sorted(after.items()):
        if field.members:
            continue
        earlier = before.get(address)
        was = side(old, earlier) if earlier is not None and not earlier.members else None
        _keep(address, judge(was, side(new, field)), fields, left)
    for address in sorted(new.entities):
        was_rows = old.rules.rows.get(address, ()) if address in old.entities else None
        _keep(address, _rows(was_rows, new.rules.rows.get(address, ()), claims), rows, left)
    return Access(fields, rows, left)


def changes_of(verdicts: Mapping[str, tuple[Verdict, ...]]) -> Iterator[AccessChange]:
    """Yield what to tell: of the classes for which the same changes, those that hold the least."""
    for address, found in verdicts.items():
        for told_, others in _minimal(found):
            yield AccessChange(str(told_.where), address, told_.before, told_.after, told_.sees, 1 + others)


def _minimal(found: tuple[Verdict, ...]) -> list[tuple[Verdict, int]]:
    kept: list[tuple[Verdict, int]] = []
    for each in found:  # situations come in order of what they hold
        same = (each.before, each.after, each.sees)
        for index, (smaller, count) in enumerate(kept):
            if (smaller.before, smaller.after, smaller.sees) == same and smaller.where.within(each.where):
                kept[index] = (smaller, count + 1)
                break
        else:
            kept.append((each, 0))
    return kept


def _keep(address: str, judged: Judged, into: dict[str, tuple[Verdict, ...]], left: dict[str, int]) -> None:
    verdicts, left_out = judged
    if verdicts:
        into[address] = verdicts
    if left_out:
        left[address] = left_out


def _claims(plan: Plan) -> ClaimTypes:
    return plan.mesh.security.claims if plan.mesh.security is not None else {}


def _fields(old: Side | None, new: Side, claims: ClaimTypes) -> Judged:
    if old == new:
        return (), 0
    known = situations(heard_by((*(old.policies if old is not None else ()), *new.policies)), claims)
    return tuple(_field_verdicts(old, new, known.all, claims)), known.left_out


def _field_verdicts(old: Side | None, new: Side, known: Iterable[Situation], claims: ClaimTypes) -> Iterator[Verdict]:
    for where in known:
        after = new.for_(where)
        if old is None:
            if after.strictest.kind != "deny":
                yield Verdict(where, ABSENT, _served(after), Sees.MORE)
            continue
        before = old.for_(where)
        sees = _field_sees(before, after, where, claims)
        if sees is not None:
            yield Verdict(where, _served(before), _served(after), sees)


def _served(decision: Decision) -> str:
    uses = "" if decision.clear or not decision.uses else f", may {' and '.join(sorted(decision.uses))}"
    return effect(decision) + uses


def _field_sees(before: Decision, after: Decision, where: Situation, claims: ClaimTypes) -> Sees | None:
    found: set[Sees] = set()
    if not after.clear and after.uses - before.uses:
        found.add(Sees.MORE)
    if not before.clear and before.uses - after.uses:
        found.add(Sees.LESS)
    if _alike(before, after):
        return _joined(found)
    return _joined(found | _values_see(before, after, where, claims)) or Sees.OTHERWISE


def _alike(before: Decision, after: Decision) -> bool:
    if before.constant is not None and after.constant is not None:
        return (before.constant.kind, before.constant.mask) == (after.constant.kind, after.constant.mask)
    if before.constant is not None or after.constant is not None:
        return False
    return conditions(before) == conditions(after) and before.tier.kind == after.tier.kind


def _values_see(before: Decision, after: Decision, where: Situation, claims: ClaimTypes) -> set[Sees]:
    """What the rows of a sample tell; nothing where conditions differ, and not in what they do to these."""
    was, now = compile_outcome(before), compile_outcome(after)
    found: set[Sees] = set()
    for row, given in _sample([*_wheres(before), *_wheres(after)], where, claims):
        one, other = was(row, given), now(row, given)
        more, less = looser(one, other), looser(other, one)
        if more != less:
            found.add(Sees.MORE if more else Sees.LESS)
        elif more:
            found.add(Sees.OTHERWISE)  # a mask that cannot be compared: another key
    return found


def _joined(found: set[Sees]) -> Sees | None:
    """More in one place outweighs less in another."""
    return next((each for each in (Sees.MORE, Sees.OTHERWISE, Sees.LESS) if each in found), None)


def _wheres(decision: Decision) -> list[Expr]:
    return [branch.where for speech in decision.speeches for branch in speech.branches if branch.where is not None]


def _sample(expressions: Iterable[Expr], where: Situation, claims: ClaimTypes) -> Sample:
    given: dict[str, Any] = parameters(where.who, [])
    asked = {f"principal.{name}" for name in claims} - given.keys()
    # a claim that no rule asks for may have any value; roles and purpose are those of the class
    return sample(expressions, {name: value for name, value in given.items() if name not in asked})


def _rows(old: tuple[RowPolicy, ...] | None, new: tuple[RowPolicy, ...], claims: ClaimTypes) -> Judged:
    if old is None or old == new:
        return (), 0
    known = situations(kept_by((*old, *new)), claims)
    verdicts = []
    for where in known.all:
        before, after = (row_filter(policies, where.who, where.in_force) for policies in (old, new))
        sees = _rows_see(before, after, where, claims)
        if sees is not None:
            verdicts.append(Verdict(where, told(before), told(after), sees))
    return tuple(verdicts), known.left_out


def _rows_see(before: Expr | bool, after: Expr | bool, where: Situation, claims: ClaimTypes) -> Sees | None:
    if before == after or parts(before) == parts(after):
        return None
    if before is False or after is True:
        return Sees.MORE
    if before is True or after is False or parts(before) < parts(after):
        return Sees.LESS
    if parts(after) < parts(before):
        return Sees.MORE
    return _on_a_sample(before, after, where, claims)


def _on_a_sample(before: Expr | bool, after: Expr | bool, where: Situation, claims: ClaimTypes) -> Sees:
    if isinstance(before, bool) or isinstance(after, bool):
        return Sees.OTHERWISE
    was, now = condition(before), condition(after)
    found: set[Sees] = set()
    for row, given in _sample([before, after], where, claims):
        kept, keeps = was(row, given), now(row, given)
        if kept != keeps:
            found.add(Sees.MORE if keeps else Sees.LESS)
    return _joined(found) or Sees.OTHERWISE
