# SPDX-License-Identifier: Apache-2.0
"""Diagnostics as text for people: place, code, message, the line with a caret, the cure."""

from collections.abc import Iterable, Mapping

from dictamesh.specs.diagnostics.codes import Severity
from dictamesh.specs.diagnostics.diagnostic import Diagnostic
from dictamesh.specs.diagnostics.excerpt import excerpt, printable
from dictamesh.specs.diagnostics.source import Source

_GUTTER = 5
_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.NOTE: "\x1b[1;36m"}
_BOLD, _FAINT, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render(found: Iterable[Diagnostic], sources: Mapping[str, Source], *, colour: bool = False) -> str:
    """The findings in the given order and a summary line, ending in a line break; empty for none.

    `sources` holds the text by file name; a finding in another file is shown without an excerpt. The text of the spans
    of `secret` findings is blanked wherever it would show.
    """
    everything = list(found)
    if not everything:
        return ""
    secrets = [each for each in everything if each.secret]
    blocks = [_block(each, sources, secrets, colour) for each in everything]
    return "\n\n".join([*blocks, summary(everything)]) + "\n"


def summary(found: Iterable[Diagnostic]) -> str:
    """How many findings of each severity there are, such as `2 errors, 1 warning`."""
    counts = dict.fromkeys(Severity, 0)
    for each in found:
        counts[each.severity] += 1
    parts = [f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count]
    return ", ".join(parts) or "no findings"


def _block(each: Diagnostic, sources: Mapping[str, Source], secrets: list[Diagnostic], colour: bool) -> str:
    tint, bold, faint, plain = (_COLOURS[each.severity], _BOLD, _FAINT, _PLAIN) if colour else ("", "", "", "")
    place = printable(f"{each.file}:{each.line}:{each.column}")
    lines = [f"{bold}{place}{plain} {each.code} {tint}{each.severity}{plain}: {printable(each.message)}"]
    source = sources.get(each.file)
    text = source.line(each.line) if source else None
    if text:
        shown = excerpt(text, *_stretch(each, each.line, text), _blanks(each, text, secrets))
        lines.append(f"{faint}{each.line:>{_GUTTER}} |{plain} {shown.text}".rstrip())
        caret = " " * shown.offset + tint + "^" * shown.length + plain
        lines.append(f"{faint}{'':>{_GUTTER}} |{plain} {caret}")
    if each.hint:
        lines.append(f"{faint}{'':>{_GUTTER}} ={plain} {printable(each.hint)}")
    return "\n".join(lines)


def _stretch(each: Diagnostic, number: int, text: str) -> tuple[int, int]:
    """The part of line `number` that a finding spans, from 0; empty for other lines."""
    if not each.line <= number <= each.end_line:
        return 0, 0
    start = each.column - 1 if number == each.line else 0
    end = each.end_column - 1 if number == each.end_line else len(text.rstrip())
    return start, end


def _blanks(each: Diagnostic, text: str, secrets: list[Diagnostic]) -> list[tuple[int, int]]:
    return [_stretch(secret, each.line, text) for secret in secrets if secret.file == each.file]
