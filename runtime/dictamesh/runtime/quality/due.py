# SPDX-License-Identifier: Apache-2.0
"""When a rule is to be run next. Pure."""

from datetime import datetime, timedelta

from dictamesh.specs.cron import schedule
from dictamesh.specs.quality import QualityRule

FIRST = 3600.0  # seconds: a rule that nobody has checked waits no longer


def due(rule: QualityRule, checked: datetime | None, since: datetime, every: float) -> datetime | None:
    """Return when a rule is due that was last `checked` then, or else is known `since`; None for never.

    By its schedule where it has one, else `every` seconds after the last check. Times are aware.
    """
    if rule.schedule is not None and (found := schedule(rule.schedule)) is not None:
        return found.after(checked or since)
    if checked is None:
        return since + timedelta(seconds=min(every, FIRST))
    return checked + timedelta(seconds=every)
