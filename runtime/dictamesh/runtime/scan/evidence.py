# SPDX-License-Identifier: Apache-2.0
"""What speaks for a kind of personal data: names, counts and shares, never a value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.specs.pii import KindName


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason: `what` it is of (name, format, pattern, text, dates, values, carried, inherited) and its facts."""

    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, **self.facts}

    def __str__(self) -> str:
        return _TOLD[self.what].format(**{**_BLANKS, **self.facts})


_BLANKS: Mapping[str, Any] = {"regions": "", "at": ""}
_TOLD: Mapping[str, str] = {
    "name": "name {name} is a {strength} hint",
    "format": "{share:.0%} of {checked} distinct values are {format} (by chance {baseRate:.2%})",
    "pattern": "{share:.0%} of {checked} distinct values match the pattern of '{tag}'",
    "text": "{share:.0%} of {checked} texts hold {format}",
    "dates": "{share:.0%} of {checked} days are of living people, over {years} years of birth",
    "values": "{rows} rows, {nulls:.0%} empty, {distinct:.0%} distinct, length {shortest} to {longest}",
    "inherited": "a member of '{object}'",
    "carried": "computed from '{column}'",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A kind that a column seems to hold, or a tag by the taxonomy's own names or patterns.

    `words` are what a tag for the format that was met would be called.
    """

    kind: KindName | None
    tag: str | None
    confidence: float
    evidence: tuple[Evidence, ...]
    words: tuple[str, ...] = ()


def unique(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Reasons without repetitions, in their order."""
    found: list[Evidence] = []
    for each in evidence:
        if each not in found:
            found.append(each)
    return tuple(found)
