# SPDX-License-Identifier: Apache-2.0
"""Defaults of S23 and the refusal of settings that mean nothing."""

from collections.abc import Callable

import pytest

from dictamesh.runtime.resilience import L1, Breaker, Bulkhead, Cache, RateLimit, Retry, Settings, declared
from dictamesh.specs.model.mesh import CacheSettings, Resilience


def test_defaults_are_those_of_the_rules():
    assert Settings() == Settings(
        rate_limit=RateLimit(per_second=None, per_minute=None),
        bulkhead=Bulkhead(max_concurrent=20, queue=100),
        breaker=Breaker(failures=5, open_for=30, half_open=3),
        retry=Retry(initial=0.1, multiplier=2, jitter=(0.5, 1.0), total=5),
        attempt_timeout=2,
    )
    assert Settings().rate_limit.rate is None
    assert Cache() == Cache(size=1000, ttl=300, stale_for=3600)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: RateLimit(per_minute=0), "rate"),
        (lambda: RateLimit(per_second=float("nan")), "rate"),
        (lambda: RateLimit(burst=0), "burst"),
        (lambda: RateLimit(max_wait=-1), "max_wait"),
        (lambda: Bulkhead(max_concurrent=0), "max_concurrent"),
        (lambda: Bulkhead(queue=-1), "queue"),
        (lambda: Bulkhead(max_wait=0), "max_wait"),
        (lambda: Breaker(failures=0), "failures"),
        (lambda: Breaker(open_for=0), "open_for"),
        (lambda: Breaker(half_open=0), "half_open"),
        (lambda: Retry(attempts=0), "attempts"),
        (lambda: Retry(initial=-0.1), "initial"),
        (lambda: Retry(multiplier=0.5), "multiplier"),
        (lambda: Retry(total=float("inf")), "total"),
        (lambda: Retry(jitter=(1.0, 0.5)), "jitter"),
        (lambda: Settings(attempt_timeout=0), "attempt_timeout"),
        (lambda: Cache(size=0), "size"),
        (lambda: Cache(ttl=0), "ttl"),
        (lambda: L1(size=0), "size"),
        (lambda: L1(stale_for=-1), "stale_for"),
    ],
)
def test_settings_without_sense_are_refused_by_name(build: Callable[[], object], word: str):
    with pytest.raises(ValueError, match=word):
        build()


def test_intervals_grow_to_the_longest_and_never_overflow():
    retry = Retry(initial=0.1, multiplier=2, max_interval=1)
    assert [retry.interval(n) for n in range(1, 7)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1, 1])
    assert retry.interval(100_000) == 1


def test_of_two_rates_the_slower_holds():
    assert RateLimit(per_second=1, per_minute=30).rate == 0.5
    assert RateLimit(per_second=1, per_minute=120).rate == 1


def test_the_language_and_the_guard_have_the_same_defaults():
    assert declared(Resilience()) == Settings()
    assert (CacheSettings().size, CacheSettings().stale_for) == (Cache().size, Cache().stale_for)
    assert declared(Resilience.model_validate({"rateLimit": {"perSecond": 5}})).rate_limit == RateLimit(per_second=5)


def test_what_is_declared_is_what_the_guard_gets():
    spec = Resilience.model_validate(
        {
            "timeout": "3s",
            "rateLimit": {"perMinute": 100, "burst": 4, "maxWait": "5s"},
            "bulkhead": {"maxConcurrent": 7, "queue": 8},
            "breaker": {"failures": 2, "openFor": "1m", "halfOpen": 1},
            "retry": {
                "attempts": 6,
                "initial": "200ms",
                "max": "9s",
                "multiplier": 3,
                "jitter": False,
                "within": "10s",
            },
        }
    )
    assert declared(spec) == Settings(
        rate_limit=RateLimit(per_minute=100, burst=4, max_wait=5),
        bulkhead=Bulkhead(max_concurrent=7, queue=8),
        breaker=Breaker(failures=2, open_for=60, half_open=1),
        retry=Retry(attempts=6, initial=0.2, multiplier=3, max_interval=9, jitter=(1, 1), total=10),
        attempt_timeout=3,
    )
