# SPDX-License-Identifier: Apache-2.0
"""Service levels: the four that the runtime keeps are numbers in known units."""

from typing import TypeVar

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Contract, SlaProperty
from dictamesh.specs.model.parts import UNITS
from dictamesh.specs.resolved import Declared
from dictamesh.specs.suggest import suggest

C = TypeVar("C", bound=Contract)

TIMES = frozenset({"latency", "responseTime", "responseTimeP50", "responseTimeP95", "retention"})
AVAILABILITY = "availability"
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
SHARES = frozenset({"percent", "%"})


def seconds_of(unit: str) -> float | None:
    """How long one of a unit of ODCS is; None for a word that is no unit of time."""
    return UNITS.get(WORDS.get(unit, unit))


def number_of(level: SlaProperty) -> float | None:
    """The value of a service level as a number; None where it is none."""
    if level.value is None or isinstance(level.value, bool):
        return None
    try:
        return float(level.value)
    except ValueError:
        return None


def check_contract(product: Declared[C], findings: Findings) -> None:
    """Record service levels that the runtime keeps and cannot read; all others are free words."""
    seen: dict[str, Site] = {}
    for index, level in enumerate(product.model.sla_properties):
        if level.property not in {*TIMES, AVAILABILITY} or level.element is not None:
            continue
        site = product.site / "slaProperties" / index
        first = seen.setdefault(level.property, site)
        if first is not site:
            message = f"'{level.property}' is promised already at {(first / 'property').span}"
            findings.error("DM604", site / "property", message, "Keep one of the two.")
        _check_level(level, site, findings)


def _check_level(level: SlaProperty, site: Site, findings: Findings) -> None:
    number = number_of(level)
    if number is None or not 0 < number < float("inf"):
        findings.error("DM104", site / "value", f"'{level.property}' takes a number above 0", "Write a number here.")
    if level.property == AVAILABILITY:
        _check_share(level, number, site, findings)
    elif level.unit is not None and seconds_of(level.unit) is None:
        near = suggest(level.unit, [*UNITS, *WORDS])
        hint = f"did you mean '{near}'?" if near else f"The units of time are {', '.join(UNITS)}."
        findings.error("DM104", site / "unit", f"'{level.unit}' is no unit of time", hint)


def _check_share(level: SlaProperty, number: float | None, site: Site, findings: Findings) -> None:
    if level.unit is not None and level.unit not in SHARES:
        findings.error("DM104", site / "unit", f"'{level.unit}' is no unit of availability", "Write 'unit: percent'.")
    if number is not None and number > 100:
        findings.error("DM104", site / "value", "availability is 100 percent at most", "Write a share, like 99.9.")
