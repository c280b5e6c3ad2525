# SPDX-License-Identifier: Apache-2.0
"""Dates and timestamps with PostgreSQL's meaning, in UTC, from year 1 to year 9999."""

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from dictamesh.specs.expressions.problems import ExpressionFailed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE_UNIT = Decimal("0.000001")


def add_days(day: date, count: int) -> date:
    try:
        return day + timedelta(days=count)
    except OverflowError:
        raise ExpressionFailed("a date is out of range") from None


def sub_days(day: date, count: int) -> date:
    return add_days(day, -count)


def days_between(later: date, earlier: date) -> int:
    return (later - earlier).days


def add_interval(moment: datetime, months: int, days: int, microseconds: int) -> datetime:
    """Add months first (cut to the last day of the month), then days, then time, as PostgreSQL does."""
    count = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(count, 12)
    try:
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        moved = moment.replace(year=year, month=month + 1, day=day)
        return moved + timedelta(days=days, microseconds=microseconds)
    except (ValueError, OverflowError, IndexError):
        raise ExpressionFailed("a timestamp is out of range") from None


def make_date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise ExpressionFailed("date field value out of range") from None


TRUNC_FIELDS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


def truncation(field: str) -> Callable[[datetime], datetime]:
    """Return the function that cuts a timestamp to the start of its `field`."""

    def cut(moment: datetime) -> datetime:
        if field == "second":
            return moment.replace(microsecond=0)
        if field == "minute":
            return moment.replace(second=0, microsecond=0)
        if field == "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        return day(moment.replace(hour=0, minute=0, second=0, microsecond=0))

    def day(start: datetime) -> datetime:
        if field == "week":
            return start - timedelta(days=start.weekday())
        if field in {"month", "quarter", "year"}:
            start = start.replace(day=1)
        if field == "quarter":
            return start.replace(month=(start.month - 1) // 3 * 3 + 1)
        return start.replace(month=1) if field == "year" else start

    return cut


DATE_FIELDS: dict[str, Callable[[Any], int]] = {
    "year": lambda d: d.year,
    "quarter": lambda d: (d.month + 2) // 3,
    "month": lambda d: d.month,
    "week": lambda d: d.isocalendar().week,
    "day": lambda d: d.day,
    "dow": lambda d: d.isoweekday() % 7,
    "isodow": lambda d: d.isoweekday(),
    "isoyear": lambda d: d.isocalendar().year,
    "doy": lambda d: d.timetuple().tm_yday,
}
TIME_FIELDS: dict[str, Callable[[Any], int]] = {
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
}
EXTRACT_FIELDS = (*DATE_FIELDS, *TIME_FIELDS, "second", "epoch")


def _second(moment: datetime | time) -> Decimal:
    return (Decimal(moment.second * 1_000_000 + moment.microsecond) * _ONE_UNIT).quantize(_ONE_UNIT)


def _epoch(value: date | datetime | time) -> Decimal:
    if isinstance(value, datetime):
        return (Decimal((value - _EPOCH) // _MICROSECOND) * _ONE_UNIT).quantize(_ONE_UNIT)
    if isinstance(value, date):
        return Decimal((value - _EPOCH.date()).days * 86_400)
    micros = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return (Decimal(micros) * _ONE_UNIT).quantize(_ONE_UNIT)


def extraction(field: str) -> Callable[[Any], Decimal]:
    """Return the function that reads `field` of a date, time or timestamp as PostgreSQL's EXTRACT does."""
    if field == "second":
        return _second
    if field == "epoch":
        return _epoch
    read = DATE_FIELDS.get(field) or TIME_FIELDS[field]
    return lambda value: Decimal(read(value))


_UNITS = {"microsecond": (0, 0, 1), "millisecond": (0, 0, 1_000), "second": (0, 0, 1_000_000)}
_UNITS |= {"minute": (0, 0, 60_000_000), "hour": (0, 0, 3_600_000_000), "day": (0, 1, 0), "week": (0, 7, 0)}
_UNITS |= {"month": (1, 0, 0), "quarter": (3, 0, 0), "year": (12, 0, 0), "decade": (120, 0, 0)}
_SHORT = {
    "mon": "month",
    "min": "minute",
    "sec": "second",
    "hr": "hour",
    "h": "hour",
    "d": "day",
    "w": "week",
    "y": "year",
}
_PART = re.compile(r"\s*([+-]?[0-9]{1,9})\s*([a-zA-Z]+)\s*")
_CLOCK = re.compile(r"\s*([+-]?)([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?\s*\Z")
MAX_MONTHS, MAX_DAYS = 12_000, 366_000


def read_interval(text: str) -> tuple[int, int, int] | None:
    """Read `1 year -2 days 03:00` as (months, days, microseconds); None for other texts and beyond 1,000 years."""
    months = days = micros = at = 0
    while at < len(text):
        clock = _CLOCK.match(text, at)
        if clock is not None:
            sign, hours, minutes, seconds = clock.groups()
            value = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * 1_000_000
            micros += -value if sign == "-" else value
            break
        part = _PART.match(text, at)
        unit = part and _unit(part.group(2))
        if part is None or unit is None:
            return None
        count = int(part.group(1))
        months, days, micros = months + count * unit[0], days + count * unit[1], micros + count * unit[2]
        at = part.end()
    if not text.strip() or abs(months) > MAX_MONTHS or abs(days) > MAX_DAYS or abs(micros) > MAX_DAYS * 86_400_000_000:
        return None
    return months, days, micros


def _unit(word: str) -> tuple[int, int, int] | None:
    name = word.lower()
    for candidate in (name, name.removesuffix("s")):
        found = _UNITS.get(_SHORT.get(candidate, candidate))
        if found is not None:
            return found
    return None
