# SPDX-License-Identifier: Apache-2.0
"""Polls and snapshots over real sources: what changed arrives, what did not is silent, deletes are noticed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture.contract import Way
from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.snapshot import snapshot
from tests.integration.capture.conftest import Mesh, plan_of, until

POLL = "{poll: {every: 0.05s, cursor: updated_at, deletes: 0.3s, page: 2, pause: 0s}}"
SNAPSHOT = "{snapshot: {every: 0.1s, page: 2, pause: 0s}}"


@contextlib.asynccontextmanager
async def running(mesh: Mesh) -> AsyncIterator[Way]:
    async with mesh.making(mesh.recorder()) as making:
        way = (poll if mesh.state.kind == "poll" else snapshot)(making)
        task = asyncio.create_task(way.run())
        try:
            yield way
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def insert(mesh: Mesh, id_: str, name: str = "ana", at: str = "2025-01-01T00:00:00") -> None:
    mesh.sql(f"INSERT INTO customers VALUES ('{id_}', '{name}', 1, NULL, '{at}')")


async def events(mesh: Mesh, count: int) -> list[tuple[str, str, str]]:
    async def enough() -> Any:
        found = await mesh.told()
        return found if len(found) >= count else None

    await until(enough)
    await asyncio.sleep(0.3)
    return await mesh.told()


@pytest.mark.parametrize("changes", [POLL, SNAPSHOT], ids=["poll", "snapshot"])
async def test_changes_arrive_and_what_did_not_change_is_silent(mesh: Mesh, changes: str) -> None:
    mesh.plan = plan_of(changes)
    for number in range(7):
        insert(mesh, f"c{number}")
    async with running(mesh):
        assert await events(mesh, 7) == [(f"c{n}", "1", "CREATED") for n in range(7)]
        insert(mesh, "c9", at="2025-01-02T00:00:00")
        mesh.sql("UPDATE customers SET name = 'bo', updated_at = '2025-01-03T00:00:00' WHERE id = 'c3'")
        mesh.sql("DELETE FROM customers WHERE id IN ('c0', 'c6')")
        found = await events(mesh, 11)
        assert found[7 - 7 :] == sorted(
            [(f"c{n}", "1", "CREATED") for n in (0, 1, 2, 3, 4, 5, 6, 9)]
            + [("c3", "2", "UPDATED"), ("c0", "2", "DELETED"), ("c6", "2", "DELETED")]
        )


@pytest.mark.parametrize("changes", [POLL, SNAPSHOT], ids=["poll", "snapshot"])
async def test_a_restart_goes_on_where_it_was(mesh: Mesh, changes: str) -> None:
    mesh.plan = plan_of(changes)
    insert(mesh, "c1")
    async with running(mesh):
        await events(mesh, 1)
    insert(mesh, "c2", at="2025-01-02T00:00:00")
    mesh.sql("DELETE FROM customers WHERE id = 'c1'")
    async with running(mesh):
        assert await events(mesh, 3) == [("c1", "1", "CREATED"), ("c1", "2", "DELETED"), ("c2", "1", "CREATED")]


async def test_a_pass_that_was_broken_off_goes_on_behind_its_last_key(mesh: Mesh) -> None:
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 2, pause: 60s}}")
    for number in range(5):
        insert(mesh, f"c{number}")
    async with running(mesh):
        assert len(await events(mesh, 2)) == 2
    position = await mesh.recorder().position(mesh.state)
    assert position is not None
    assert position["pass"]["after"] == ["c1"]
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 2, pause: 0s}}")
    async with running(mesh):
        assert len(await events(mesh, 5)) == 5
    after = await mesh.recorder().position(mesh.state)
    assert after is not None
    assert set(after) == {"at"}


async def test_rows_that_share_the_cursor_at_its_boundary_are_not_missed(mesh: Mesh) -> None:
    mesh.plan = plan_of(POLL)
    insert(mesh, "c5")
    async with running(mesh):
        await events(mesh, 1)
        for number in range(9):  # more than a page of them, before and after the known one by key
            insert(mesh, f"d{number}")
            insert(mesh, f"a{number}")
        assert len(await events(mesh, 19)) == 19


async def test_a_late_commit_is_found_within_the_look_back(mesh: Mesh) -> None:
    mesh.plan = plan_of("{poll: {every: 0.05s, cursor: updated_at, deletes: null, lookBack: 60s, page: 2, pause: 0s}}")
    insert(mesh, "c1", at="2025-01-01T00:10:00")
    async with running(mesh):
        await events(mesh, 1)
        insert(mesh, "late", at="2025-01-01T00:09:30")
        insert(mesh, "older", at="2025-01-01T00:08:00")
        assert await events(mesh, 2) == [("c1", "1", "CREATED"), ("late", "1", "CREATED")]


async def test_rows_without_a_cursor_are_found_when_keys_are_compared(mesh: Mesh) -> None:
    mesh.plan = plan_of(POLL)
    insert(mesh, "c1")
    async with running(mesh):
        await events(mesh, 1)
        mesh.sql("INSERT INTO customers VALUES ('c2', 'bo', 1, NULL, NULL)")
        assert await events(mesh, 2) == [("c1", "1", "CREATED"), ("c2", "1", "CREATED")]


async def test_an_event_of_a_poll_happened_when_its_cursor_says(mesh: Mesh) -> None:
    mesh.plan = plan_of(POLL)
    insert(mesh, "c1")
    async with running(mesh):
        await events(mesh, 1)
    assert (await mesh.events())[0].timestamp.isoformat() == "2025-01-01T00:00:00+00:00"


async def test_a_row_from_the_future_hides_nothing_that_comes_before_it(mesh: Mesh) -> None:
    mesh.plan = plan_of("{poll: {every: 0.05s, cursor: updated_at, deletes: null, page: 2, pause: 0s}}")
    insert(mesh, "c1", at="9999-01-01T00:00:00")
    async with running(mesh):
        await events(mesh, 1)
        insert(mesh, "c2", at=(datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%f"))
        assert await events(mesh, 2) == [("c1", "1", "CREATED"), ("c2", "1", "CREATED")]


# So many that a pass stopped after any of its pages leaves more than half missing, or more than 100 for the next one.
KNOWN = 240
WITHOUT_DELETES = "{poll: {every: 0.05s, cursor: updated_at, deletes: null, page: 50, pause: 0s}}"


@pytest.mark.parametrize("changes", [POLL, SNAPSHOT, WITHOUT_DELETES], ids=["poll", "snapshot", "without deletes"])
async def test_an_emptied_source_is_believed_at_the_second_look(
    mesh: Mesh, changes: str, caplog: pytest.LogCaptureFixture
) -> None:
    mesh.plan = plan_of(changes.replace("page: 2", "page: 50"))
    for number in range(KNOWN):
        insert(mesh, f"c{number}")
    async with running(mesh):
        assert len(await events(mesh, KNOWN)) == KNOWN
    if changes == WITHOUT_DELETES:  # only a first pass finds that a record is gone
        await states.reset(mesh.pool, "acme")
    caplog.set_level(logging.WARNING, logger="dictamesh.capture")  # whatever a test before this one set
    mesh.sql("DELETE FROM customers WHERE id <> 'c7'")
    async with running(mesh):
        assert len(await events(mesh, 2 * KNOWN - 1)) == 2 * KNOWN - 1
        assert {each[0] for each in await mesh.told() if each[2] == "DELETED"} == {f"c{n}" for n in range(KNOWN)} - {
            "c7"
        }
        position = await mesh.recorder().position(mesh.state)
    assert position is not None
    assert "doubted" not in position
    assert caplog.text.count("a full pass did not find") == 1
