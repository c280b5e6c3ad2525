# SPDX-License-Identifier: Apache-2.0
"""What a product promises: its ODCS service levels in the units of the runtime."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dictamesh.specs.model import Contract, SlaProperty
from dictamesh.specs.resolve.contract import number_of, seconds_of

DAY = 86_400
FRESHNESS = 5.0  # seconds, where a contract is silent (AD-5)
RESPONSE = 0.5  # seconds, 99th percentile of one read, where a contract is silent (AD-5)
RESPONSE_P95 = 0.2
RESPONSE_P50 = 0.05
AVAILABILITY = 0.999


def service_levels(product: Contract) -> Mapping[str, Any]:
    """Availability as a share, freshness, response times and retention in seconds; the last is None without end.

    `responseTime` is the 99th percentile; a percentile that is not promised is no more than the next one.
    `endOfSupport` and `endOfLife` are instants in UTC as text (RFC 3339), None where none is declared.
    """
    given = {each.property: each for each in product.sla_properties if each.element is None}
    p99 = _seconds(given.get("responseTime"), RESPONSE)
    p95 = _seconds(given.get("responseTimeP95"), min(RESPONSE_P95, p99 or RESPONSE))
    p50 = _seconds(given.get("responseTimeP50"), min(RESPONSE_P50, p95 or RESPONSE_P95))
    return {
        "availability": _share(given.get("availability")),
        "freshness": _seconds(given.get("latency"), FRESHNESS),
        "responseTime": p99,
        "responseTimeP95": p95,
        "responseTimeP50": p50,
        "retention": _seconds(given.get("retention"), None),
        "endOfSupport": _instant(given.get("endOfSupport")),
        "endOfLife": _instant(given.get("endOfLife")),
    }


def declared_levels(contract: Contract) -> Mapping[str, Any]:
    """Only the service levels that a contract declares, in the units of `service_levels`."""
    words = {"availability": "availability", "latency": "freshness"}
    said = {words.get(each.property, each.property) for each in contract.sla_properties if each.element is None}
    return {name: value for name, value in service_levels(contract).items() if name in said}


def _instant(level: SlaProperty | None) -> str | None:
    """A date begins at midnight; a time without a zone is in UTC; what is neither says nothing."""
    try:
        found = datetime.fromisoformat(str(level.value)) if level else None
    except ValueError:
        return None
    if found is None:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _share(level: SlaProperty | None) -> float:
    number = number_of(level) if level else None
    if number is None:
        return AVAILABILITY
    return round(number / 100, 6) if number > 1 else number


def _seconds(level: SlaProperty | None, default: float | None) -> float | None:
    number = number_of(level) if level else None
    if number is None or level is None:
        return default
    return number * (seconds_of(level.unit or "s") or 1)
