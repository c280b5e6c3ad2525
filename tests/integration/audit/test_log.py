# SPDX-License-Identifier: Apache-2.0
"""The audit log: after the commit, together, append-only, and refused when it cannot be written (S30, GV-5, GV-14)."""

import asyncio
import uuid

import pytest

from dictamesh.runtime.audit.log import AuditLog, open_audit, write_rows
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow, AuditSink, AuditUnavailable


def read(principal: str = "support-desk", **changes: object) -> AuditRow:
    values = {"purpose": "service", "fields": ("email", "name"), "subject_tokens": ("t1", "t2"), "subject_count": 2}
    return AuditRow(principal, "customers", "Customer", "plan-1", **{**values, **changes})


def denied(**changes: object) -> AuditRow:
    return AuditRow(None, "customers", "Customer", "plan-1", **{"denied_fields": ("email",), **changes})


async def rows(pool: Pool) -> list[dict[str, object]]:
    return await pool.rows(b"SELECT * FROM dictamesh_audit_logs ORDER BY recorded_at, id")


async def transactions(pool: Pool) -> int:
    return (await pool.rows(b"SELECT count(DISTINCT xmin::text) AS n FROM dictamesh_audit_logs"))[0]["n"]


async def test_row_is_there_when_record_returns(catalog: Pool) -> None:
    log: AuditSink = open_audit(catalog)
    row = read(trace_id="abc", duration_ms=1.5)
    await log.record([row])
    (stored,) = await rows(catalog)
    assert stored["id"] == row.id
    assert stored["occurred_at"] == row.occurred_at
    assert stored["fields"] == ["email", "name"]
    assert stored["subject_tokens"] == ["t1", "t2"]
    assert (stored["principal"], stored["purpose"], stored["operation"]) == ("support-desk", "service", "READ")
    assert (stored["pii_access"], stored["success"], stored["occurrences"]) == (True, True, 1)
    assert (stored["plan_hash"], stored["trace_id"], stored["duration_ms"]) == ("plan-1", "abc", 1.5)
    await log.close()


async def test_concurrent_operations_share_commits(catalog: Pool) -> None:
    log = open_audit(catalog)
    await asyncio.gather(*(log.record([read(), read()]) for _ in range(500)))
    assert len(await rows(catalog)) == 1000
    assert await transactions(catalog) <= 10
    await log.close()


async def test_more_operations_than_the_queue_holds_wait_their_turn(catalog: Pool) -> None:
    log = open_audit(catalog)
    await asyncio.gather(*(log.record([read()]) for _ in range(5000)))
    assert len(await rows(catalog)) == 5000
    await log.close()


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE dictamesh_audit_logs SET principal = 'x'",
        b"DELETE FROM dictamesh_audit_logs",
        b"DELETE FROM dictamesh_audit_logs WHERE false",
        b"TRUNCATE dictamesh_audit_logs",
        b"INSERT INTO dictamesh_audit_logs (id) VALUES (NULL) ON CONFLICT (id) DO UPDATE SET fields = '{}'",
        b"SET session_replication_role = replica; DELETE FROM dictamesh_audit_logs",
    ],
)
async def test_change_is_refused(catalog: Pool, statement: bytes) -> None:
    await write_rows(catalog, [read()])
    with pytest.raises(CatalogUnavailable, match="42501"):
        async with catalog.transaction() as connection:
            await connection.execute(statement)
    assert len(await rows(catalog)) == 1


async def test_same_row_twice_is_one_row(catalog: Pool) -> None:
    row = read()
    await write_rows(catalog, [row, read()])
    await write_rows(catalog, [row])
    assert len(await rows(catalog)) == 2


async def test_denials_of_anonymous_are_summed(catalog: Pool) -> None:
    log = open_audit(catalog)
    for field in ("email", "name", "email"):
        await log.record([denied(denied_fields=(field,), trace_id="t")])
    await log.record([denied(success=False, error_code="FORBIDDEN")])
    assert await rows(catalog) == [], "kept until the minute is over"
    await log.close()
    stored = {row["error_code"]: row for row in await rows(catalog)}
    assert stored[None]["occurrences"] == 3
    assert stored[None]["denied_fields"] == ["email", "name"]
    assert (stored["FORBIDDEN"]["occurrences"], stored["FORBIDDEN"]["success"]) == (1, False)


async def test_sums_are_written_each_interval(catalog: Pool) -> None:
    log = open_audit(catalog, flush_seconds=0.05)
    await log.record([denied()])
    while not await rows(catalog):
        await asyncio.sleep(0.01)
    await log.record([denied()])
    await log.close()
    assert [row["occurrences"] for row in await rows(catalog)] == [1, 1]


async def test_clear_read_of_anonymous_and_denial_of_a_principal_are_not_summed(catalog: Pool) -> None:
    log = open_audit(catalog)
    await log.record([denied(fields=("name",)), read(fields=(), denied_fields=("email",))])
    assert len(await rows(catalog)) == 2
    await log.close()


async def test_close_writes_what_waits_and_then_refuses(catalog: Pool) -> None:
    log = open_audit(catalog)
    waiting = [asyncio.create_task(log.record([read()])) for _ in range(50)]
    await asyncio.sleep(0)
    await log.close()
    await asyncio.gather(*waiting)
    assert len(await rows(catalog)) == 50
    await log.close()
    with pytest.raises(AuditUnavailable):
        await log.record([read()])


async def test_cancelled_operation_harms_nobody(catalog: Pool) -> None:
    log = open_audit(catalog)
    gone = asyncio.create_task(log.record([read()]))
    stays = asyncio.create_task(log.record([read()]))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
    await log.record([read()])
    await log.close()


async def test_unwritable_row_fails_alone(catalog: Pool) -> None:
    log = open_audit(catalog)
    outcomes = await asyncio.gather(
        *(log.record([read(principal)]) for principal in ("a", "b\0", "c")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), AuditUnavailable, type(None)]
    assert {row["principal"] for row in await rows(catalog)} == {"a", "c"}
    await log.close()


async def test_no_database_no_answer_and_sums_are_tried_again(catalog: Pool) -> None:
    log = open_audit(catalog, flush_seconds=0.05)
    await catalog.execute(b"ALTER TABLE dictamesh_audit_logs RENAME TO dictamesh_away", ())
    await log.record([denied()])
    with pytest.raises(AuditUnavailable):
        await log.record([read()])
    await asyncio.sleep(0.2)
    await log.record([denied()])
    await catalog.execute(b"ALTER TABLE dictamesh_away RENAME TO dictamesh_audit_logs", ())
    await log.record([read()])
    await log.close()
    stored = await rows(catalog)
    assert sum(row["occurrences"] for row in stored if row["principal"] is None) == 2
    assert len([row for row in stored if row["principal"] is not None]) == 1


async def test_closed_pool_is_no_audit(catalog: Pool) -> None:
    log = AuditLog(catalog)
    log.begin()
    await catalog.close()
    with pytest.raises(AuditUnavailable):
        await log.record([read()])
    await log.close()


def test_row_bounds() -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        read(subject_tokens=tuple(str(number) for number in range(1001)), subject_count=1001)
    with pytest.raises(ValueError, match="subject_count"):
        read(subject_count=1)
    assert read().id != read().id
    assert isinstance(read().id, uuid.UUID)
