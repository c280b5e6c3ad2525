# SPDX-License-Identifier: Apache-2.0
"""Figures of several runs, each beside a floor that was measured in the same run, as a Markdown table."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing. `values` and `floor` are of the same unit, one value per round; `floor` may be empty."""

    name: str
    unit: str
    values: Sequence[float]
    floor: Sequence[float] = ()
    floor_name: str = ""
    target: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        """Whether the least value is under the target; other programs on the machine can only add to it."""
        return self.target is None or min(self.values) < self.target

    def row(self) -> tuple[str, ...]:
        floor = f"{_number(statistics.median(self.floor))} ({self.floor_name})" if self.floor else ""
        ratio = f"{self.median / statistics.median(self.floor):.1f}" if self.floor else ""
        target = "" if self.target is None else f"< {_number(self.target)}: {'met' if self.met else 'MISSED'}"
        return (self.name, self.unit, _number(min(self.values)), _number(self.median), floor, ratio, target)


HEADER = ("figure", "unit", "min", "median", "floor, median", "ratio", "target")


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table, one row per figure."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(figure.row() for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
