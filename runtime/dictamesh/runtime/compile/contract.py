# SPDX-License-Identifier: Apache-2.0
"""What a product promises: its ODCS service levels in the units of the runtime."""

from collections.abc import Mapping
from typing import Any

from dictamesh.specs.model import Product, SlaProperty
from dictamesh.specs.model.parts import UNITS

DAY = 86_400
FRESHNESS = 5.0  # seconds, where a contract is silent (AD-5)
RESPONSE = 0.5  # seconds, 99th percentile of one read, where a contract is silent (AD-5)
AVAILABILITY = 0.999
WORDS = {
    "milliseconds": "ms",
    "millisecond": "ms",
    "seconds": "s",
    "second": "s",
    "minutes": "m",
    "minute": "m",
    "hours": "h",
    "hour": "h",
    "days": "d",
    "day": "d",
    "weeks": "w",
    "week": "w",
    "years": "y",
    "year": "y",
}


def service_levels(product: Product) -> Mapping[str, Any]:
    """Availability as a share, freshness, response time and retention in seconds; the last is None without end."""
    given = {each.property: each for each in product.sla_properties if each.element is None}
    return {
        "availability": _share(given.get("availability")),
        "freshness": _seconds(given.get("latency"), FRESHNESS),
        "responseTime": _seconds(given.get("responseTime"), RESPONSE),
        "retention": _seconds(given.get("retention"), None),
    }


def _share(level: SlaProperty | None) -> float:
    number = _number(level)
    if number is None:
        return AVAILABILITY
    return round(number / 100, 6) if number > 1 else number


def _seconds(level: SlaProperty | None, default: float | None) -> float | None:
    number = _number(level)
    if number is None or level is None:
        return default
    unit = level.unit or "s"
    return number * UNITS.get(WORDS.get(unit, unit), 1)


def _number(level: SlaProperty | None) -> float | None:
    if level is None or isinstance(level.value, bool):
        return None
    try:
        return float(level.value)
    except ValueError:
        return None
