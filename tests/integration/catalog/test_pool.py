# SPDX-License-Identifier: Apache-2.0
"""The pool's limits reach the server, and nothing of the driver's leaves it (MC-14, S26)."""

import asyncio
import logging
import traceback

import pytest

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool


async def test_timeouts_are_set_on_every_connection(pool: Pool) -> None:
    statement = (
        b"SELECT current_setting('statement_timeout') s, current_setting('idle_in_transaction_session_timeout') i"
    )

    async def ask() -> dict[str, object]:
        return (await pool.rows(statement))[0]

    answers = await asyncio.gather(*(ask() for _ in range(10)))
    assert answers == [{"s": "30s", "i": "1min"}] * 10


async def test_statement_timeout_ends_a_statement(dsn: str) -> None:
    pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1, statement_timeout=0.05))
    try:
        with pytest.raises(CatalogUnavailable, match="57014"):
            await pool.rows(b"SELECT pg_sleep(20)")
        assert await pool.rows(b"SELECT 1 AS n") == [{"n": 1}]
    finally:
        await pool.close()


async def test_errors_carry_the_sqlstate_and_no_value(pool: Pool) -> None:
    value = "".join(["ana", "@", "example.com"])  # a traceback quotes this line
    with pytest.raises(CatalogUnavailable) as caught:
        await pool.rows(b"SELECT %(value)s::text::integer", {"value": value})
    assert caught.value.sqlstate == "22P02"
    shown = "".join(traceback.format_exception(caught.value))
    assert value not in shown


async def test_failed_transaction_is_rolled_back(pool: Pool) -> None:
    async def fail() -> None:
        async with pool.transaction() as connection:
            await connection.execute(b"CREATE TABLE t ()")
            await connection.execute(b"SELECT 1/0")

    with pytest.raises(CatalogUnavailable, match="22012"):
        await fail()
    assert await pool.rows(b"SELECT to_regclass('t') AS t") == [{"t": None}]


async def test_broken_connections_are_replaced(pool: Pool, dsn: str) -> None:
    other = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
    try:
        await pool.rows(b"SELECT 1 AS n")
        kill = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        await other.rows(kill + b"current_database()")
        assert await pool.rows(b"SELECT 1 AS n") == [{"n": 1}]
    finally:
        await other.close()


async def test_unreachable_server(caplog: pytest.LogCaptureFixture) -> None:
    dsn = "host=127.0.0.1 port=1 user=canary-user password=canary-4711 dbname=x"
    with caplog.at_level(logging.DEBUG), pytest.raises(CatalogUnavailable) as caught:
        await open_pool(dsn, PoolSettings(max_size=1, idle=1, acquire_timeout=0.3))
    assert "cannot be reached" in caught.value.message
    assert "canary" not in caplog.text + str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("no conninfo", "neither"),
        ("host=x port=0", "port"),
        ("host=x port=65536", "port"),
        ("postgresql://u:canary@h:70000/d", "port"),
        ("host=x port=abc", "port"),
        ("port=5432 nonsense=canary", "neither"),
    ],
)
async def test_bad_dsn_is_refused_without_being_repeated(dsn: str, message: str) -> None:
    with pytest.raises(CatalogUnavailable, match=message) as caught:
        await open_pool(dsn)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"max_size": 0}, {"idle": 26}, {"idle": -1}, {"lifetime": 0}, {"statement_timeout": -1.0}, {"idle_time": 1e9}],
)
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"catalog.pool.{next(iter(settings))}"):
        PoolSettings(**settings)


def test_defaults_are_those_of_the_requirement() -> None:
    settings = PoolSettings()
    assert (settings.max_size, settings.idle, settings.lifetime, settings.idle_time) == (25, 10, 1800, 600)
    assert (settings.statement_timeout, settings.idle_in_transaction) == (30, 60)
