# SPDX-License-Identifier: Apache-2.0
"""Files of lines: appended whole, by many at once, the last one found however long the file is."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dictamesh.runtime.audit.lines import append_bytes, last_line, locked


def last(path: Path) -> bytes | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return last_line(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", None),
        (b"torn", None),
        (b"one\n", b"one"),
        (b"one\ntorn", b"one"),
        (b"one\ntwo\n", b"two"),
        (b"x" * 100_000 + b"\n", b"x" * 100_000),
        (b"one\n" + b"x" * 100_000 + b"\n", b"x" * 100_000),
        (b"one\n" * 50_000 + b"two\ntorn", b"two"),
    ],
    ids=["empty", "torn", "one", "one and torn", "two", "long", "long behind short", "many"],
)
def test_the_last_whole_line(tmp_path: Path, text: bytes, expected: bytes | None) -> None:
    path = tmp_path / "lines"
    path.write_bytes(text)
    assert last(path) == expected


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines"
    append_bytes(path, b"one\n")
    with path.open("ab") as file:
        file.write(b"to")
    append_bytes(path, b"three\n")
    assert path.read_bytes() == b"one\nto\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"", b""),
        (b"torn", b""),
        (b"one\n", b"one\n"),
        (b"one\ntorn", b"one\n"),
        (b"one\n" + b"x" * 200_000, b"one\n"),
        (b"x" * 65_535 + b"\n" + b"y" * 65_536, b"x" * 65_535 + b"\n"),
    ],
    ids=["empty", "all torn", "whole", "one torn", "long torn", "at the edge"],
)
def test_a_torn_line_can_be_cut_off(tmp_path: Path, text: bytes, left: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(text)
    append_bytes(path, b"next\n", drop_torn=True)
    assert path.read_bytes() == left + b"next\n"


def test_many_writers_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: append_bytes(path, b"%d\n" % number), range(200)))
    assert sorted(map(int, path.read_bytes().split())) == list(range(200))


def test_a_file_that_was_removed_while_it_was_waited_for_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with ThreadPoolExecutor(1) as threads:
        with locked(path):
            waiting = threads.submit(append_bytes, path, b"late\n")
            path.unlink()
        waiting.result()
    assert path.read_bytes() == b"late\n"
