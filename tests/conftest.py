# SPDX-License-Identifier: Apache-2.0
"""Options of the test suite."""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what golden cases give now into their files")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--rewrite"):
        os.environ["DICTAMESH_REWRITE"] = "1"
