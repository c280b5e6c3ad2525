# SPDX-License-Identifier: Apache-2.0
"""Dates of birth among other dates, by the ages they make."""

from collections.abc import Sequence
from datetime import date

_OLDEST = 110  # years
_SPREAD = 15  # years between the 10th and the 90th of a hundred
_MEDIAN = range(8, 91)  # years


def share_of_births(days: Sequence[date], today: date) -> tuple[float, int]:
    """The share of days on which somebody alive may have been born, and over how many years they spread.

    The share is 0 where the days are not spread as those of births are: a past of few years is one of events.
    """
    years = sorted(today.year - day.year - ((today.month, today.day) < (day.month, day.day)) for day in days)
    if not years:
        return 0.0, 0
    low, middle, high = (years[int(len(years) * part)] for part in (0.1, 0.5, 0.9))
    possible = sum(1 for age in years if 0 <= age <= _OLDEST)
    if high - low < _SPREAD or middle not in _MEDIAN:
        return 0.0, high - low
    return possible / len(years), high - low
