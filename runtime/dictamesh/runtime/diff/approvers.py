# SPDX-License-Identifier: Apache-2.0
"""Who must approve a change: a file in the manner of CODEOWNERS, by class and address. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dictamesh.runtime.diff.change import Change, Class

FILE_NAME = "APPROVERS"


class MalformedApprovers(ValueError):  # noqa: N818 - the state of a file
    """A line of an approvers file cannot be read; the text names it."""


@dataclass(frozen=True, slots=True)
class ApproverLine:
    """`cls` of changes at addresses that fit `pattern` need one of `approvers`; none means nobody."""

    cls: Class
    pattern: str
    approvers: tuple[str, ...]


def read_approvers(text: str) -> tuple[ApproverLine, ...]:
    """Read lines `CLASS PATTERN @WHO...`; `#` begins a comment. Raises MalformedApprovers.

    CLASS is safe, review, breaking or privacy-weakening; PATTERN a glob over addresses (`customers#*`, `*`).
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#" if line.lstrip().startswith("#") else " #")[0].split()
        if not words:
            continue
        if len(words) < 2 or words[0] not in {each.value for each in Class if each is not Class.INVALID}:
            raise MalformedApprovers(f"line {number}: write CLASS PATTERN @WHO..., such as 'breaking * @platform'")
        lines.append(ApproverLine(Class(words[0]), words[1], tuple(words[2:])))
    return tuple(lines)


def approvers_of(changes: Iterable[Change], lines: tuple[ApproverLine, ...]) -> tuple[str, ...]:
    """Return who must approve, each once; for every change the last line of its class that fits speaks."""
    found: dict[str, None] = {}
    for change in changes:
        fitting = [each for each in lines if each.cls is change.cls and fnmatchcase(change.address, each.pattern)]
        if fitting:
            found.update(dict.fromkeys(fitting[-1].approvers))
    return tuple(sorted(found))
