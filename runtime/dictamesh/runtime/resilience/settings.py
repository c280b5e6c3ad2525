# SPDX-License-Identifier: Apache-2.0
"""The settings around a call to a source and of the cache, with the defaults of S23, S25, RS-7. Times are seconds."""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket of `burst` calls that fills at `per_second` or `per_minute`, the slower of them; with neither, no limit.

    A call waits for its turn up to `max_wait`; 0 refuses at once. Any t seconds see at most rate x t + burst calls.
    """

    per_second: float | None = None
    per_minute: float | None = None
    burst: int = 10
    max_wait: float = 1.0

    def __post_init__(self) -> None:
        if self.rate is not None:
            _positive("rate limit: rate", self.rate)
        _at_least("rate limit: burst", self.burst, 1)
        _at_least("rate limit: max_wait", self.max_wait, 0)

    @property
    def rate(self) -> float | None:
        """Calls per second, or None where there is no limit."""
        by_minute = None if self.per_minute is None else self.per_minute / 60
        return min((rate for rate in (self.per_second, by_minute) if rate is not None), default=None)


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """At most `max_concurrent` calls at a time and `queue` calls waiting, each `max_wait` at most (RS-14, RS-15)."""

    max_concurrent: int = 20
    queue: int = 100
    max_wait: float = 5.0

    def __post_init__(self) -> None:
        _at_least("bulkhead: max_concurrent", self.max_concurrent, 1)
        _at_least("bulkhead: queue", self.queue, 0)
        _positive("bulkhead: max_wait", self.max_wait)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens on failed call number `failures` in a row, for `open_for`; then `half_open` trials must succeed (RS-1)."""

    failures: int = 5
    open_for: float = 30.0
    half_open: int = 3

    def __post_init__(self) -> None:
        _at_least("breaker: failures", self.failures, 1)
        _positive("breaker: open_for", self.open_for)
        _at_least("breaker: half_open", self.half_open, 1)


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` at most and `total` seconds at most, attempts and waits together (RS-5, S23).

    Wait number n is `initial * multiplier ** (n - 1)`, at most `max_interval`, times a factor drawn from `jitter`; a
    source's `Retry-After` makes it longer, never shorter.
    """

    attempts: int = 5
    initial: float = 0.1
    multiplier: float = 2.0
    max_interval: float = 2.0
    jitter: tuple[float, float] = (0.5, 1.0)
    total: float = 5.0

    def __post_init__(self) -> None:
        _at_least("retry: attempts", self.attempts, 1)
        _at_least("retry: initial", self.initial, 0)
        _at_least("retry: multiplier", self.multiplier, 1)
        _at_least("retry: max_interval", self.max_interval, 0)
        _positive("retry: total", self.total)
        if not 0 <= self.jitter[0] <= self.jitter[1] <= 1:
            raise ValueError(f"retry: jitter must be two factors in rising order from 0 to 1, not {self.jitter}")

    def interval(self, number: int) -> float:
        """Wait number `number` (from 1) before jitter, in seconds."""
        try:
            return min(self.initial * self.multiplier ** (number - 1), self.max_interval)
        except OverflowError:
            return self.max_interval


@dataclass(frozen=True, slots=True)
class Settings:
    """What a guard needs to know; the defaults are those of S23. `attempt_timeout` bounds each single attempt."""

    rate_limit: RateLimit = field(default_factory=RateLimit)
    bulkhead: Bulkhead = field(default_factory=Bulkhead)
    breaker: Breaker = field(default_factory=Breaker)
    retry: Retry = field(default_factory=Retry)
    attempt_timeout: float = 2.0

    def __post_init__(self) -> None:
        _positive("attempt_timeout", self.attempt_timeout)


@dataclass(frozen=True, slots=True)
class Cache:
    """The L1 cache: most entries, greatest age, and how long an expired entry is last known good (RS-7, S25)."""

    size: int = 1000
    ttl: float = 300.0
    stale_for: float = 3600.0

    def __post_init__(self) -> None:
        _at_least("cache: size", self.size, 1)
        _positive("cache: ttl", self.ttl)
        _at_least("cache: stale_for", self.stale_for, 0)


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be above 0, not {value}")


def _at_least(name: str, value: float, least: float) -> None:
    if not (value >= least and math.isfinite(value)):
        raise ValueError(f"{name} must be {least} or more, not {value}")
