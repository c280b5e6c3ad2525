# SPDX-License-Identifier: Apache-2.0
"""A fault of the user, with its place and its cure (DESIGN §1)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dictamesh.specs.diagnostics.codes import CODES, Severity
from dictamesh.specs.diagnostics.source import Located, Span

# A name from a hostile file may be a mebibyte long.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. Lines and columns count from 1, columns in characters, the end is exclusive.

    `message` and `hint` are shown as they are: no value of a secret or of a source may stand in them. With `secret`,
    the text between the places is blanked in every excerpt.
    """

    code: str
    severity: Severity
    message: str
    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    hint: str = ""
    secret: bool = False

    @property
    def span(self) -> Span:
        return Span(self.file, self.line, self.column, self.end_line, self.end_column)

    def to_json(self) -> dict[str, str | int]:
        """The keys that `validate --format json` prints."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }


def diagnostic(
    code: str,
    at: Located | str,
    message: str,
    hint: str | None = None,
    *,
    severity: Severity | None = None,
    secret: bool = False,
) -> Diagnostic:
    """A diagnostic at a place, or at the head of a file given by name; severity and hint default to the code's row.

    Raises KeyError for a code that no table has.
    """
    row = CODES[code]
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "..."
    span = Span(at, 1, 1, 1, 1) if isinstance(at, str) else at.span
    return Diagnostic(
        code=code,
        severity=row.severity if severity is None else severity,
        message=message,
        file=span.file,
        line=span.line,
        column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
        hint=row.cure if hint is None else hint,
        secret=secret,
    )


class Findings:
    """What a phase has found so far: append-only, in the order of finding."""

    __slots__ = ("_found",)

    def __init__(self, found: Iterable[Diagnostic] = ()) -> None:
        self._found = list(found)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def failed(self) -> bool:
        """Whether an error is among the findings."""
        return any(found.severity is Severity.ERROR for found in self._found)

    def add(
        self,
        code: str,
        at: Located | str,
        message: str,
        hint: str | None = None,
        *,
        severity: Severity | None = None,
        secret: bool = False,
    ) -> None:
        """Record a finding with the severity and the cure of its code, unless others are given."""
        self._found.append(diagnostic(code, at, message, hint, severity=severity, secret=secret))

    def error(
        self, code: str, at: Located | str, message: str, hint: str | None = None, *, secret: bool = False
    ) -> None:
        self.add(code, at, message, hint, severity=Severity.ERROR, secret=secret)

    def warning(self, code: str, at: Located | str, message: str, hint: str | None = None) -> None:
        self.add(code, at, message, hint, severity=Severity.WARNING)

    def note(self, code: str, at: Located | str, message: str, hint: str | None = None) -> None:
        self.add(code, at, message, hint, severity=Severity.NOTE)

    def extend(self, found: Iterable[Diagnostic]) -> None:
        self._found.extend(found)


def in_file_order(found: Iterable[Diagnostic], files: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The findings without repetitions, by file in the given order, then by place; unknown files come last by name."""
    rank = {name: position for position, name in enumerate(files)}
    return tuple(
        sorted(
            dict.fromkeys(found),
            key=lambda each: (
                rank.get(each.file, len(rank)),
                each.file,
                each.line,
                each.column,
                each.code,
                each.message,
            ),
        )
    )
