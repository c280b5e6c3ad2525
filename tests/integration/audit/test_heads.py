# SPDX-License-Identifier: Apache-2.0
"""Signing where the chains end: when something moved, in one series for all replicas, published without a gap (S30)."""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.audit.examine import examine_database, read_heads
from dictamesh.runtime.audit.heads import HeadSigner, lost_heads
from dictamesh.runtime.audit.heads_file import HeadsFile
from dictamesh.runtime.audit.keys import known_keys, signer_from
from dictamesh.runtime.audit.log import write_rows
from dictamesh.runtime.audit.reading import Span
from dictamesh.runtime.audit.statements import Restored, SignedHead
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.governance.audit import AuditRow
from tests.support.audit_log import MESH, SIGNER

KEYS = known_keys([SIGNER.pem.encode()])


def row(product: str = "customers") -> AuditRow:
    return AuditRow("desk", product, "Customer", "plan")


def content(head: SignedHead | None) -> dict[str, Any]:
    assert head is not None
    return json.loads(head.statement)


def signer(pool: Pool, path: Path, *elsewhere: HeadsFile) -> HeadSigner:
    return HeadSigner(pool, MESH, SIGNER, HeadsFile(path), elsewhere)


async def test_a_statement_lists_what_moved(catalog: Pool, tmp_path: Path) -> None:
    heads = signer(catalog, tmp_path / "heads.jsonl")
    first = content(await heads.sign())
    assert (first["number"], first["complete"], first["chains"]) == (1, True, [])
    assert await heads.sign() is None, "nothing moved"
    await write_rows(catalog, [row(), row(), row("invoices")])
    second = content(await heads.sign())
    assert [(each["product"], each["sequence"], each["rows"]) for each in second["chains"]] == [
        ("customers", 2, 2),
        ("invoices", 1, 1),
    ]
    assert not second["complete"]
    await write_rows(catalog, [row("invoices")])
    assert [each["product"] for each in content(await heads.sign())["chains"]] == ["invoices"]
    again = content(await signer(catalog, tmp_path / "heads.jsonl").sign())
    assert (again["complete"], [each["product"] for each in again["chains"]]) == (True, ["customers", "invoices"])


async def test_the_first_statement_of_a_day_lists_everything(catalog: Pool, tmp_path: Path) -> None:
    heads = signer(catalog, tmp_path / "heads.jsonl")
    await write_rows(catalog, [row(), row("invoices")])
    await heads.sign()
    heads._day = "2020-01-01"
    assert (content(await heads.sign())["complete"], heads._day > "2020") == (True, True)
    assert await heads.sign() is None


async def test_on_a_day_without_a_statement_none_is_missing(catalog: Pool, tmp_path: Path) -> None:
    heads = signer(catalog, tmp_path / "heads.jsonl")
    await write_rows(catalog, [row()])
    await heads.sign()
    published = read_heads(tmp_path / "heads.jsonl")
    for since in (date(2020, 1, 1), date(2120, 1, 1)):
        assert (await examine_database(catalog, MESH, KEYS, published, Span(since))).intact
    async with catalog.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("ALTER TABLE dictamesh_audit_heads DISABLE TRIGGER ALL")
        await connection.execute("DELETE FROM dictamesh_audit_heads")
    for since in (date(2020, 1, 1), date(2120, 1, 1)):
        report = await examine_database(catalog, MESH, KEYS, published, Span(since))
        assert [each.fault for each in report.findings] == ["head-missing"]


async def test_replicas_make_one_series(catalog: Pool, dsn: str, tmp_path: Path) -> None:
    pools = [await open_pool(dsn, PoolSettings(max_size=2, idle=1)) for _ in range(3)]
    replicas = [signer(pool, tmp_path / f"heads-{number}.jsonl") for number, pool in enumerate(pools)]

    async def working(replica: HeadSigner) -> None:
        for _ in range(5):
            await write_rows(replica.pool, [row()])
            await replica.sign()

    await asyncio.gather(*(working(replica) for replica in replicas))
    for replica in replicas:
        await replica.sign()
    for replica in replicas:
        await replica.record.publish(replica.pool, MESH)
    found = [read_heads(replica.record.path) for replica in replicas]
    assert [head.number for head in found[0]] == list(range(1, len(found[0]) + 1))
    assert found[0] == found[1] == found[2]
    report = await examine_database(catalog, MESH, KEYS, found[0])
    assert (report.intact, report.rows, report.unsigned) == (True, 15, 0)
    for pool in pools:
        await pool.close()


async def test_what_could_not_be_published_is_published_later(catalog: Pool, tmp_path: Path) -> None:
    told: list[int] = []
    blocked = tmp_path / "elsewhere"
    blocked.touch()
    heads = signer(catalog, tmp_path / "heads.jsonl", HeadsFile(blocked / "heads.jsonl"))
    heads.unpublished = lambda: told.append(1)
    for _ in range(3):
        await write_rows(catalog, [row()])
        await heads.sign()
        await heads.publish()
    assert len(told) == 3
    assert len(read_heads(tmp_path / "heads.jsonl")) == 3
    blocked.unlink()
    await heads.publish()
    assert read_heads(blocked / "heads.jsonl") == read_heads(tmp_path / "heads.jsonl")


async def test_meshes_share_a_file_and_do_not_disturb_each_other(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    other = HeadSigner(catalog, "other", signer_from(b"the key of another mesh, long enough"), HeadsFile(path))
    own = signer(catalog, path)
    for heads in (other, own, own, other, own):
        await write_rows(catalog, [row()])
        await heads.sign()
    found = [(json.loads(head.statement)["mesh"], head.number) for head in read_heads(path)]
    assert found == [("other", 1), (MESH, 1), (MESH, 2), ("other", 2), (MESH, 3)]
    report = await examine_database(catalog, MESH, KEYS, read_heads(path))
    assert (report.intact, report.heads) == (True, 3)


async def test_two_that_publish_at_once_write_nothing_twice(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    for _ in range(20):
        await write_rows(catalog, [row()])
        await signer(catalog, tmp_path / "first.jsonl").sign()
    await asyncio.gather(*(HeadsFile(path).publish(catalog, MESH) for _ in range(4)))
    assert [head.number for head in read_heads(path)] == list(range(1, 21))


async def test_a_torn_last_line_is_written_again(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    heads = signer(catalog, path)
    await heads.sign()
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    await write_rows(catalog, [row()])
    await heads.sign()
    assert [head.number for head in read_heads(path)] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o644


async def test_heads_are_append_only(catalog: Pool, tmp_path: Path) -> None:
    await signer(catalog, tmp_path / "heads.jsonl").sign()
    for statement in (b"UPDATE dictamesh_audit_heads SET number = 2", b"DELETE FROM dictamesh_audit_heads"):
        with pytest.raises(CatalogUnavailable, match="42501"):
            await catalog.execute(statement, ())


async def restored(catalog: Pool, path: Path) -> HeadSigner:
    """A database that is older than its published heads: three statements and two rows are lost."""
    heads = signer(catalog, path)
    await write_rows(catalog, [row(), row()])
    await heads.sign()
    for table in ("dictamesh_audit_logs", "dictamesh_audit_heads", "dictamesh_audit_chains"):
        await catalog.execute(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}".encode(), ())
    for _ in range(2):
        await write_rows(catalog, [row(), row("invoices")])
        await heads.sign()
    columns = {
        "dictamesh_audit_logs": "product, day, sequence, previous_hash, hash, id, occurred_at, recorded_at, principal,"
        " purpose, operation, entity_type, fields, denied_fields, success, error_code, subject_tokens, subject_count,"
        " occurrences, plan_hash, trace_id, duration_ms",
        "dictamesh_audit_heads": "mesh, number, signed_at, statement, key_id, signature",
        "dictamesh_audit_chains": "product, day, sequence, row_count, hash",
    }
    async with catalog.transaction() as connection:
        for table, names in columns.items():
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
            await connection.execute(f"DELETE FROM {table}".encode())
            await connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM backup_{table}".encode())
            if table != "dictamesh_audit_chains":
                enable = f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER trg_{table}_append_only"
                await connection.execute(enable.encode())
    return signer(catalog, path)


async def test_a_restored_database_goes_on_behind_what_was_published(
    catalog: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "heads.jsonl"
    heads = await restored(catalog, path)
    await write_rows(catalog, [row()])
    with caplog.at_level("ERROR", "dictamesh.audit"):
        assert content(await heads.sign())["number"] == 4
        await write_rows(catalog, [row()])
        assert content(await heads.sign())["number"] == 5
    assert [record.getMessage() for record in caplog.records] == [
        "the database lacks audit heads that were published: it was restored from a backup, or cut off"
    ]
    report = await examine_database(catalog, MESH, KEYS, read_heads(path))
    assert {finding.fault for finding in report.findings} >= {"head-missing", "missing"}


async def test_a_restore_can_be_accepted_and_stays_noted(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    heads = await restored(catalog, path)
    await write_rows(catalog, [row()])  # at a place that a lost statement signs otherwise
    await heads.sign()
    assert await lost_heads(catalog, MESH, read_heads(path)) == [2, 3]
    assert not (await examine_database(catalog, MESH, KEYS, read_heads(path))).intact
    await heads.sign(Restored(2, 3, "kim", "disk failure"))
    assert await lost_heads(catalog, MESH, read_heads(path)) == []
    await write_rows(catalog, [row("invoices")])
    await heads.sign()
    report = await examine_database(catalog, MESH, KEYS, read_heads(path))
    assert report.findings == ()
    assert report.notes == (
        "statement 5, by kim: the database was restored, what statements 2 to 3 sign is lost (disk failure)",
    )
    async with catalog.transaction() as connection:
        await connection.execute(b"ALTER TABLE dictamesh_audit_logs DISABLE TRIGGER ALL")
        await connection.execute(b"DELETE FROM dictamesh_audit_logs WHERE product = 'customers' AND sequence = 2")
        await connection.execute(b"ALTER TABLE dictamesh_audit_logs ENABLE TRIGGER ALL")
    first = (await examine_database(catalog, MESH, KEYS, read_heads(path))).first
    assert first is not None
    assert (first.fault, first.product, first.sequence) == ("missing", "customers", 2)


async def test_nobody_without_the_key_accepts_a_loss(catalog: Pool, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    await restored(catalog, path)
    attacker = HeadSigner(catalog, MESH, signer_from(b"a key of the attacker's own, long enough"), HeadsFile(path))
    await attacker.sign(Restored(2, 3, "kim", "disk failure"))
    report = await examine_database(catalog, MESH, KEYS, read_heads(path))
    assert {"head-unknown-key", "head-missing", "missing"} <= {finding.fault for finding in report.findings}
