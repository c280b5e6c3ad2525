# SPDX-License-Identifier: Apache-2.0
"""Several calls side by side: all answers, or the first failure."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def gathered(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run `calls` side by side and return their answers in order; one failure cancels the others and is raised."""
    if len(calls) <= 1:
        return [await call() for call in calls]

    async def run(call: Callable[[], Awaitable[T]]) -> T:
        return await call()

    tasks = [asyncio.create_task(run(call)) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
