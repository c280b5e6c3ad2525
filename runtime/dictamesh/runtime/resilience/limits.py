# SPDX-License-Identifier: Apache-2.0
"""Rate limit and bulkhead: what a call passes before the breaker is asked (S23)."""

import asyncio
import math
from types import TracebackType

from dictamesh.runtime.resilience.clock import MONOTONIC, Clock
from dictamesh.runtime.resilience.refusals import RateLimited, Saturated
from dictamesh.runtime.resilience.settings import Bulkhead, RateLimit

_ROUNDING = 1e-9  # of a token: sums of floats may fall that short of a whole one


class TokenBucket:
    """Spaces calls in order of arrival; a cancelled wait spends nothing."""

    def __init__(self, name: str, settings: RateLimit, clock: Clock = MONOTONIC) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._rate = settings.rate or math.inf
        self._tokens = float(settings.burst)
        self._filled_at = clock.now()
        self._turn = asyncio.Lock()
        self.waiting = 0

    async def take(self) -> None:
        """Wait for a turn. Raises `RateLimited` at once where the turn lies further away than the longest wait."""
        if self._rate == math.inf:
            return
        delay = self._delay(ahead=self.waiting)
        if delay > self._settings.max_wait:
            raise RateLimited(self._name, retry_in=delay - self._settings.max_wait)
        self.waiting += 1
        try:
            async with self._turn:
                if own := self._delay(ahead=0):
                    await self._clock.sleep(own)
                self._fill()
                self._tokens -= 1
        finally:
            self.waiting -= 1

    def _delay(self, ahead: int) -> float:
        self._fill()
        missing = ahead + 1 - self._tokens
        return missing / self._rate if missing > _ROUNDING else 0.0

    def _fill(self) -> None:
        now = self._clock.now()
        self._tokens = min(self._settings.burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now


class Slots:
    """Caps the concurrent calls to one source, so that a slow one starves no other; an async context manager."""

    def __init__(self, name: str, settings: Bulkhead) -> None:
        self._name = name
        self._settings = settings
        self._free = asyncio.Semaphore(settings.max_concurrent)
        self.running = 0
        self.waiting = 0

    async def __aenter__(self) -> None:
        """Wait for a slot. Raises `Saturated` when the queue is full or the wait in it takes too long."""
        if self._free.locked():
            await self._queue()
        else:
            await self._free.acquire()  # returns without a switch to another task
        self.running += 1

    async def _queue(self) -> None:
        if self.waiting >= self._settings.queue:
            raise Saturated(self._name)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._settings.max_wait):
                await self._free.acquire()
        except TimeoutError:
            raise Saturated(self._name) from None
        finally:
            self.waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the slot."""
        self.running -= 1
        self._free.release()
