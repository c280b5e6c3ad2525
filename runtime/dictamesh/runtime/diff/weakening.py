# SPDX-License-Identifier: Apache-2.0
"""What a new plan would show to whom that the old one did not (S29). Pure.

What cannot be proved to be at least as strict counts as weaker: a condition that changed, a mask with other parameters.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.runtime.diff.classes import Situation, situations
from dictamesh.runtime.diff.readers import moved, twins
from dictamesh.runtime.governance.access import anonymous_sees
from dictamesh.runtime.governance.decide import Decision, Outcome, Speech, decide, row_filter
from dictamesh.specs.expressions import text
from dictamesh.specs.expressions.tree import Call, Expr
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.rules import Audience, FieldPolicy, MaskRule, RowPolicy

Policies = tuple[FieldPolicy, ...]


@dataclass(frozen=True, slots=True)
class Weaker:
    """One loosened thing: `what` is policy, tag, tier, field, rows, use or caller; texts are ours."""

    what: str
    address: str
    principal: str
    before: str
    after: str

    def __str__(self) -> str:
        who = f" for {self.principal}" if self.principal else ""
        return f"{self.what} {self.address}{who}: {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class _Side:
    """What decides on one field in one plan."""

    policies: Policies
    tier: str
    sees: str

    def for_(self, where: Situation) -> Decision:
        return decide(self.policies, self.tier, where.who, self.sees, where.in_force)


def weaker(old: Plan, new: Plan) -> tuple[Weaker, ...]:
    """Return everything that `new` loosens against `old`; empty when nobody would see more."""
    found = [*_policies(old, new), *_callers(old, new), *_keys(old, new)]
    before, after = _fields(old), _fields(new)
    loosened = cache(_loosened_for)  # most fields of a mesh share few sets of rules
    for address in sorted(before.keys() & after.keys()):
        found += _labels(before[address], after[address])
        found += _named(address, loosened(_side(old, before[address]), _side(new, after[address])))
    for leaf, earlier in moved(old, new):
        found += _moved(old, new, leaf, earlier, loosened)
    for address in sorted(old.entities.keys() & new.entities.keys()):
        found += _rows(address, old.rules.rows.get(address, ()), new.rules.rows.get(address, ()))
    for entity, earlier_entities in twins(old, new):
        found += _twins(old, new, entity, earlier_entities)
    return tuple(dict.fromkeys(found))


def _policies(old: Plan, new: Plan) -> Iterator[Weaker]:
    for name in sorted(_policy_names(old) - _policy_names(new)):
        yield Weaker("policy", name, "", "present", "removed")
    for address, name, *_ in sorted(_restricts(old) - _restricts(new)):
        if address in new.entities:
            yield Weaker("rows", f"{address}.{name}", "", "restricted by the related row", "not restricted as before")


def _restricts(plan: Plan) -> set[tuple[str, str, str, tuple[str, ...], tuple[str, ...]]]:
    return {
        (entity.address, link.name, link.target, link.own, link.theirs)
        for entity in plan.entities.values()
        for link in entity.links
        if link.restrict
    }


def _policy_names(plan: Plan) -> set[str]:
    fields = {policy.policy for bound in plan.rules.fields.values() for policy in bound}
    rows = {policy.policy for bound in plan.rules.rows.values() for policy in bound}
    return fields | rows | {test.policy for test in plan.tests}


def _callers(old: Plan, new: Plan) -> Iterator[Weaker]:
    before = {key.name: key for key in old.mesh.security.api_keys} if old.mesh.security else {}
    for key in new.mesh.security.api_keys if new.mesh.security else ():
        earlier = before.get(key.name)
        if earlier is None:
            continue
        gained = sorted({*key.roles, *key.purposes} - {*earlier.roles, *earlier.purposes})
        if gained:
            yield Weaker("caller", key.name, "", f"without {', '.join(gained)}", "with")
        if key.claims != earlier.claims:
            yield Weaker("caller", key.name, "", "claims as before", "other claims")
    if old.mesh.security and old.mesh.security.anonymous is False:
        security = new.mesh.security
        if security is None or security.anonymous is not False:
            yield Weaker("caller", "anonymous", "", "refused", "allowed")


def _keys(old: Plan, new: Plan) -> Iterator[Weaker]:
    """Keys served as pseudonyms."""
    for address in sorted(old.entities.keys() & new.entities.keys()):
        before, after = old.entities[address].surrogate, new.entities[address].surrogate
        if before is not None and before != after:
            yield Weaker("field", address, "", f"key as pseudonym by {before}", after or "key in clear")


def _labels(before: FieldPlan, after: FieldPlan) -> Iterator[Weaker]:
    for tag in sorted(set(before.tags) - set(after.tags)):
        yield Weaker("tag", before.address, "", tag, "removed")
    if before.pii and not after.pii:
        yield Weaker("tag", before.address, "", "personal data", "not personal data")
    if rank(after.tier) < rank(before.tier):
        yield Weaker("tier", before.address, "", before.tier, after.tier)


def _side(plan: Plan, field: FieldPlan) -> _Side:
    return _Side(plan.rules.fields.get(field.address, ()), field.tier, anonymous_sees(plan.mesh.security))


Found = tuple[tuple[str, str, str, str], ...]


def _loosened_for(old: _Side, new: _Side) -> Found:
    """For whom `new` is looser: (what, principal, before, after)."""
    if old == new:
        return ()
    found: list[tuple[str, str, str, str]] = []
    for where in situations(_audiences(old.policies, new.policies)).all:
        before, after = old.for_(where), new.for_(where)
        if _loosened(before, after):
            found.append(("field", str(where), _effect(before), _effect(after)))
        if not after.clear:
            gained = sorted(after.uses - before.uses)
            found += [("use", str(where), f"{use} refused", f"{use} allowed") for use in gained]
    return tuple(found)


def _named(address: str, found: Found) -> list[Weaker]:
    return [Weaker(what, address, who, before, after) for what, who, before, after in found]


def _moved(
    old: Plan, new: Plan, leaf: FieldPlan, earlier: list[list[FieldPlan]], loosened: Callable[[_Side, _Side], Found]
) -> list[Weaker]:
    """Judge a field that reads what others read before: per column it must be as strict as one of them was."""
    found: list[Weaker] = []
    for fields in earlier:
        verdicts = [loosened(_side(old, field), _side(new, leaf)) for field in fields]
        if all(verdicts):
            found += _named(leaf.address, min(verdicts, key=len))
    return found


def _twins(old: Plan, new: Plan, entity: EntityPlan, earlier: list[EntityPlan]) -> list[Weaker]:
    now = new.rules.rows.get(entity.address, ())
    verdicts = [list(_rows(entity.address, old.rules.rows.get(twin.address, ()), now)) for twin in earlier]
    return min(verdicts, key=len)


def _audiences(*sides: Policies) -> Iterable[Audience]:
    return [audience for side in sides for policy in side for audience in policy.audiences]


def _loosened(before: Decision, after: Decision) -> bool:
    if before.constant is not None and after.constant is not None:
        return _looser(before.constant, after.constant)
    if before.constant is None and after.constant is None:
        return _conditions(before) != _conditions(after) or _looser(before.tier, after.tier)
    if before.constant is not None:  # now by row: no row may meet less than before
        return any(_looser(before.constant, outcome) for outcome in _outcomes(after))
    return after.constant is not None and _looser(before.strictest, after.constant)


def _looser(before: Outcome, after: Outcome) -> bool:
    if before.rank != after.rank:
        return after.rank < before.rank
    return before.mask is not None and after.mask is not None and _shows_more(before.mask, after.mask)


def _shows_more(before: MaskRule, after: MaskRule) -> bool:
    """Whether a mask of one kind may show more than another; what cannot be compared counts."""
    if before == after:
        return False
    if before.kind == "partial":
        was, now = _kept(before), _kept(after)
        return now[0] > was[0] or now[1] > was[1]
    if before.kind == "generalise" and before.step is not None and after.step is not None:
        return after.step % before.step != 0
    if before.kind == "truncate-date":
        return str(after.unit) not in _COARSER[str(before.unit)]
    return True


_COARSER = {
    "year": frozenset[str](),
    "quarter": frozenset({"year"}),
    "month": frozenset({"year", "quarter"}),
    "week": frozenset[str](),
    "day": frozenset({"year", "quarter", "month", "week"}),
    "hour": frozenset({"year", "quarter", "month", "week", "day"}),
}
"""The units that tell less than another."""


def _kept(rule: MaskRule) -> tuple[int, int]:
    return rule.keep_first or 0, 4 if rule.keep_last is None else rule.keep_last


def _conditions(decision: Decision) -> list[list[tuple[Expr | None, str, MaskRule | None]]]:
    """What is said on which rows, without the names of rules."""
    return [_said(speech) for speech in decision.speeches]


def _said(speech: Speech) -> list[tuple[Expr | None, str, MaskRule | None]]:
    return [
        (
            branch.where,
            branch.outcome.kind if branch.outcome else "silent",
            branch.outcome.mask if branch.outcome else None,
        )
        for branch in speech.branches
    ]


def _outcomes(decision: Decision) -> list[Outcome]:
    """Every outcome that some row may meet."""
    spoken = [outcome for speech in decision.speeches for outcome in speech.possible]
    silent = all(speech.may_be_silent for speech in decision.speeches)
    return [*spoken, *([decision.tier] if silent else [])]


def _effect(decision: Decision) -> str:
    return decision.constant.kind if decision.constant is not None else f"up to {decision.strictest.kind}, by row"


def _rows(address: str, was: tuple[RowPolicy, ...], now: tuple[RowPolicy, ...]) -> Iterator[Weaker]:
    if was == now:
        return
    for where in situations(entry.audience for policy in (*was, *now) for entry in policy.entries).all:
        before, after = (row_filter(policies, where.who, where.in_force) for policies in (was, now))
        if before is not True and after is not False and not _parts(before) <= _parts(after):
            yield Weaker("rows", address, str(where), _told(before), _told(after))


def _parts(keep: Expr | bool) -> frozenset[Expr | bool]:
    """The conditions that must all hold."""
    if isinstance(keep, Call) and keep.name == "and":
        return frozenset(part for arg in keep.args for part in _parts(arg))
    return frozenset([keep])


def _told(keep: Expr | bool) -> str:
    if isinstance(keep, bool):
        return "all rows" if keep else "no rows"
    return text(keep)


def _fields(plan: Plan) -> dict[str, FieldPlan]:
    return {field.address: field for entity in plan.entities.values() for field in _below(entity.fields)}


def _below(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _below(field.members)
