# SPDX-License-Identifier: Apache-2.0
"""How findings are shown."""

import re

import pytest

from dictamesh.specs.diagnostics import Findings, Severity, Source, diagnostic, in_file_order, render, summary
from dictamesh.specs.diagnostics.excerpt import WIDTH, excerpt

LINE = (
    '      - {name: total, logicalType: number, physicalType: "decimal(12,2)", transformLogic: "total_cents / 100.0", '
    "classification: confidential, tags: [finanse]}"
)


def at(source: Source, text: str):
    start = source.text.index(text)
    return source.span(start, start + len(text))


def test_tour_example() -> None:
    source = Source("products/invoices.yaml", "\n" * 18 + LINE + "\n")
    found = diagnostic(
        "DM204",
        at(source, "finanse"),
        "unknown tag 'finanse'",
        "did you mean 'finance'? Tags are declared in taxonomy.yaml.",
    )
    assert render([found], {source.name: source}) == (
        f"products/invoices.yaml:19:{LINE.index('finanse') + 1} DM204 error: unknown tag 'finanse'\n"
        "   19 |       - {name: total, ..., tags: [finanse]}\n"
        "      |                                   ^^^^^^^\n"
        "      = did you mean 'finance'? Tags are declared in taxonomy.yaml.\n"
        "\n"
        "1 error\n"
    )


@pytest.mark.parametrize("word", ["name", "total", "decimal", "transformLogic", "confidential", "finanse", "]}"])
def test_the_caret_is_under_the_word_in_long_lines(word: str) -> None:
    start = LINE.index(word)
    shown = excerpt(LINE, start, start + len(word))
    assert shown.text[shown.offset : shown.offset + shown.length] == word
    assert len(shown.text) <= WIDTH


def test_long_span_is_clipped() -> None:
    shown = excerpt("a" * 5000, 1000, 4000)
    assert len(shown.text) <= WIDTH
    assert set(shown.text[shown.offset : shown.offset + shown.length]) == {"a"}


def test_secret_is_blanked_in_every_excerpt_of_its_line() -> None:
    source = Source("m.yaml", "a: {pw1: hunter2, typo: 1}\n")
    findings = Findings()
    findings.error("DM701", at(source, "hunter2"), "a literal secret", secret=True)
    findings.error("DM101", at(source, "typo"), "unknown key 'typo'")
    text = render(findings, {"m.yaml": source})
    assert "hunter2" not in text
    assert "    1 | a: {pw1: ***, typo: 1}\n      |          ^^^\n" in text
    assert "    1 | a: {pw1: ***, typo: 1}\n      |               ^^^^\n" in text


def test_secret_over_several_lines() -> None:
    source = Source("m.yaml", "pin: |\n  hunter2\n  hunter3\nx: 1\n")
    findings = Findings()
    start = source.text.index("|")
    findings.error("DM701", source.span(start, source.text.index("x")), "a literal secret", secret=True)
    findings.error("DM101", at(source, "hunter3"), "something in the middle")
    text = render(findings, {"m.yaml": source})
    assert "hunter" not in text


@pytest.mark.parametrize(
    "line",
    [
        "token: hunter2",
        "token: hunter2,more,hunter2",
        "  clientSecret: 'hunter2'",
        '  "password": "hunter2 hunter2"',
        'password: "hunter2',
        "{kind: bearer, token: hunter2, x: 1}",
        "{key: hunter2}",
        'token: "${env:X:-hunter2}"',
        "x-api-key: hunter2",
        "url: postgres://mesh:hunter2@db:5432/erp",
        "dsn: host=db password=hunter2 user=x",
        "url: http://h/p?api_key=hunter2&x=1",
        "mesh-pepper: hunter2 # hunter2",
    ],
)
def test_what_looks_like_a_secret_is_blanked(line: str) -> None:
    for place in range(len(line)):
        assert "hunter" not in excerpt(line, place, place + 3).text


@pytest.mark.parametrize(
    "line",
    ['token: "${file:keys/cms.token}"', "primaryKey: true", "token: ${env:T:-}", "{tokenize: yes}", "keys: {a: b}"],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert excerpt(line, 0, 1).text == line


def test_odd_characters() -> None:
    line = "\ta: 客\u202e\x1b[0m b\u0301 X"
    shown = excerpt(line, line.index("X"), line.index("X") + 1)
    assert shown.text == "  a: 客\\u202e\\x1b[0m b\u0301 X"
    assert shown.offset == len(shown.text) - 1 + 1 - 1  # one more for the wide character, one less for the accent


def test_message_and_file_are_escaped() -> None:
    text = render([diagnostic("DM101", "a\nb.yaml", "key '\x1b[2J'", "line\nbreak")], {})
    assert text == "a\\nb.yaml:1:1 DM101 error: key '\\x1b[2J'\n      = line\\nbreak\n\n1 error\n"


def test_colour_changes_nothing_but_colour() -> None:
    source = Source("m.yaml", "a: b\n")
    found = [diagnostic("DM101", at(source, "a"), "unknown key 'a'")]
    coloured = render(found, {"m.yaml": source}, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(found, {"m.yaml": source})


def test_summary() -> None:
    findings = Findings()
    assert summary(findings) == "no findings"
    assert render(findings, {}) == ""
    findings.warning("DM101", "a", "x")
    assert not findings.failed
    findings.error("DM101", "a", "y")
    findings.error("DM101", "a", "z")
    findings.note("DM704", "a", "z")
    assert findings.failed
    assert summary(findings) == "2 errors, 1 warning, 1 note"


def test_order_is_that_of_files_then_places_without_repetitions() -> None:
    one, two = Source("one", "a\nb\nc"), Source("two", "a\nb\nc")
    findings = Findings()
    for source, place in ((two, 0), (one, 4), (one, 2), (two, 0)):
        findings.error("DM101", source.span(place, place + 1), "m")
    findings.error("DM101", "elsewhere", "m")
    ordered = in_file_order(findings, ["two", "one"])
    assert [(each.file, each.line) for each in ordered] == [("two", 1), ("one", 2), ("one", 3), ("elsewhere", 1)]


def test_json_and_defaults_of_the_code() -> None:
    found = diagnostic("DM704", "m.yaml", "X is not set")
    assert found.severity is Severity.NOTE
    assert found.to_json() == {
        "code": "DM704",
        "severity": "note",
        "message": "X is not set",
        "file": "m.yaml",
        "line": 1,
        "column": 1,
        "hint": found.hint,
    }
    assert found.hint
    with pytest.raises(KeyError):
        diagnostic("DM999", "m.yaml", "no such code")


def test_line_breaks_of_yaml_are_counted() -> None:
    source = Source("m", "a\r\nb\rc\x85d\u2028e\u2029f\x0bg\x0ch\n")
    assert [source.line(number) for number in range(9)] == [None, "a", "b", "c", "d", "e", "f\x0bg\x0ch", "", None]
    assert source.place(source.text.index("e")) == (5, 1)
