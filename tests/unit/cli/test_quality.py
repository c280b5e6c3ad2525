# SPDX-License-Identifier: Apache-2.0
"""`quality run`: what it prints, in both formats, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

FIRST = "  - name: Person\n    physicalName: people\n"
RULES = """\
    quality:
      - {name: somebody, metric: rowCount, mustBeGreaterThan: 0}
      - {type: sql, name: average, query: "SELECT AVG(level) FROM {object}", mustBeBetween: [3, 4]}
      - {type: text, description: "People are fresh."}
"""


def write(mesh: Path, *rules: str) -> None:
    path = mesh.parent / "products" / "people.yaml"
    text = path.read_text(encoding="utf-8")
    assert FIRST in text
    given = RULES + "".join(f"      - {each}\n" for each in rules)
    path.write_text(text.replace(FIRST, FIRST + given), encoding="utf-8")


def test_rules_that_are_met(mesh: Path, run: Run) -> None:
    write(mesh, "{name: low, type: sql, query: level < 2, mustBeLessThan: 20, unit: percent}")
    code, out, err = run("quality", "run", "--config", str(mesh))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "passed  people#Person somebody: 6 rows, must be greater than 0",
        "passed  people#Person average: the measure is not shown, it must be between 3 and 4",
        "skipped people#Person text: words for people are not run",
        "passed  people#Person low: 16.6667 percent, must be less than 20",
        "3 passed, 0 failed, 0 error, 1 skipped",
    ]


def test_a_rule_that_is_not_met(mesh: Path, run: Run) -> None:
    write(mesh, "{name: high, type: sql, query: level > 4, mustBe: 0}")
    code, out, _ = run("quality", "run", "people", "--config", str(mesh))
    assert code == 1
    assert "failed  people#Person high: 2 of 6 rows, must be 0\n" in out


def test_a_rule_of_less_weight(mesh: Path, run: Run) -> None:
    write(mesh, "{name: high, type: sql, query: level > 4, mustBe: 0, severity: warning}")
    code, out, _ = run("quality", "run", "--config", str(mesh))
    assert code == 0
    assert "failed  people#Person high: 2 of 6 rows, must be 0 [warning]\n" in out


def test_as_json(mesh: Path, run: Run) -> None:
    write(mesh, "{name: high, type: sql, query: level > 4, mustBe: 0, dimension: accuracy}")
    code, out, err = run("quality", "run", "--config", str(mesh), "--format", "json")
    assert (code, err) == (1, "")
    found = {each["rule"]: each for each in json.loads(out)}
    assert found["high"].pop("seconds") >= 0
    assert found["high"] == {
        "entity": "people#Person",
        "rule": "high",
        "check": "condition",
        "property": None,
        "dimension": "accuracy",
        "severity": "error",
        "outcome": "failed",
        "must": "must be 0",
        "unit": "rows",
        "measured": 2,
        "failedRows": 2,
        "rows": 6,
        "passRate": pytest.approx(4 / 6),
        "reason": None,
    }
    assert (found["average"]["outcome"], found["average"]["measured"]) == ("passed", None)
    assert (found["text"]["outcome"], found["text"]["passRate"]) == ("skipped", None)


def test_what_is_too_much_to_read_is_no_answer(mesh: Path, run: Run) -> None:
    write(mesh, "{name: same, metric: duplicateValues, arguments: {properties: [area, level]}, mustBe: 0}")
    change = "quality: {maxScan: 3}\nruntime:"
    mesh.write_text(mesh.read_text(encoding="utf-8").replace("runtime:", change), encoding="utf-8")
    product = mesh.parent / "products" / "people.yaml"
    text = product.read_text(encoding="utf-8").replace(
        "source: {server: db}", "source: {server: db, Person: {coerce: true}}"
    )
    product.write_text(text, encoding="utf-8")
    code, out, _ = run("quality", "run", "--config", str(mesh))
    assert code == 1
    assert "error   people#Person same: SCAN_LIMIT\n" in out


def test_a_source_that_cannot_be_reached(mesh: Path, run: Run) -> None:
    write(mesh)
    (mesh.parent / "small.sqlite").unlink()
    code, out, _ = run("quality", "run", "--config", str(mesh))
    assert code == 3
    assert "error   people#Person somebody: SOURCE_UNAVAILABLE\n" in out


def test_a_product_that_is_not_there(mesh: Path, run: Run) -> None:
    code, out, err = run("quality", "run", "peple", "--config", str(mesh))
    assert (code, out) == (2, "")
    assert "did you mean 'people'?" in err


def test_without_rules_there_is_nothing_to_say(mesh: Path, run: Run) -> None:
    (mesh.parent / "small.sqlite").unlink()
    assert run("quality", "run", "--config", str(mesh)) == (0, "0 passed, 0 failed, 0 error, 0 skipped\n", "")


def test_without_an_action_it_says_how(mesh: Path, run: Run) -> None:
    code, out, err = run("quality", "--config", str(mesh))
    assert (code, out) == (2, "")
    assert "ACTION" in err
