# SPDX-License-Identifier: Apache-2.0
"""The end of a process (AR-8)."""

import asyncio

import pytest

from dictamesh.runtime.observe import Drain


async def test_waiting_ends_with_the_last_operation():
    counts: list[int] = []
    drain = Drain(on_change=counts.append)
    gates = [asyncio.Event(), asyncio.Event()]

    async def operation(gate: asyncio.Event) -> None:
        with drain.operation():
            await gate.wait()

    tasks = [asyncio.create_task(operation(gate)) for gate in gates]
    await asyncio.sleep(0)
    assert not drain.draining
    drain.begin_drain()
    drain.begin_drain()
    assert drain.draining
    assert await drain.wait(0) == 2
    waiting = asyncio.create_task(drain.wait(30))
    gates[0].set()
    await tasks[0]
    assert not waiting.done()
    gates[1].set()
    assert await waiting == 0
    assert counts == [1, 2, 1, 0]
    await tasks[1]


async def test_an_operation_that_fails_or_is_cancelled_is_over():
    drain = Drain()
    with pytest.raises(ZeroDivisionError), drain.operation():
        raise ZeroDivisionError

    async def hang() -> None:
        with drain.operation():
            await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await asyncio.sleep(0)
    assert drain.in_flight == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await drain.wait(30) == 0


async def test_nothing_under_way_is_no_wait():
    assert await Drain().wait(0) == 0
