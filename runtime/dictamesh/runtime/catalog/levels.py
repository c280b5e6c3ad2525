# SPDX-License-Identifier: Apache-2.0
"""Service levels of products: what their contracts promise, and what was measured of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.recording.levels import BOUNDS, Counts
from dictamesh.runtime.compile.plan import ProductPlan

State = Literal["met", "missed", "unknown"]
HOURS = 24
LARGEST_WINDOW = 720
SHARE = 0.99

_HOURS = b"""
SELECT entity, calls, worked, stale, durations FROM dictamesh_service_levels
 WHERE since >= %(since)s AND entity = ANY (%(entities)s::text[])
"""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A promise and what became of it.

    ``availability`` is a share of calls to the source, ``responseTime`` the 99th percentile of those that worked in
    seconds, ``freshness`` the greatest age of a served row in seconds: it is missed where older rows stood in for a
    source that failed. ``measured`` is null where nothing was, ``samples`` counts what it rests on.
    """

    property: Literal["availability", "responseTime", "freshness"]
    promised: float
    measured: float | None
    state: State
    samples: int


async def service_levels(
    catalog: Catalog, products: Sequence[ProductPlan], hours: int = HOURS
) -> dict[str, tuple[ServiceLevel, ...]]:
    """The levels of products by name, over the last hours, the present one included."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    entities = sorted(address for product in products for address in product.entities)
    parameters = {"since": now - timedelta(hours=hours - 1), "entities": entities}
    rows = await catalog.pool.rows(_HOURS, parameters)
    by_entity: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_entity.setdefault(row["entity"], []).append(row)
    return {
        product.name: levels(product.sla, _sum(row for each in product.entities for row in by_entity.get(each, ())))
        for product in products
    }


def levels(promised: Mapping[str, Any], counts: Counts) -> tuple[ServiceLevel, ...]:
    """Hold counts against the promises of a contract."""
    return (_availability(promised, counts), _response_time(promised, counts), _freshness(promised, counts))


def within(durations: Sequence[int], seconds: float) -> float:
    """The share of calls that took at most so long; exact at the bounds, in between as if spread evenly."""
    total = sum(durations)
    if not total:
        return 1.0
    below = 0.0
    for count, (low, high) in zip(durations, _BUCKETS, strict=True):
        if high <= seconds:
            below += count
        elif low < seconds:
            below += count * (seconds - low) / (high - low)
    return below / total


def quantile(durations: Sequence[int], share: float) -> float | None:
    """The duration that a share of the calls did not exceed, with the same evenness; None without calls."""
    total = sum(durations)
    if not total:
        return None
    wanted, below = share * total, 0
    for count, (low, high) in zip(durations, _BUCKETS, strict=True):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return _BUCKETS[-1][1]


_BUCKETS = tuple(zip((0.0, *BOUNDS), (*BOUNDS, 2 * BOUNDS[-1]), strict=True))


def _availability(promised: Mapping[str, Any], counts: Counts) -> ServiceLevel:
    measured = counts.worked / counts.calls if counts.calls else None
    state: State = "unknown" if measured is None else "met" if measured >= promised["availability"] else "missed"
    return ServiceLevel("availability", float(promised["availability"]), measured, state, counts.calls)


def _response_time(promised: Mapping[str, Any], counts: Counts) -> ServiceLevel:
    limit = float(promised["responseTime"])
    measured = quantile(counts.durations, SHARE)
    state: State = "unknown"
    if measured is not None:
        state = "met" if within(counts.durations, limit) >= SHARE else "missed"
    return ServiceLevel("responseTime", limit, measured, state, counts.worked)


def _freshness(promised: Mapping[str, Any], counts: Counts) -> ServiceLevel:
    state: State = "missed" if counts.stale else "met" if counts.worked else "unknown"
    return ServiceLevel("freshness", float(promised["freshness"]), None, state, counts.worked + counts.stale)


def _sum(rows: Iterable[Mapping[str, Any]]) -> Counts:
    total = Counts()
    for row in rows:
        total.add(Counts(row["calls"], row["worked"], row["stale"], _fitted(row["durations"])))
    return total


def _fitted(durations: Sequence[int]) -> list[int]:
    """Counts of an earlier release, which may have had other buckets, are of no use."""
    return list(durations) if len(durations) == len(BOUNDS) + 1 else [0] * (len(BOUNDS) + 1)
