# SPDX-License-Identifier: Apache-2.0
"""The bench runs and compares like with like; its figures are nobody's assertion."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import auditing, decisions, language, processes, serving, starting
from tests.bench.figures import HEADER, Figure, table
from tests.support.running import ROOT, clean_environment


def test_serving_is_measured_beside_a_server_with_the_same_answers(tmp_path: Path) -> None:
    figures = serving.measure(tmp_path, rounds=1, count=12)
    assert [each.name for each in figures if each.unit == "CPU us/request"] == [shape.name for shape in serving.SHAPES]
    assert all(value > 0 for each in figures if each.unit != "CPU us/request" for value in (*each.values, *each.floor))


def test_the_language_is_measured_beside_reading(tmp_path: Path) -> None:
    whole, *phases = language.measure(tmp_path, rounds=1, products=20)
    assert whole.values[0] > whole.floor[0] > 0
    assert sum(each.values[0] for each in phases) == pytest.approx(whole.values[0])


def test_decisions_are_measured_beside_cedar(tmp_path: Path) -> None:
    figures = decisions.measure(tmp_path, rounds=1)
    assert len(figures) == 4
    assert all(value > 0 for each in figures for value in (*each.values, *each.floor))


def test_starts_are_measured_cold_and_warm(tmp_path: Path) -> None:
    figures = starting.starting(tmp_path, rounds=1)
    assert [each.unit for each in figures] == ["wall s", "CPU s", "wall s", "CPU s"]
    assert all(value > 0 for each in figures for value in each.values)


def test_auditing_is_measured_chained_and_unchained(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    figures = auditing.measure(tmp_path, rounds=1, scale=0.05)
    assert [each.unit for each in figures] == ["CPU us/row", "wall us/row"] * 3 + ["wall us/row"]
    assert all(value > 0 for each in figures if each.unit == "wall us/row" for value in (*each.values, *each.floor))


def test_a_load_stops_at_an_answer_with_errors(tmp_path: Path) -> None:
    shape = serving.Shape("wrong", "{ nothing }", None, same=False)
    with (
        serving.sources(tmp_path) as environment,
        serving.handwritten(environment) as floor,
        pytest.raises(subprocess.CalledProcessError),
    ):
        serving.load(floor, shape, 1)


def test_processor_time_counts_children_that_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    assert processes.run([sys.executable, "-c", parent], clean_environment({}), ROOT).cpu >= 0.3


def test_the_table() -> None:
    figures = [Figure("a", "s", [1.0, 3.0, 2.0], [0.5, 0.5, 0.5], "floor", 1.5), Figure("b", "us", [1234.5], target=1)]
    lines = table(figures).splitlines()
    assert lines[0] == "| " + " | ".join(HEADER) + " |"
    assert lines[2] == "| a | s | 1 | 2 | 0.5 (floor) | 4.0 | < 1.5: met |"
    assert lines[3] == "| b | us | 1,234 | 1,234 |  |  | < 1: MISSED |"
