# SPDX-License-Identifier: Apache-2.0
"""The end of a process: not ready at once, what is under way ends first (AR-8)."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator


def _unheard(_: int) -> None:
    pass


class Drain:
    """Counts operations under way; `on_change(count)` hears each change of the count."""

    def __init__(self, on_change: Callable[[int], None] = _unheard) -> None:
        self._on_change = on_change
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0
        self.draining = False

    @contextlib.contextmanager
    def operation(self) -> Iterator[None]:
        """Count the block as under way, also while draining: what reached us is answered."""
        self._change(+1)
        try:
            yield
        finally:
            self._change(-1)

    def begin_drain(self) -> None:
        """From now on the process reports itself as not ready; safe to call twice."""
        self.draining = True

    async def wait(self, seconds: float) -> int:
        """Wait until nothing is under way, `seconds` at most; return how many operations still are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        return self.in_flight

    def _change(self, by: int) -> None:
        self.in_flight += by
        if self.in_flight:
            self._idle.clear()
        else:
            self._idle.set()
        self._on_change(self.in_flight)
