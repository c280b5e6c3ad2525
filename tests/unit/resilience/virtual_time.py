# SPDX-License-Identifier: Apache-2.0
"""An event loop whose clock jumps to the next thing due, so that waits of hours cost no time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dictamesh.runtime.resilience import Clock

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Moves its loop's clock by the time it was asked to wait."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("every task waits and nothing is due: a deadlock")
        self.passed += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed

    @property
    def clock(self) -> Clock:
        return Clock(now=self.time, sleep=asyncio.sleep)


def run(main: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """Run `main(clock)` to its end in virtual time that starts at 0."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop.clock))
    finally:
        loop.run_until_complete(cancel_rest())
        loop.close()


async def cancel_rest() -> None:
    """Cancel every other task of the loop and wait for its end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def settle() -> None:
    """Let every task run until it waits for time or for a future."""
    for _ in range(10):
        await asyncio.sleep(0)
