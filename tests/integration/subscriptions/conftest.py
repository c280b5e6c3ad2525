# SPDX-License-Identifier: Apache-2.0
"""A mesh whose changes the tests write."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.subscribing import Heard, heard

__all__ = ["embedded_dsn"]


@pytest.fixture
def dsn(embedded_dsn: str) -> Iterator[str]:
    with fresh_database(embedded_dsn) as database:
        yield database


@pytest.fixture
async def people(tmp_path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heard]:
    async with heard(tmp_path, dsn, monkeypatch) as running:
        yield running
