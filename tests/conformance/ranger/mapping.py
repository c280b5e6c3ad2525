# SPDX-License-Identifier: Apache-2.0
"""What became of each file: the last table of MAPPING.md, and the reasons that the page explains."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.ranger.judging import Verdict

PAGE = Path(__file__).parent / "MAPPING.md"
HEADS = ("## How it is said\n", "## Why a request is not judged\n", "## The files\n")
TABLE = "| file | requests | judged | as expected | not judged |\n|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the requests of a file."""

    name: str
    verdicts: tuple[Verdict, ...]

    @property
    def judged(self) -> tuple[Verdict, ...]:
        return tuple(each for each in self.verdicts if not each.unsaid)

    @property
    def wrong(self) -> tuple[Verdict, ...]:
        return tuple(each for each in self.judged if each.wrong)

    @property
    def row(self) -> str:
        """The line of the table."""
        reasons = Counter(each.unsaid for each in self.verdicts if each.unsaid)
        others = ", ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
        right = len(self.judged) - len(self.wrong)
        return f"| {self.name} | {len(self.verdicts)} | {len(self.judged)} | {right} | {others} |"


def written(page: str, files: Iterable[Told]) -> str:
    """The page with the table of files as it is now."""
    told = list(files)
    total = Told("together", tuple(each for one in told for each in one.verdicts))
    head, _, _ = page.partition(TABLE)
    return head + TABLE + "".join(f"{each.row}\n" for each in (*told, total))


def rows(page: str) -> dict[str, str]:
    """The lines of the table of files, by file."""
    return {row.split("|")[1].strip(): row for row in page.partition(TABLE)[2].splitlines()}


def explained(page: str) -> set[str]:
    """The reasons of the second table."""
    part = page.partition(HEADS[1])[2].partition(HEADS[2])[0]
    return {row.split("|")[1].strip() for row in part.splitlines() if row.startswith("| ")} - {"reason"}
