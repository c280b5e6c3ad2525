# SPDX-License-Identifier: Apache-2.0
"""One owner for each entity and way: taken over when it dies, never two at once, patient with sources that fail."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture import sync
from dictamesh.runtime.capture.contract import CaptureLost, Recorded, Recorder, StateId
from dictamesh.runtime.capture.hashing import key_name
from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.running import Captures, Making
from dictamesh.runtime.capture.snapshot import snapshot
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.lines import close_lines, lines_of, open_lines
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.observe.logs import LogFormat, SafeFormatter
from dictamesh.runtime.resilience import Listeners
from tests.integration.capture.conftest import KEY, MESH, Mesh, plan_of, until

SNAPSHOT = "{snapshot: {every: 0.1s, page: 10, pause: 0s}}"
FAST = {"mesh.yaml": MESH + "events: {lease: 0.2s}\n"}


class Heard:
    """What capture told of itself."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.owned: set[StateId] = set()
        self.batches = 0

    def captured(self, state: StateId, recorded: Recorded) -> None:
        self.batches += 1

    def capture_failed(self, state: StateId, reason: str) -> None:
        self.failures.append(reason)

    def owning(self, state: StateId, *, owned: bool) -> None:
        (self.owned.add if owned else self.owned.discard)(state)


@contextlib.asynccontextmanager
async def replica(mesh: Mesh, heard: Heard, owner: str, **makers: Any) -> AsyncIterator[Captures]:
    def recorder(plan: Plan, entity: EntityPlan, epoch: int) -> Recorder:
        mesh.plan = plan
        return mesh.recorder().owned_by(epoch)

    known: Any = {"poll": poll, "snapshot": snapshot, **makers}
    captures = Captures(mesh.pool, known, recorder, key_name(KEY), heard, owner)
    lines = await open_lines(mesh.plan, Resolver(mesh.folder, {"PEPPER": "pepper"}), Listeners())
    await captures.use(mesh.plan, lines_of(lines))
    mesh.lines = lines_of(lines)
    task = asyncio.create_task(captures.run())
    try:
        yield captures
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await close_lines(lines.values())


def insert(mesh: Mesh, id_: str) -> None:
    mesh.sql(f"INSERT INTO customers VALUES ('{id_}', 'ana', 1, NULL, '2025-01-01T00:00:00')")


async def count(mesh: Mesh, at_least: int) -> Any:
    async def enough() -> Any:
        found = await mesh.told()
        return found if len(found) >= at_least else None

    return await until(enough)


async def test_one_replica_captures_and_another_takes_over(mesh: Mesh) -> None:
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    one, two = Heard(), Heard()
    insert(mesh, "c1")
    async with replica(mesh, two, "two") as waiting:
        async with replica(mesh, one, "one"):
            await count(mesh, 1)
            assert len(one.owned) + len(two.owned) == 1
        insert(mesh, "c2")
        assert len(await count(mesh, 2)) == 2
        assert two.owned
        assert (await states.stands(mesh.pool, "acme"))[0].status == "running"
        assert waiting.owner == "two"


async def test_a_source_that_fails_is_asked_again_and_told_of(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    mesh.sql("ALTER TABLE customers RENAME TO gone")
    heard = Heard()
    async with replica(mesh, heard, "one"):

        async def failed() -> Any:
            return heard.failures and (await states.stands(mesh.pool, "acme"))[0].status == "failed"

        await until(failed)
        assert set(heard.failures) == {"source"}
        assert (await states.stands(mesh.pool, "acme"))[0].error == "SOURCE_UNAVAILABLE"
        lines = [SafeFormatter("a", LogFormat.TEXT).format(each) for each in caplog.records]
        assert [each for each in lines if "capture broke off" in each and "SOURCE_UNAVAILABLE" in each]
        mesh.sql("ALTER TABLE gone RENAME TO customers")
        insert(mesh, "c1")
        await count(mesh, 1)
        assert (await states.stands(mesh.pool, "acme"))[0].status == "running"


async def test_capture_and_callers_do_not_stand_in_each_others_way(mesh: Mesh) -> None:
    """Not even callers who hold every slot of a server keep its changes back, nor do its failures count for them."""
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    heard, done = Heard(), asyncio.Event()
    async with replica(mesh, heard, "one") as captures:
        line = mesh.lines["crm"]
        slots = line.guard.settings.bulkhead.max_concurrent

        async def holding() -> bool:
            return line.guard.running == slots

        callers = [asyncio.create_task(line.guard.call(done.wait)) for _ in range(slots)]
        await until(holding)
        insert(mesh, "c1")
        await count(mesh, 1)
        mesh.sql("ALTER TABLE customers RENAME TO gone")

        async def failed() -> bool:
            return bool(heard.failures)

        await until(failed)
        await captures.use(mesh.plan, mesh.lines)  # what a reload leaves alone runs on, with what it waits for
        assert len(heard.owned) == 1
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        assert line.guard.state == "closed"


async def test_what_is_lost_waits_for_a_person(mesh: Mesh) -> None:
    class Losing:
        def __init__(self, making: Making) -> None:
            self.state = making.state

        async def run(self) -> None:
            raise CaptureLost("the slot is gone", "reset it")

    mesh.plan = plan_of(SNAPSHOT, **FAST)
    heard = Heard()
    async with replica(mesh, heard, "one", snapshot=Losing):

        async def lost() -> Any:
            return heard.failures == ["lost", "lost"]

        await until(lost)
        stand = (await states.stands(mesh.pool, "acme"))[0]
        assert (stand.status, stand.error) == ("lost", "the slot is gone; reset it")
    insert(mesh, "c1")
    await states.reset(mesh.pool, "acme")
    async with replica(mesh, heard, "one"):
        await count(mesh, 1)


async def test_a_reload_keeps_the_state_over_a_mapping_and_begins_anew_over_a_cursor(mesh: Mesh) -> None:
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    insert(mesh, "c1")
    async with replica(mesh, Heard(), "one") as captures:
        await count(mesh, 1)
        lines = await open_lines(mesh.plan, Resolver(mesh.folder, {"PEPPER": "pepper"}), Listeners())
        again = plan_of(SNAPSHOT.replace("10", "11"), **FAST)
        await captures.use(again, lines_of(lines))
        insert(mesh, "c2")
        assert await count(mesh, 2) == [("c1", "1", "CREATED"), ("c2", "1", "CREATED")]
        polled = plan_of("{poll: {every: 0.1s, cursor: updated_at, page: 10, pause: 0s}}", **FAST)
        await captures.use(polled, lines_of(lines))
        insert(mesh, "c3")
        assert len(await count(mesh, 3)) == 3
        found = {each.kind: each.status for each in await states.stands(mesh.pool, "acme")}
        assert found == {"poll": "running", "snapshot": "paused"}
        await close_lines(lines.values())


async def test_when_every_connection_is_cut_capture_goes_on(mesh: Mesh) -> None:
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    insert(mesh, "c0")
    async with replica(mesh, Heard(), "one"):
        for number in range(1, 4):
            await count(mesh, number)
            with contextlib.suppress(CatalogUnavailable):
                await mesh.pool.rows(
                    b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    b" WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            insert(mesh, f"c{number}")
        await count(mesh, 4)
        assert (await mesh.told()) == [(f"c{number}", "1", "CREATED") for number in range(4)]


RUNTIME = """
import asyncio, sys
from pathlib import Path
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from tests.integration.capture.conftest import Mesh, plan_of
from tests.integration.capture.test_captures import FAST, SNAPSHOT, Heard, replica

async def main():
    pool = await open_pool(sys.argv[1], PoolSettings(max_size=3, idle=1))
    mesh = Mesh(pool, Path(sys.argv[2]), plan_of(SNAPSHOT, **FAST))
    async with replica(mesh, Heard(), sys.argv[3]):
        await asyncio.sleep(300)

asyncio.run(main())
"""


def start(dsn: str, folder: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUNTIME, dsn, str(folder), name]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL)


async def owner(mesh: Mesh) -> str | None:
    found = await states.stands(mesh.pool, "acme")
    return found[0].owner if found else None


async def test_owners_that_are_killed_are_replaced_and_no_two_write_at_once(mesh: Mesh, dsn: str) -> None:
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    insert(mesh, "c0")
    replicas = {name: start(dsn, mesh.folder, name) for name in ("a", "b", "c")}
    try:
        await count(mesh, 1)
        for kills in range(1, 3):
            name = str(await owner(mesh))
            os.kill(replicas[name].pid, signal.SIGKILL)
            replicas[name].wait()
            insert(mesh, f"c{kills}")
            await count(mesh, kills + 1)
            assert await owner(mesh) != name
    finally:
        for each in replicas.values():
            each.kill()
            each.wait()
    rows = await mesh.pool.rows(
        b"SELECT (split_part(event_payload->'metadata'->>'capture', '/', 2))::int AS epoch"
        b" FROM dictamesh_event_log ORDER BY ingested_at"
    )
    epochs = [each["epoch"] for each in rows]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 3
    assert await mesh.told() == [(f"c{n}", "1", "CREATED") for n in range(3)]


async def test_a_pass_that_is_asked_for_begins_at_once_and_loses_no_version(mesh: Mesh) -> None:
    """Passes lie an hour apart; one row is removed and one changed: the pass tells of both, and of nothing else."""
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 10, pause: 0s}}", **FAST)
    heard = Heard()
    for number in range(30):
        insert(mesh, f"c{number}")
    async with replica(mesh, heard, "one"):
        await count(mesh, 30)
        (stand,) = await states.stands(mesh.pool, "acme")
        mesh.sql("DELETE FROM customers WHERE id = 'c7'")
        mesh.sql("UPDATE customers SET name = 'eva' WHERE id = 'c8'")
        asked = await sync.ask(mesh.pool, "acme", [stand.entity])
        assert [each.state.entity for each in asked] == [stand.entity]
        assert await sync.is_captured(mesh.pool, asked[0].state)

        async def done() -> Any:
            (found,) = await sync.progress(mesh.pool, asked)
            return found if found.progress == "done" else None

        found = await until(done)
        assert found.events == {"DELETED": 1, "UPDATED": 1}
        assert (found.live, found.deleted, found.bad) == (29, 1, 0)
        again = await sync.ask(mesh.pool, "acme", [stand.entity])

        async def unchanged() -> Any:
            (later,) = await sync.progress(mesh.pool, again)
            return later if later.progress == "done" else None

        assert (await until(unchanged)).events == {}
        assert len(await mesh.told()) == 32
        assert heard.failures.count("ousted") <= 2
    assert not await sync.is_captured(mesh.pool, asked[0].state)


async def test_a_pass_that_is_asked_for_of_a_source_that_fails_is_told(mesh: Mesh) -> None:
    mesh.plan = plan_of("{snapshot: {every: 1h, page: 10, pause: 0s}}", **FAST)
    insert(mesh, "c1")
    async with replica(mesh, Heard(), "one"):
        await count(mesh, 1)
        mesh.sql("ALTER TABLE customers RENAME TO gone")
        (stand,) = await states.stands(mesh.pool, "acme")
        asked = await sync.ask(mesh.pool, "acme", [stand.entity])

        async def failed() -> Any:
            (found,) = await sync.progress(mesh.pool, asked)
            return found if found.progress == "failed" else None

        assert (await until(failed)).error == "SOURCE_UNAVAILABLE"
        mesh.sql("ALTER TABLE gone RENAME TO customers")


async def test_nothing_is_asked_of_what_waits_for_a_person_or_was_never_captured(mesh: Mesh) -> None:
    assert await sync.ask(mesh.pool, "acme", ["crm#Customer"]) == []
    mesh.plan = plan_of(SNAPSHOT, **FAST)
    insert(mesh, "c1")
    async with replica(mesh, Heard(), "one"):
        await count(mesh, 1)
    (stand,) = await states.stands(mesh.pool, "acme")
    await mesh.pool.execute(b"UPDATE dictamesh_capture_state SET status = 'lost'", {})
    assert await sync.ask(mesh.pool, "acme", [stand.entity]) == []
