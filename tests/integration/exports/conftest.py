# SPDX-License-Identifier: Apache-2.0
"""A mesh that serves a value of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dictamesh.specs.documents import Memory
from tests.integration.execution.harness import Running, compiled, running
from tests.support.depot import FILES, fill
from tests.support.postgres import embedded_dsn  # noqa: F401 - a fixture


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Running]:
    fill(tmp_path / "depot.sqlite")
    async with running(compiled(Memory(FILES)), {"db": {"path": "depot.sqlite"}}, tmp_path) as mesh:
        yield mesh
