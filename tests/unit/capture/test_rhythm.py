# SPDX-License-Identifier: Apache-2.0
"""What is due again, over restarts and whatever clocks say."""

from datetime import UTC, datetime, timedelta

import pytest

from dictamesh.runtime.capture.rhythm import Rhythm

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "left"),
    [
        (None, 0.0),
        ("no time", 0.0),
        ("2025-01-01T00:00:00", 0.0),
        ((NOW - timedelta(seconds=4)).isoformat(), 6.0),
        ((NOW - timedelta(days=4)).isoformat(), 0.0),
        ((NOW + timedelta(days=4)).isoformat(), 10.0),
    ],
)
def test_how_long_is_left(last: object, left: float) -> None:
    assert Rhythm.of(last, 10.0).left(NOW) == left
