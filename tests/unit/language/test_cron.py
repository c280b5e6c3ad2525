# SPDX-License-Identifier: Apache-2.0
"""Schedules of cron."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.specs.cron import schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "after", "found"),
    [
        ("* * * * *", "2026-01-31 23:59", "2026-02-01 00:00"),
        ("0 20 * * *", "2026-01-31 19:59", "2026-01-31 20:00"),
        ("0 20 * * *", "2026-01-31 20:00", "2026-02-01 20:00"),
        ("*/15 * * * *", "2026-01-31 20:16", "2026-01-31 20:30"),
        ("5-59/20 8-10 * * *", "2026-01-31 08:26", "2026-01-31 08:45"),
        ("5/20 * * * *", "2026-01-31 08:26", "2026-01-31 08:45"),
        ("0 0 1,15 * *", "2026-01-02 00:00", "2026-01-15 00:00"),
        ("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00"),
        ("0 12 * * mon-fri", "2026-01-30 12:00", "2026-02-02 12:00"),
        ("0 12 * * 7", "2026-01-30 12:00", "2026-02-01 12:00"),
        ("0 12 * * 0", "2026-01-30 12:00", "2026-02-01 12:00"),
        ("0 0 13 * fri", "2026-01-31 00:00", "2026-02-06 00:00"),
        ("0 0 */10 * mon", "2026-01-31 00:00", "2026-05-11 00:00"),
        ("0 0 * FEB *", "2026-03-01 00:00", "2027-02-01 00:00"),
        ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
        ("@hourly", "2026-01-31 20:16", "2026-01-31 21:00"),
        ("@daily", "2026-01-31 20:16", "2026-02-01 00:00"),
        ("@weekly", "2026-01-31 20:16", "2026-02-01 00:00"),
        ("@monthly", "2026-01-31 20:16", "2026-02-01 00:00"),
        (" @Yearly ", "2026-01-31 20:16", "2027-01-01 00:00"),
    ],
)
def test_the_next_time(line: str, after: str, found: str) -> None:
    made = schedule(line)
    assert made is not None
    assert made.after(at(after)) == at(found)


@pytest.mark.parametrize(
    "line",
    ["", "daily", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "5-1 * * * *", "*/0 * * * *", "*-5 * * * *", "1,,2 * * * *", "-1 * * * *", "1.5 * * * *", "a * * * *",
     "* * * foo *", "0 0 30 2 *", "@reboot", "\u0665 * * * *", "1 " * 200, "99999 * * * *"],
)  # fmt: skip
def test_what_is_no_schedule(line: str) -> None:
    assert schedule(line) is None


def test_times_are_in_utc() -> None:
    made = schedule("0 20 * * *")
    assert made is not None
    berlin = datetime(2026, 7, 1, 21, 30, tzinfo=timezone(timedelta(hours=2)))
    assert made.after(berlin) == at("2026-07-01 20:00")


def test_the_end_of_time_is_no_fault() -> None:
    made = schedule("0 20 * * *")
    assert made is not None
    assert made.after(datetime(9999, 12, 31, 20, 30, tzinfo=UTC)) is None


PARTS = st.sampled_from(["*", "*/7", "1", "1,3", "2-4"])


@given(st.tuples(PARTS, PARTS, PARTS, PARTS, PARTS), st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)))
def test_it_is_the_first_minute_that_fits(parts: tuple[str, ...], moment: datetime) -> None:
    """Held against a search minute by minute, day by day."""
    made = schedule(" ".join(parts))
    assert made is not None
    found = made.after(moment.replace(tzinfo=UTC))
    assert found is not None
    assert found > moment.replace(tzinfo=UTC)
    fits = [_fits(parts, found)]
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    minute = moment.replace(second=0, microsecond=0, tzinfo=UTC) + timedelta(minutes=1)
    while day.date() < found.date():
        fits.append(not _on(parts, day) or day.date() == minute.date())
        day += timedelta(days=1)
    end = min(found, minute.replace(hour=23, minute=59) + timedelta(minutes=1))
    while minute < end:
        fits.append(not _fits(parts, minute))
        minute += timedelta(minutes=1)
    assert all(fits)


def _in(part: str, value: int, least: int, most: int) -> bool:
    values = {"*": range(least, most + 1), "*/7": range(least, most + 1, 7), "1": (1,), "1,3": (1, 3), "2-4": (2, 3, 4)}
    return value in values[part]


def _on(parts: tuple[str, ...], day: datetime) -> bool:
    by_day = _in(parts[2], day.day, 1, 31)
    by_weekday = _in(parts[4], day.isoweekday() % 7, 0, 6)
    both = by_day and by_weekday if parts[2][0] == "*" or parts[4][0] == "*" else by_day or by_weekday
    return _in(parts[3], day.month, 1, 12) and both


def _fits(parts: tuple[str, ...], moment: datetime) -> bool:
    return _on(parts, moment) and _in(parts[0], moment.minute, 0, 59) and _in(parts[1], moment.hour, 0, 23)
