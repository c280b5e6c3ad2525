# SPDX-License-Identifier: Apache-2.0
"""When one decision is stricter than another (S14). Pure; what cannot be compared counts as looser both ways."""

from dataclasses import dataclass

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.diff.classes import Situation
from dictamesh.runtime.governance.access import anonymous_sees
from dictamesh.runtime.governance.decide import Decision, Outcome, Speech, decide
from dictamesh.specs.expressions import text
from dictamesh.specs.expressions.tree import Call, Expr
from dictamesh.specs.rules import FieldPolicy, MaskRule

Policies = tuple[FieldPolicy, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What decides on one field in one plan."""

    policies: Policies
    tier: str
    sees: str

    def for_(self, where: Situation) -> Decision:
        return decide(self.policies, self.tier, where.who, self.sees, where.in_force)


def side(plan: Plan, field: FieldPlan) -> Side:
    """Return what decides on a field of a plan."""
    return Side(plan.rules.fields.get(field.address, ()), field.tier, anonymous_sees(plan.mesh.security))


def looser(before: Outcome, after: Outcome) -> bool:
    """Whether one outcome may show more of a value than another."""
    if before.rank != after.rank:
        return after.rank < before.rank
    return before.mask is not None and after.mask is not None and shows_more(before.mask, after.mask)


def shows_more(before: MaskRule, after: MaskRule) -> bool:
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


def conditions(decision: Decision) -> list[list[tuple[Expr | None, str, MaskRule | None]]]:
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


def outcomes(decision: Decision) -> list[Outcome]:
    """Every outcome that some row may meet."""
    spoken = [outcome for speech in decision.speeches for outcome in speech.possible]
    silent = all(speech.may_be_silent for speech in decision.speeches)
    return [*spoken, *([decision.tier] if silent else [])]


def effect(decision: Decision) -> str:
    """Return what a decision comes to, in words."""
    return decision.constant.kind if decision.constant is not None else f"up to {decision.strictest.kind}, by row"


def parts(keep: Expr | bool) -> frozenset[Expr | bool]:
    """The conditions that must all hold."""
    if isinstance(keep, Call) and keep.name == "and":
        return frozenset(part for arg in keep.args for part in parts(arg))
    return frozenset([keep])


def told(keep: Expr | bool) -> str:
    """Return which rows are kept, in words."""
    if isinstance(keep, bool):
        return "all rows" if keep else "no rows"
    return text(keep)
