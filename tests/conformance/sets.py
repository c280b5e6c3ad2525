# SPDX-License-Identifier: Apache-2.0
"""Test sets that other projects wrote, found by `DICTAMESH_TEST_TESTSETS`."""

import os
from pathlib import Path

import pytest


def folder(name: str) -> Path | None:
    """The folder of a set; None where the variable is not set, which `needed` then tells."""
    root = os.environ.get("DICTAMESH_TEST_TESTSETS")
    return Path(root) / name if root else None


def needed(name: str) -> Path:
    """The folder of a set; without it the test skips with the reason, under `CI=true` it fails."""
    found = folder(name)
    if found is None or not found.exists():
        reason = f"set DICTAMESH_TEST_TESTSETS to the folder of test sets that holds {name}/"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
