# SPDX-License-Identifier: Apache-2.0
"""Bytes to text, and the parser's complaints in words with a cure."""

import re

from yaml import MarkedYAMLError, YAMLError

from dictamesh.specs.diagnostics import Findings, Source

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)

# A part of libyaml's or PyYAML's message, what to say instead, and the cure.
_SAYINGS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a second `: ` in one value, or a key at the wrong indentation",
        "Quote text that contains `: `, and give the keys of a mapping the same indentation.",
    ),
    ("could not find expected ':'", "a key without its colon", "Write `key: value`, with a space after the colon."),
    (
        "found unexpected end of stream",
        "a quoted text is not closed before the end of the file",
        "Close the quotes; double them ('') to write one inside single quotes.",
    ),
    (
        "found unexpected document indicator",
        "a quoted text is not closed before the end of the document",
        "Close the quotes; double them ('') to write one inside single quotes.",
    ),
    (
        "found unknown escape character",
        "an unknown escape inside double quotes",
        "Double the backslash, or use single quotes, which have no escapes.",
    ),
    (
        "did not find expected hexadecimal",
        "an incomplete escape inside double quotes",
        "Double the backslash, or use single quotes, which have no escapes.",
    ),
    (
        "did not find expected ',' or '}'",
        "a mapping in braces goes on where `,` or `}` should stand",
        "Separate entries by `,`, close the mapping with `}`, and quote text that contains `{`, `}`, `[`, `]` or `,`.",
    ),
    (
        "did not find expected ',' or ']'",
        "a list in brackets goes on where `,` or `]` should stand",
        "Separate entries by `,`, close the list with `]`, and quote text that contains `{`, `}`, `[`, `]` or `,`.",
    ),
    (
        "did not find expected key",
        "a line that does not continue the mapping above it",
        "Give the keys of a mapping the same indentation; quote a whole value that begins with a quote.",
    ),
    (
        "did not find expected '-' indicator",
        "a line that does not continue the list above it",
        "Begin each entry of the list with `- ` at the same indentation.",
    ),
    (
        "block sequence entries are not allowed",
        "a list entry `- ` where none can stand",
        "Put the list on the lines below its key.",
    ),
    (
        "did not find expected <document start>",
        "more text after the end of the document's value",
        "Indent it to belong to what stands above, or begin a new document with `---`.",
    ),
    (
        "did not find expected alphabetic",
        "an anchor or alias without a name",
        "Quote text that begins with `&` or `*`.",
    ),
    ("did not find expected node content", "a value is missing here", "Write the value, or quote the text."),
    (
        "did not find expected comment or line break",
        "text after `|` or `>`",
        "Begin the text on the next line, indented.",
    ),
    (
        "found character that cannot start any token",
        "a value begins with a character that YAML reserves",
        "Put text that begins with `@`, a backquote or `%` in quotes.",
    ),
    ("directive", "a directive that is not understood", "Remove the line that begins with `%`, or quote the text."),
    ("found undefined tag handle", "an undeclared tag", "Remove the tag; quote text that begins with `!`."),
    ("tag", "a malformed tag", "Remove the tag; quote text that begins with `!`."),
    ("indentation", "wrong indentation", "Indent with spaces, deeper than the line that holds the key."),
)


def decode(data: bytes, name: str, findings: Findings) -> Source | None:
    """The text of a file; None, and a finding, for bytes that are not UTF-8."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            findings.error("DM006", name, f"the file is {encoding}, not UTF-8")
            return None
    try:
        source = Source(name, data.decode("utf-8"))
    except UnicodeDecodeError as fault:
        before = Source(name, data[: fault.start].decode("utf-8"))
        at = before.span(len(before.text), len(before.text))
        findings.error("DM006", at, f"byte 0x{data[fault.start]:02x} is not UTF-8 text")
        return None
    if source.text.startswith("\ufeff"):
        findings.error("DM006", name, "the file begins with a byte order mark")
        return None
    return source


def printable(source: Source, findings: Findings) -> bool:
    """Whether YAML allows all characters of a file; the first that it does not is recorded."""
    bad = _FORBIDDEN.search(source.text)
    if bad:
        shown = "NUL" if bad[0] == "\0" else f"U+{ord(bad[0]):04X}"
        findings.error("DM007", source.span(*bad.span()), f"the character {shown} is not allowed in YAML")
    return not bad


def report_syntax(fault: YAMLError, source: Source, findings: Findings) -> None:
    """Record what a PyYAML parser raised, at the place it names and in the words of the table above."""
    problem, offset = "", 0
    if isinstance(fault, MarkedYAMLError):
        problem = f"{fault.context or ''} {fault.problem or ''}"
        offset = _offset(fault, source.text)
    at = source.span(offset, offset)
    if source.text[offset : offset + 1] == "\t":
        findings.error("DM012", at, "a tab where YAML wants spaces")
        return
    if "did not find expected key" in problem and source.text[:offset].rpartition("\n")[2].strip():
        findings.error("DM011", at, "more text after the end of a value", "Quote the whole value.")
        return
    for part, message, cure in _SAYINGS:
        if part in problem:
            findings.error("DM011", at, message, cure)
            return
    findings.error("DM011", at, "the text is not YAML here")


def _offset(fault: MarkedYAMLError, text: str) -> int:
    """Where the fault shows: for what is never closed that is where it was opened."""
    problem, context = fault.problem_mark, fault.context_mark
    offset = min(problem.index, len(text)) if problem else 0
    opened = any(part in (fault.problem or "") for part in ("found unexpected", "could not find expected ':'"))
    if context and (opened or not problem or not text[offset:].strip()):
        offset = min(context.index, len(text))
    return offset if text[offset:].strip() else len(text.rstrip())
