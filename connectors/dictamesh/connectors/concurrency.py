# SPDX-License-Identifier: Apache-2.0
"""Several calls side by side: all answers, or the first failure."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def gathered(calls: Sequence[Callable[[], Awaitable[T]]], at_once: int = 1000) -> list[T]:
    """Run `calls` side by side and return their answers in order; one failure cancels the others and is raised.

    At most `at_once` of them run at the same time.
    """
    if len(calls) <= 1:
        return [await call() for call in calls]
    places = asyncio.Semaphore(at_once)

    async def run(call: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await call()

    tasks = [asyncio.create_task(run(call)) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
