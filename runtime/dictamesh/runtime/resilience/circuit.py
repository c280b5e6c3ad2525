# SPDX-License-Identifier: Apache-2.0
"""The circuit breaker of one source (RS-1, RS-2), counted by pybreaker.

pybreaker alone lets every concurrent trial through, counts cancelled calls, reads the wall clock and lets a call that
began before the circuit opened act on a later state. So admission and time are decided here, and pybreaker hears only
outcomes that belong to the state in which their call was admitted.
"""

import contextlib
from collections.abc import Callable
from enum import StrEnum

import pybreaker

from dictamesh.runtime.resilience.clock import MONOTONIC, Clock
from dictamesh.runtime.resilience.refusals import CircuitOpen
from dictamesh.runtime.resilience.settings import Breaker


class State(StrEnum):
    CLOSED = pybreaker.STATE_CLOSED
    OPEN = pybreaker.STATE_OPEN
    HALF_OPEN = pybreaker.STATE_HALF_OPEN


class _SourceFailedError(Exception):
    """Stands for the source's error, whose traceback another raise would lengthen."""


class Circuit:
    """Admits calls and hears how they ended; `on_state(name, state)` is told of each change after it took effect."""

    def __init__(
        self, name: str, settings: Breaker, on_state: Callable[[str, State], None], clock: Clock = MONOTONIC
    ) -> None:
        self._name = name
        self._settings = settings
        self._on_state = on_state
        self._clock = clock
        self._counts = pybreaker.CircuitBreaker(
            fail_max=settings.failures, success_threshold=settings.half_open, throw_new_error_on_trip=False, name=name
        )
        self._period = 0
        self._opened_at: float | None = None
        self.trials_left = settings.half_open

    @property
    def state(self) -> State:
        """The state by what happened so far; open lasts until a call asks after `open_for`."""
        return State(self._counts.current_state)

    @property
    def failures(self) -> int:
        """Failed calls in a row."""
        return self._counts.fail_counter

    @property
    def opened_at(self) -> float | None:
        """The clock's reading when the circuit last opened; None while closed."""
        return self._opened_at

    def admit(self) -> int:
        """Let a call through and return its ticket, which goes back by `settle` or `withdraw`. Raises `CircuitOpen`."""
        if self._opened_at is not None and self.state is State.OPEN:
            left = self._opened_at + self._settings.open_for - self._clock.now()
            if left > 0:
                raise CircuitOpen(self._name, retry_in=left)
            self._counts.half_open()
            self._moved()
        if self.state is State.HALF_OPEN:
            if not self.trials_left:
                raise CircuitOpen(self._name)
            self.trials_left -= 1
        return self._period

    def settle(self, ticket: int, *, failed: bool) -> None:
        """Count a call that ended. One that was admitted before the last change of state is of no account."""
        if ticket != self._period:
            return
        before = self.state
        with contextlib.suppress(_SourceFailedError), self._counts.calling():
            if failed:
                raise _SourceFailedError
        if self.state is not before:
            self._moved()

    def withdraw(self, ticket: int) -> None:
        """Forget a call that was cancelled: neither a failure nor a success, and its trial is free again."""
        if ticket == self._period and self.state is State.HALF_OPEN:
            self.trials_left += 1

    def _moved(self) -> None:
        self._period += 1
        match self.state:
            case State.OPEN:
                self._opened_at = self._clock.now()
            case State.HALF_OPEN:
                self.trials_left = self._settings.half_open
            case State.CLOSED:
                self._opened_at = None
        self._on_state(self._name, self.state)
