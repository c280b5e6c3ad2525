# SPDX-License-Identifier: Apache-2.0
"""A registered catalog to write records and relations into."""

from datetime import UTC, datetime, timedelta

import pytest

from dictamesh.runtime.catalog.directory import Directory
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.registration import register
from tests.integration.catalog.test_registration import FULL

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after noon of the first day."""
    return NOON + timedelta(hours=hours)


@pytest.fixture
async def registered(catalog: Pool) -> Pool:
    """A pool on a catalog that knows customers, invoices and their items."""
    await register(catalog, FULL)
    return catalog


@pytest.fixture
def directory(registered: Pool) -> Directory:
    return Directory(registered)
