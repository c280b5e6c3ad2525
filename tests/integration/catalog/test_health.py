# SPDX-License-Identifier: Apache-2.0
"""The health of the catalog's database: reached or not, answering or not, connections left or none (MC-19)."""

import pytest

from dictamesh.connectors.sdk import Status
from dictamesh.runtime.catalog import health
from dictamesh.runtime.catalog.health import probe
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool


async def test_a_database_that_answers_is_healthy(pool: Pool) -> None:
    assert (await probe(pool)).status is Status.HEALTHY


async def test_without_an_idle_connection_it_is_degraded_and_nobody_waits(dsn: str) -> None:
    pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
    async with pool.transaction():
        assert (await probe(pool)).status is Status.DEGRADED
    assert (await probe(pool)).status is Status.HEALTHY
    await pool.close()


async def test_a_database_that_is_gone_is_unhealthy(pool: Pool) -> None:
    await pool.close()
    assert (await probe(pool)).status is Status.UNHEALTHY


async def test_a_question_that_fails_makes_it_degraded(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LAG", b"SELECT 1/0 AS lag")
    assert (await probe(pool)).status is Status.DEGRADED
    monkeypatch.setattr(health, "_LAG", b"SELECT pg_terminate_backend(pg_backend_pid())")
    assert (await probe(pool)).status is Status.UNHEALTHY


@pytest.mark.parametrize(("lag", "status"), [("5", Status.HEALTHY), ("5.1", Status.DEGRADED)])
async def test_a_replica_that_is_behind(pool: Pool, monkeypatch: pytest.MonkeyPatch, lag: str, status: Status) -> None:
    monkeypatch.setattr(health, "_LAG", f"SELECT {lag}::float8 AS lag".encode())
    assert (await probe(pool)).status is status
