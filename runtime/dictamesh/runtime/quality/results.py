# SPDX-License-Identifier: Apache-2.0
"""What became of a quality rule: numbers of rows, and nothing that is in them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from dictamesh.specs.quality import Check, QualityRule


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # it could not be told
    SKIPPED = "skipped"  # the rule is not run


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found: `bad` of `rows` rows, the number of `rows` alone, or the `value` that a query gave."""

    rows: int | None = None
    bad: int | None = None
    value: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A rule and what became of it.

    `value` is the measure that was held against the rule's bound; None where nothing was measured, and where a query
    gives something else than a number of rows. `reason` is a code of S26 or a text of ours. `seconds` is the time of
    this rule's own reads; what rules share counts for the first of them.
    """

    address: str
    rule: QualityRule
    outcome: Outcome
    rows: int | None = None
    bad: int | None = None
    value: Fraction | None = None
    reason: str | None = None
    seconds: float = 0.0
    unreachable: bool = False  # the source failed

    @property
    def decimal(self) -> Decimal | None:
        """The measure as a decimal of at most twelve digits behind the point."""
        if self.value is None:
            return None
        return Decimal(round(self.value * 10**12)).scaleb(-12).normalize()

    @property
    def rate(self) -> float | None:
        """The share of rows that meet the rule, or 1 or 0; None where nothing was measured.

        Rows meet a rule where few of a kind are wanted, which are those that do not; else the rule is met as a whole.
        """
        if self.outcome not in {Outcome.PASSED, Outcome.FAILED}:
            return None
        few = self.rule.bound is not None and self.rule.bound.few
        if self.bad is None or self.rows is None or not few:
            return 1.0 if self.outcome is Outcome.PASSED else 0.0
        return 1 - self.bad / self.rows if self.rows else 1.0


def judged(address: str, rule: QualityRule, found: Measured, seconds: float) -> Result:
    """Hold a measure against the rule's bound."""
    value = _value(rule, found)
    if value is None or rule.bound is None:
        return Result(address, rule, Outcome.ERROR, reason="nothing was measured", seconds=seconds)
    outcome = Outcome.PASSED if rule.bound.holds(value) else Outcome.FAILED
    shown = rule.measure is None or rule.measure.counts
    return Result(address, rule, outcome, found.rows, found.bad, value if shown else None, None, seconds)


def _value(rule: QualityRule, found: Measured) -> Fraction | None:
    if rule.check is Check.QUERY:
        return found.value
    count = found.rows if rule.check is Check.ROWS else found.bad
    if count is None or not rule.percent:
        return None if count is None else Fraction(count)
    if found.rows is None:
        return None
    return Fraction(100 * count, found.rows) if found.rows else Fraction(0)
