# SPDX-License-Identifier: Apache-2.0
"""A table under random writers, captured by ways that are stopped at random: its events replayed give the table."""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from typing import Any

import pytest

from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.snapshot import snapshot
from tests.integration.capture.conftest import Mesh, plan_of

POLL = "{poll: {every: 0.02s, cursor: updated_at, deletes: 0.1s, page: 7, pause: 0s}}"
SNAPSHOT = "{snapshot: {every: 0.02s, page: 7, pause: 0s}}"
STEPS = 300


class Whole:
    """Tells every value."""

    def of(self, entity: Any, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return row


def write(mesh: Mesh, draw: random.Random, step: int) -> None:
    key = f"c{draw.randrange(40)}"
    at = f"2025-01-01T{step // 60:02}:{step % 60:02}:00"
    match draw.randrange(4):
        case 0:
            mesh.sql(f"DELETE FROM customers WHERE id = '{key}'")
        case 1:  # another key for the row
            mesh.sql(
                f"DELETE FROM customers WHERE id = 'n{key}'",
                f"UPDATE customers SET id = 'n{key}', updated_at = '{at}' WHERE id = '{key}'",
            )
        case _:
            name = draw.choice(["ana", "bo", "cy"])
            mesh.sql(
                f"DELETE FROM customers WHERE id = '{key}'",
                f"INSERT INTO customers VALUES ('{key}', '{name}', {draw.randrange(3)}, NULL, '{at}')",
            )


async def replayed(mesh: Mesh) -> dict[str, tuple[Any, Any]]:
    table: dict[str, tuple[Any, Any]] = {}
    versions: dict[str, int] = {}
    for event in await mesh.events():
        version = int(event.envelope["entity"]["version"])
        assert version == versions.get(event.entity_id, 0) + 1
        versions[event.entity_id] = version
        payload = event.envelope["payload"]
        if payload is None:
            del table[event.entity_id]
        else:
            table[event.entity_id] = (payload["name"], payload["age"])
    return table


def source(mesh: Mesh) -> dict[str, tuple[Any, Any]]:
    return {key: (name, age) for key, name, age in mesh.rows("SELECT id, name, age FROM customers")}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("changes", [POLL, SNAPSHOT], ids=["poll", "snapshot"])
async def test_events_replayed_give_the_table(mesh: Mesh, changes: str, seed: int) -> None:
    draw = random.Random(seed)
    mesh.plan = plan_of(changes)
    make = poll if mesh.state.kind == "poll" else snapshot
    running: asyncio.Task[None] | None = None
    async with mesh.making(mesh.recorder(Whole())) as making:
        for step in range(STEPS):
            write(mesh, draw, step)
            if running is None or draw.random() < 0.05:
                await stopped(running)
                running = asyncio.create_task(make(making).run())
            await asyncio.sleep(0.002)

        async def same() -> bool:
            assert running is not None
            assert not running.done(), running.exception()
            return await replayed(mesh) == source(mesh)

        try:
            async with asyncio.timeout(30):
                while not await same():
                    await asyncio.sleep(0.05)
        finally:
            await stopped(running)
    assert await replayed(mesh) == source(mesh)


async def stopped(running: asyncio.Task[None] | None) -> None:
    if running is not None:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
