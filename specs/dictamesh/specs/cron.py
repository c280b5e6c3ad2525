# SPDX-License-Identifier: Apache-2.0
"""Schedules in the five fields of cron: minute, hour, day of month, month, day of week. In UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>[0-9]{1,4}))?\Z", re.ASCII)
_HORIZON = 366 * 9  # days: a 29th of February lies within, over a year divisible by 100, too
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due. `either`: a day of the month or a day of the week is enough, as cron has it where neither
    begins with `*`; else a day has to be both.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either: bool

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after an aware `moment`, in UTC; None where there is none within nine years."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for _ in range(_HORIZON):
            if self._on(at):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        if (hour, minute) >= (at.hour, at.minute):
                            return at.replace(hour=hour, minute=minute)
            try:
                at = (at + timedelta(days=1)).replace(hour=0, minute=0)
            except OverflowError:
                return None
        return None

    def _on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either else by_day and by_weekday


def schedule(text: str) -> Schedule | None:
    """Read a schedule: `*`, numbers, names, lists, ranges, steps, or `@daily` and the like; None for anything else."""
    text = text.strip().lower()
    fields = _SHORT.get(text, text).split()
    if len(text) > _LONGEST or len(fields) != 5:
        return None
    minutes = _read(fields[0], 0, 59)
    hours = _read(fields[1], 0, 23)
    days = _read(fields[2], 1, 31)
    months = _read(fields[3], 1, 12, _MONTHS)
    weekdays = _read(fields[4], 0, 7, _DAYS)
    if minutes is None or hours is None or days is None or months is None or weekdays is None:
        return None
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    found = Schedule(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)
    return found if found.after(datetime(2000, 1, 1, tzinfo=UTC)) is not None else None


def _read(text: str, least: int, most: int, names: tuple[str, ...] = ()) -> frozenset[int] | None:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.match(part)
        if match is None:
            return None
        step = int(match["step"] or 1)
        first, last = least, most
        if match["first"] != "*":
            first = _number(match["first"], least, names)
            last = first if match["last"] is None and match["step"] is None else most
        if match["last"] is not None:
            last = _number(match["last"], least, names)
        if match["first"] == "*" and match["last"] is not None:
            return None
        if step < 1 or not least <= first <= last <= most:
            return None
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, least: int, names: tuple[str, ...]) -> int:
    if text.isdecimal() and len(text) <= 4:
        return int(text)
    return names.index(text) + least if text in names else -1
