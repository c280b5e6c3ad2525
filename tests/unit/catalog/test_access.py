# SPDX-License-Identifier: Apache-2.0
"""Which folders and files another user may reach, by mode bits."""

import os
from pathlib import Path

import pytest

from dictamesh.runtime.catalog.access import can_enter, readable_tree

STRANGER = 4_000_000


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    for step in (tmp_path, *tmp_path.parents):
        if not can_enter(step, STRANGER) and step.stat().st_uid == os.geteuid() and step != Path("/"):
            step.chmod(0o755)
    return tmp_path


def test_closed_parent_closes_everything_below(open_folder: Path) -> None:
    inner = open_folder / "a" / "b"
    inner.mkdir(parents=True)
    assert can_enter(inner, STRANGER)
    (open_folder / "a").chmod(0o700)
    assert not can_enter(inner, STRANGER)
    assert can_enter(inner, os.geteuid())


def test_link_is_judged_by_what_it_points_to(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    (open_folder / "link").symlink_to(closed)
    assert not can_enter(open_folder / "link", STRANGER)


def test_one_unreadable_file_makes_a_tree_unreadable(open_folder: Path) -> None:
    files = [Path("x/one"), Path("x/two")]
    (open_folder / "x").mkdir()
    for file in files:
        (open_folder / file).write_text("")
        (open_folder / file).chmod(0o644)
    assert readable_tree(open_folder, files, STRANGER)
    (open_folder / "x/two").chmod(0o640)
    assert not readable_tree(open_folder, files, STRANGER)
    (open_folder / "x/two").chmod(0o644)
    (open_folder / "x").chmod(0o711)
    assert not readable_tree(open_folder, files, STRANGER)
