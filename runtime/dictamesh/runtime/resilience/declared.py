# SPDX-License-Identifier: Apache-2.0
"""From what the mesh file declares to what a guard takes."""

from dictamesh.runtime.resilience.settings import Breaker, Bulkhead, RateLimit, Retry, Settings
from dictamesh.specs.model.mesh import Resilience

_STEADY = (1.0, 1.0)


def declared(spec: Resilience) -> Settings:
    """Return the settings of a server. Raises ValueError for a duration of 0 where only a longer one makes sense."""
    rate, retry = spec.rate_limit, spec.retry
    return Settings(
        rate_limit=RateLimit(rate.per_second, rate.per_minute, rate.burst, rate.max_wait) if rate else RateLimit(),
        bulkhead=Bulkhead(spec.bulkhead.max_concurrent, spec.bulkhead.queue),
        breaker=Breaker(spec.breaker.failures, spec.breaker.open_for, spec.breaker.half_open),
        retry=Retry(
            attempts=retry.attempts,
            initial=retry.initial,
            multiplier=retry.multiplier,
            max_interval=retry.max,
            jitter=Retry().jitter if retry.jitter else _STEADY,
            total=retry.within,
        ),
        attempt_timeout=spec.timeout,
    )
