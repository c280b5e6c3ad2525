# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the text of an expression."""

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal["syntax", "too-large", "unknown-name", "unknown-function", "type", "not-allowed"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in the text of an expression; `start` and `end` are character offsets, `end` exclusive."""

    kind: ProblemKind
    message: str
    start: int
    end: int
    hint: str | None = None


class Problems(Exception):  # noqa: N818 - the faults of one text together, not one error
    """All faults found in the text of an expression, in order of their place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class ExpressionFailed(Exception):  # noqa: N818 - the word of S5 and of the error code
    """An expression has no value on this row (division by zero, cast, overflow); the message shows no value (S5)."""
