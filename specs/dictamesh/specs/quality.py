# SPDX-License-Identifier: Apache-2.0
"""Quality rules of an entity as they are run: ODCS's words, names bound, values typed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.manifest import Measure


class Check(StrEnum):
    """What a rule measures."""

    NULL = "nullValues"  # rows whose value is NULL in the source
    MISSING = "missingValues"  # rows whose value is one of those that stand for none
    INVALID = "invalidValues"  # rows whose value is not NULL and not as it may be
    DUPLICATE = "duplicateValues"  # rows that hold the same as an earlier one
    ROWS = "rowCount"  # rows
    CONDITION = "condition"  # `type: sql` with a condition: rows on which it holds
    QUERY = "sql"  # `type: sql` with a query: the one value that it gives
    TEXT = "text"  # words for people
    CUSTOM = "custom"  # for another engine


METRICS = (Check.NULL, Check.MISSING, Check.INVALID, Check.DUPLICATE, Check.ROWS)


class Operator(StrEnum):
    """How a measure is held against a bound; neither end of a range lies between."""

    BE = "mustBe"
    NOT_BE = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a measure must be: one number or truth value, two numbers for a range."""

    operator: Operator
    values: tuple[Decimal | bool, ...]

    def holds(self, measured: Fraction | bool) -> bool:
        """Whether a measure is within the bound; true is 1 and false 0, which is all that some databases know."""
        low, high = Fraction(self.values[0]), Fraction(self.values[-1])
        match self.operator:
            case Operator.BE:
                return measured == low
            case Operator.NOT_BE:
                return measured != low
            case Operator.GREATER:
                return measured > low
            case Operator.GREATER_OR_EQUAL:
                return measured >= low
            case Operator.LESS:
                return measured < low
            case Operator.LESS_OR_EQUAL:
                return measured <= low
            case Operator.BETWEEN:
                return low < measured < high
            case Operator.NOT_BETWEEN:
                return not low < measured < high

    @property
    def few(self) -> bool:
        """Whether the fewer the better."""
        return self.operator in {Operator.LESS, Operator.LESS_OR_EQUAL} or (
            self.operator is Operator.BE and self.values[0] == 0
        )

    def __str__(self) -> str:
        numbers = " and ".join(str(each).lower() for each in self.values)
        return f"{_SPOKEN[self.operator]} {numbers}"


_SPOKEN = {
    Operator.BE: "must be",
    Operator.NOT_BE: "must not be",
    Operator.GREATER: "must be greater than",
    Operator.GREATER_OR_EQUAL: "must be at least",
    Operator.LESS: "must be less than",
    Operator.LESS_OR_EQUAL: "must be at most",
    Operator.BETWEEN: "must be between",
    Operator.NOT_BETWEEN: "must not be between",
}


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One rule; `reason` says why it is not run, None where it is.

    `name` is unique within the entity. `path` leads to the field that the rule stands at, over members of objects;
    empty for a rule of the entity. `through` says for each of its steps whether it goes on into the items of an array;
    then any of them makes a row one of those that are counted.

    `values` are Python values of the field's type: those that stand for none (`missingValues`, with NULL where `null`),
    or those that are valid; `pattern` is a RE2 that a valid text holds. `fields` are those that duplicates share.
    `percent`: the measure is the share of rows in percent. `schedule` is a cron line in UTC; None: the mesh's
    `quality.every`.
    """

    name: str
    check: Check
    path: tuple[str, ...] = ()
    through: tuple[bool, ...] = ()
    bound: Bound | None = None
    percent: bool = False
    severity: str = "error"  # error | warning | info
    dimension: str | None = None
    description: str = ""
    schedule: str | None = None
    values: tuple[Any, ...] = ()
    null: bool = False
    pattern: str | None = None
    fields: tuple[str, ...] = ()
    condition: Expr | None = None  # over the entity's fields
    measure: Measure | None = None
    reason: str | None = None

    @property
    def property(self) -> str | None:
        """The field that the rule is about, as people write it: `address.city`, `lines[].price`."""
        steps = (f"{name}[]" if through else name for name, through in zip(self.path, self.through, strict=True))
        return ".".join(steps) or None
