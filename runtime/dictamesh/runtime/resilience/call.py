# SPDX-License-Identifier: Apache-2.0
"""Everything that stands around a call to a source, in the order of S23."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from dictamesh.connectors.sdk.errors import Fault, SourceError, Transient
from dictamesh.runtime.resilience.circuit import Circuit, State
from dictamesh.runtime.resilience.clock import MONOTONIC, Clock
from dictamesh.runtime.resilience.limits import Slots, TokenBucket
from dictamesh.runtime.resilience.settings import Bulkhead, Settings

T = TypeVar("T")


def _unheard(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what; none may raise.

    `on_state(name, state)` after each change of the breaker (RS-4). `on_attempt(name, outcome, seconds)` after each
    attempt: `ok`, the value of a `Fault`, `cancelled`, or `error` for what is no `SourceError`.
    """

    on_state: Callable[[str, State], None] = _unheard
    on_attempt: Callable[[str, str, float], None] = _unheard


class Guard:
    """Rate limit, bulkhead, breaker, retry and attempt timeout of one server, shared by all calls to it (S23)."""

    def __init__(
        self,
        name: str,
        settings: Settings | None = None,
        *,
        clock: Clock = MONOTONIC,
        listeners: Listeners | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`draw` gives the jitter, uniform in [0, 1)."""
        self.name = name
        self.settings = settings or Settings()
        self._clock = clock
        self._listeners = listeners or Listeners()
        self._draw = draw
        self._bucket = TokenBucket(name, self.settings.rate_limit, clock)
        self._slots = Slots(name, self.settings.bulkhead)
        self._circuit = Circuit(name, self.settings.breaker, self._listeners.on_state, clock)

    def beside(self, at_a_time: int = 1, *, queue: int | None = None, patience: float | None = None) -> "Guard":
        """Return a guard for work that must not disturb these calls.

        It has the same rate limit, and slots and a breaker of its own: its failures do not open this breaker, whose
        changes are the only ones that are told. `queue` calls wait for a slot, `patience` seconds at most; without
        them as these do.
        """
        own = self.settings.bulkhead
        bulkhead = Bulkhead(at_a_time, own.queue if queue is None else queue, patience or own.max_wait)
        settings = replace(self.settings, bulkhead=bulkhead)
        heard = Listeners(on_attempt=self._listeners.on_attempt)
        other = Guard(self.name, settings, clock=self._clock, listeners=heard, draw=self._draw)
        other._bucket = self._bucket
        return other

    @property
    def state(self) -> State:
        """The breaker's state."""
        return self._circuit.state

    @property
    def opened_at(self) -> float | None:
        """The clock's reading when the breaker last opened; None while it is closed."""
        return self._circuit.opened_at

    @property
    def running(self) -> int:
        """Calls that hold a slot."""
        return self._slots.running

    @property
    def waiting(self) -> int:
        """Calls that wait for the rate limit or for a slot."""
        return self._bucket.waiting + self._slots.waiting

    async def call(self, fn: Callable[[], Awaitable[T]]) -> T:
        """Run `fn`, a coroutine function that may be called again for each attempt.

        Raises `RateLimited`, `Saturated` or `CircuitOpen` without asking the source, the last attempt's `SourceError`,
        or whatever else `fn` raised, which counts against the source and is not retried.
        """
        await self._bucket.take()
        async with self._slots:
            ticket = self._circuit.admit()
            try:
                result = await self._retried(fn)
            except SourceError as error:
                self._circuit.settle(ticket, failed=error.counts_against_source)
                raise
            except Exception:
                self._circuit.settle(ticket, failed=True)
                raise
            except BaseException:
                self._circuit.withdraw(ticket)
                raise
            self._circuit.settle(ticket, failed=False)
            return result

    async def _retried(self, fn: Callable[[], Awaitable[T]]) -> T:
        retry = self.settings.retry
        deadline = self._clock.now() + retry.total
        number = 1
        while True:
            try:
                return await self._attempt(fn, deadline - self._clock.now())
            except Transient as error:
                delay = self._delay(number, error.retry_after)
                if number >= retry.attempts or self._clock.now() + delay >= deadline:
                    raise
            await self._clock.sleep(delay)
            number += 1

    def _delay(self, number: int, retry_after: float | None) -> float:
        retry = self.settings.retry
        low, high = retry.jitter
        return max(retry.interval(number) * (low + (high - low) * self._draw()), retry_after or 0.0)

    async def _attempt(self, fn: Callable[[], Awaitable[T]], left: float) -> T:
        started = self._clock.now()
        outcome = "error"
        try:
            result = await _within(fn, min(self.settings.attempt_timeout, left))
            outcome = "ok"
        except SourceError as error:
            outcome = str(error.fault)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._listeners.on_attempt(self.name, outcome, self._clock.now() - started)
        return result


async def _within(fn: Callable[[], Awaitable[T]], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds) as scope:
            return await fn()
    except TimeoutError:
        if scope.expired():
            raise Transient(Fault.TIMEOUT) from None
        raise
