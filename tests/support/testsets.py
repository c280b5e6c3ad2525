# SPDX-License-Identifier: Apache-2.0
"""Cases that other projects wrote: found by DICTAMESH_TEST_TESTSETS, skipped with the reason where it is not set."""

import os
from pathlib import Path

import pytest


def folder_of(name: str) -> Path:
    """The folder of one test set; skips where there is none, fails under CI=true."""
    folder = os.environ.get("DICTAMESH_TEST_TESTSETS")
    if folder is not None and (found := Path(folder) / name).is_dir():
        return found
    reason = f"set DICTAMESH_TEST_TESTSETS to the folder of test sets that holds {name}/"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def files_of(name: str, pattern: str) -> list[Path | None]:
    """The files of a test set, for parameters of tests; one None where the set is not there, so that a test says so."""
    folder = os.environ.get("DICTAMESH_TEST_TESTSETS")
    found = sorted((Path(folder) / name).glob(pattern)) if folder is not None else []
    return [*found] or [None]
