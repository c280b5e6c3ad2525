# SPDX-License-Identifier: Apache-2.0
"""The example, running once for all tests that only read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.running import ROOT, Runtime, Sources, example_sources, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sources(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sources]:
    async with example_sources(tmp_path_factory.mktemp("sources")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def example(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    data_dir: Path = tmp_path_factory.mktemp("data")
    async with running(ROOT / "examples" / "mesh.yaml", data_dir, sources.environment) as runtime:
        yield runtime
