# SPDX-License-Identifier: Apache-2.0
"""Counts of calls held against the promises of a contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.catalog.levels import levels, quantile, within
from dictamesh.runtime.catalog.recording.levels import BOUNDS, Counts, LevelCounts

PROMISED = {"availability": 0.999, "responseTime": 0.5, "freshness": 5.0}
DURATIONS = st.lists(st.integers(0, 1000), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1)


def counted(*calls: tuple[float, int], failed: int = 0, stale: int = 0) -> Counts:
    """Calls that worked, as seconds and how many, and others."""
    heard = LevelCounts()
    for seconds, times in calls:
        for _ in range(times):
            heard.called("a#A", "list", "ok", seconds, 1, None)
    for _ in range(failed):
        heard.called("a#A", "list", "timeout", 2.0, 0, None)
    heard.called("a#A", "list", "cancelled", 9.0, 0, None)
    if stale:
        heard.looked_up("a#A", "stale", stale)
    entries, _ = heard.take()
    total = Counts()
    for entry in entries:
        total.add(entry.counts)
    return total


def states(counts: Counts) -> dict[str, str]:
    return {level.property: level.state for level in levels(PROMISED, counts)}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (counted(), "unknown unknown unknown"),
        (counted((0.1, 1)), "met met met"),
        (counted((0.1, 999), failed=1), "met met met"),
        (counted((0.1, 998), failed=2), "missed met met"),
        (counted((0.5, 99), (0.6, 1)), "met met met"),
        (counted((0.5, 98), (0.6, 2)), "met missed met"),
        (counted((0.1, 5), stale=1), "met met missed"),
        (counted(failed=3), "missed unknown unknown"),
    ],
)
def test_states(counts: Counts, expected: str) -> None:
    names = ("availability", "responseTime", "freshness")
    assert states(counts) == dict(zip(names, expected.split(), strict=True))


def test_what_was_measured_is_told() -> None:
    availability, response, freshness = levels(PROMISED, counted((0.15, 50), (0.3, 50), failed=100))
    assert (availability.measured, availability.samples) == (0.5, 200)
    assert response.measured == pytest.approx(0.299, abs=0.001)
    assert (freshness.measured, freshness.promised) == (None, 5.0)


@given(DURATIONS, st.floats(0.0001, 100))
def test_a_percentile_is_within_a_promise_exactly_where_the_share_is(durations: list[int], promised: float) -> None:
    measured = quantile(durations, 0.99)
    if measured is None:
        assert sum(durations) == 0
    elif abs(measured - promised) > 1e-9:
        assert (measured < promised) == (within(durations, promised) > 0.99 - 1e-12)


@given(DURATIONS, st.sampled_from(range(len(BOUNDS))))
def test_shares_at_the_bounds_are_exact(durations: list[int], index: int) -> None:
    if total := sum(durations):
        assert within(durations, BOUNDS[index]) == sum(durations[: index + 1]) / total
