# SPDX-License-Identifier: Apache-2.0
"""Every kind of tampering with the log is found, and the first bad row named; what cannot be found is said, too."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from dictamesh.runtime.audit.examine import examine_database, read_heads
from dictamesh.runtime.audit.findings import Report
from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from tests.support.audit_log import MESH, SIGNER, Written, store, written
from tests.support.postgres import fresh_database
from tests.support.tampering import TAMPERINGS, UNSEEN, Tampering

KEYS = known_keys([SIGNER.pem.encode()])
LOG = written()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def template(embedded_dsn: str) -> AsyncIterator[str]:
    """Conninfo of a database that holds the log; nobody is connected to it."""
    with fresh_database(embedded_dsn) as dsn:
        pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
        await up(pool)
        await store(pool, LOG)
        await pool.close()
        yield dsn


@contextlib.contextmanager
def copy_of(dsn: str) -> Iterator[str]:
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    copy = f"t{secrets.token_hex(6)}"
    admin = psycopg.connect(psycopg.conninfo.make_conninfo(dsn, dbname="postgres"), autocommit=True)
    with admin:
        admin.execute(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY file_copy".encode())
        try:
            yield psycopg.conninfo.make_conninfo(dsn, dbname=copy)
        finally:
            admin.execute(f"DROP DATABASE {copy} WITH (FORCE)".encode())


async def examined(dsn: str, path: Path) -> Report:
    pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
    try:
        return await examine_database(pool, MESH, KEYS, read_heads(path))
    finally:
        await pool.close()


async def tampered(template: str, path: Path, tampering: Tampering) -> Report:
    path.write_bytes(b"".join(head.line() for head in LOG.heads))
    with copy_of(template) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for table in ("dictamesh_audit_logs", "dictamesh_audit_heads"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
            tampering.attack(connection, LOG, path)
        return await examined(dsn, path)


async def test_a_log_that_nobody_touched_is_intact(template: str, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    path.write_bytes(b"".join(head.line() for head in LOG.heads))
    report = await examined(template, path)
    assert (report.intact, report.findings, report.notes) == (True, (), ())
    assert (report.rows, report.chains, report.heads, report.unsigned) == (29, 6, 6, 2)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.name)
async def test_tampering_is_found(template: str, tmp_path: Path, tampering: Tampering) -> None:
    report = await tampered(template, tmp_path / "heads.jsonl", tampering)
    first = report.first
    assert first is not None, "not found"
    assert first.fault == tampering.fault, report.findings
    if tampering.first is not None:
        assert (first.product, first.day, first.sequence) == tampering.first, report.findings
    else:
        assert first.head == tampering.head, report.findings
    assert first.as_json()["told"]
    assert sorted(report.notes) == [
        "the append-only trigger of dictamesh_audit_heads is off",
        "the append-only trigger of dictamesh_audit_logs is off",
    ]


@pytest.mark.parametrize("tampering", UNSEEN, ids=lambda each: each.name)
async def test_what_cannot_be_found(template: str, tmp_path: Path, tampering: Tampering) -> None:
    """Rows behind the last head prove nothing yet, and heads that are kept nowhere else prove nothing any more."""
    report = await tampered(template, tmp_path / "heads.jsonl", tampering)
    assert report.intact


async def test_a_copy_elsewhere_sees_what_the_database_and_the_host_hide(template: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(b"".join(head.line() for head in LOG.heads))
    path, hidden = tmp_path / "heads.jsonl", UNSEEN[2]
    path.write_bytes(elsewhere.read_bytes())
    with copy_of(template) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for table in ("dictamesh_audit_logs", "dictamesh_audit_heads"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
            hidden.attack(connection, LOG, path)
        assert (await examined(dsn, path)).intact
        first = (await examined(dsn, elsewhere)).first
    assert first is not None
    assert (first.product, first.day, first.sequence, first.fault) == ("customers", "2026-01-13", 1, "missing")


def test_there_are_more_than_fifty() -> None:
    assert len({each.name for each in TAMPERINGS}) == len(TAMPERINGS) > 50
    assert isinstance(LOG, Written)
