# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the catalog's tests: an empty or migrated database on each of the two servers."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from tests.support.postgres import embedded_dsn, fresh_database, postgres15_dsn

__all__ = ["embedded_dsn", "postgres15_dsn"]


@pytest.fixture(params=["embedded_dsn", "postgres15_dsn"], ids=["embedded", "postgres15"])
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """Conninfo of an empty database."""
    with fresh_database(request.getfixturevalue(request.param)) as database:
        yield database


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool on an empty database."""
    opened = await open_pool(dsn, PoolSettings(max_size=5, idle=1))
    yield opened
    await opened.close()


@pytest.fixture
async def catalog(pool: Pool) -> Pool:
    """A pool on a migrated database."""
    await up(pool)
    return pool


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that every user may enter; pytest's own temporary folders are closed to the server's user."""
    with tempfile.TemporaryDirectory(prefix="dictamesh-data-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"
