# SPDX-License-Identifier: Apache-2.0
"""The case files of Apache Ranger's policy engine: its policies said in our language, its requests judged by ours."""

import os
from functools import lru_cache
from pathlib import Path

import pytest

from tests.conformance.ranger.judging import judge
from tests.conformance.ranger.mapping import PAGE, Told, explained, rows, written
from tests.conformance.ranger.model import Reason
from tests.conformance.ranger.reading import files, stages
from tests.conformance.sets import folder, needed

SET = "ranger-policyengine"
SHARE = 0.6
"""Of all requests, how many must be judged."""


def here() -> list[Path]:
    found = folder(SET)
    return files(found) if found is not None and found.exists() else []


@lru_cache(maxsize=256)
def told(path: Path) -> Told:
    root = needed(SET)
    verdicts = tuple(verdict for stage in stages(path, root) for verdict in judge(stage))
    return Told(str(path.relative_to(root)), verdicts)


@pytest.mark.parametrize("path", here() or [None], ids=lambda path: path.stem if path else "no files")
def test_what_is_judged_of_a_file_is_as_it_expects(path):
    needed(SET)
    assert path is not None
    found = told(path)
    assert not found.wrong, [(each.name, each.wrong) for each in found.wrong]


def test_most_requests_are_judged():
    needed(SET)
    verdicts = [verdict for path in here() for verdict in told(path).verdicts]
    judged = [verdict for verdict in verdicts if not verdict.unsaid]
    assert len(judged) >= SHARE * len(verdicts) > 0


def test_the_page_explains_every_reason_for_which_a_request_is_not_judged():
    needed(SET)
    page = explained(PAGE.read_text("utf-8"))
    assert page == set(Reason)
    assert {verdict.unsaid for path in here() for verdict in told(path).verdicts} <= {"", *page}


def test_the_page_tells_what_became_of_each_file():
    """Files that the page does not know are judged all the same; their rows come with `--rewrite`."""
    needed(SET)
    if os.environ.get("DICTAMESH_REWRITE"):
        PAGE.write_text(written(PAGE.read_text("utf-8"), map(told, here())), "utf-8")
    kept = rows(PAGE.read_text("utf-8"))
    for path in here():
        assert kept.get(told(path).name, told(path).row) == told(path).row
