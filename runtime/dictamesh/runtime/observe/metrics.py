# SPDX-License-Identifier: Apache-2.0
"""The metrics of one mesh, in a registry of its own (OB-4)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from dictamesh.runtime.observe.catalogue import BY_NAME, METRICS, OTHER, PLAN_LABELS, PREFIX, Kind, Metric, words

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
BREAKER_LEVELS = {"closed": 0, "half-open": 1, "open": 2}
_HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Served:
    """An entity of a plan, as the labels name it."""

    server: str
    product: str
    entity: str


@dataclass(frozen=True, slots=True)
class SourceCall:
    """A call to a source that ended: `seconds` in all, the rows received, and the keys asked for if it was a batch."""

    operation: str
    outcome: str
    seconds: float
    rows: int = 0
    keys: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The last check of a quality rule that could be told."""

    product: str
    entity: str
    rule: str
    met: bool
    rate: float


class Metrics:
    """Counts, observes and exposes.

    Label values are positional, in the order of `METRICS`. A value that neither the table nor the plan holds is
    recorded as `other`, so that no caller's text can become a series. An unknown metric raises KeyError, a wrong number
    of label values ValueError: both are defects of the caller.
    """

    def __init__(self, routes: Collection[str] = ()) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library
        self._registry = CollectorRegistry(auto_describe=True)
        self._families: dict[str, Any] = {metric.name: _family(metric, self._registry) for metric in METRICS}
        self._bound: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._names: dict[str, frozenset[str]] = {"route": frozenset(routes)}
        self._fixed = {(m.name, label): frozenset(words(m, label)) for m in METRICS for label in m.labels}
        ProcessCollector(namespace=PREFIX, registry=self._registry)

    def exposition(self) -> bytes:
        """Return all series in the text format of `CONTENT_TYPE`."""
        return prometheus_client.generate_latest(self._registry)

    def allow_routes(self, routes: Iterable[str]) -> None:
        """Let `route` hold these paths too: patterns of ours, as `/api/v1/catalog/entities/{id}`."""
        self._names["route"] |= frozenset(routes)

    def use_topics(self, topics: Iterable[str]) -> None:
        """Let `topic` hold these names; for the start and each reload."""
        self._names["topic"] = frozenset(topics)

    def use_plan(self, plan_hash: str, entities: Iterable[Served], rules: Iterable[str] = ()) -> None:
        """Let labels hold the names of this plan and of its quality `rules`, and say which plan runs; for the start and
        each reload.
        """
        served = tuple(entities)
        self._names["rule"] = frozenset(rules)
        for label in PLAN_LABELS:
            self._names[label] = frozenset(getattr(entity, label) for entity in served)
        info, entity_info = self._families["plan_info"], self._families["entity_info"]
        info.clear()
        info.labels(plan_hash[:_HASH_DIGITS]).set(1)
        entity_info.clear()
        for entity in served:
            entity_info.labels(entity.server, entity.product, entity.entity).set(1)
            self._child("breaker_state", (entity.server,))  # exposed as 0 before anything happens

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Record a value in a histogram."""
        self._child(name, labels).observe(value)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._child(name, labels).set(value)

    def http_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Record an answered request; `route` is the pattern that matched, never the path that was sent."""
        self.count("http_requests_total", route, method, str(status))
        self.observe("http_request_duration_seconds", seconds, route)

    def graphql_operation(self, outcome: str, seconds: float, codes: Iterable[str] = ()) -> None:
        """Record an operation: `ok`, `partial` (data and errors), `refused` (before any work) or `failed`."""
        self.count("graphql_operations_total", outcome)
        self.observe("graphql_operation_duration_seconds", seconds)
        for code in codes:
            self.count("graphql_errors_total", code)

    def source_call(self, of: Served, call: SourceCall) -> None:
        """Record a call to a source."""
        self.count("source_requests_total", of.server, of.product, of.entity, call.operation, call.outcome)
        self.observe("source_request_duration_seconds", call.seconds, of.server)
        if call.rows:
            self.count("source_rows_total", of.server, of.entity, by=call.rows)
        if call.keys is not None:
            self.observe("source_batch_size", call.keys, of.server)

    def catalog_written(self, what: str, written: int, dropped: int) -> None:
        """Record what requests left for the catalog: entries written, and entries dropped because too many waited."""
        for outcome, entries in (("written", written), ("dropped", dropped)):
            if entries:
                self.count("catalog_entries_total", what, outcome, by=entries)

    def lineage_received(self, outcome: str, events: int) -> None:
        """Record what became of lineage events of others: `taken`, `known` or `refused`."""
        self.count("lineage_received_total", outcome, by=events)

    def cache_lookup(self, layer: str, outcome: str, entity: str, times: int = 1) -> None:
        """Record look-ups in one cache layer: `hit`, `miss` or `stale`."""
        self.count("cache_requests_total", layer, outcome, entity, by=times)
        if outcome == "hit":
            self.count("cache_hits_total", layer, entity, by=times)

    def quality(self, checked: Iterable[Checked]) -> None:
        """Show the last check of each rule, and of no other; for all rules of a plan at once."""
        for name in ("quality_pass_rate", "quality_rule_met"):
            self._families[name].clear()
            self._bound = {key: child for key, child in self._bound.items() if key[0] != name}
        for each in checked:
            labels = (each.product, each.entity, each.rule)
            self.set("quality_rule_met", float(each.met), *labels)
            self.set("quality_pass_rate", each.rate, *labels)

    def source_attempt(self, server: str, outcome: str, _seconds: float) -> None:
        """Record an attempt; fits the guard's `on_attempt`."""
        self.count("source_attempts_total", server, outcome)

    def breaker_moved(self, server: str, state: str) -> None:
        """Record a breaker's change to `closed`, `half-open` or `open`; fits the guard's `on_state` (RS-4)."""
        self.set("breaker_state", BREAKER_LEVELS[state], server)
        self.count("breaker_transitions_total", server, str(state))

    def _child(self, name: str, labels: tuple[str, ...]) -> Any:
        bound = self._bound.get((name, labels))
        return bound if bound is not None else self._bind(name, labels)

    def _bind(self, name: str, labels: tuple[str, ...]) -> Any:
        metric = BY_NAME[name]
        if len(labels) != len(metric.labels):
            raise ValueError(f"{name} takes the labels {metric.labels}")
        if not labels:
            return self._bound.setdefault((name, ()), self._families[name])
        safe = tuple(self._word(name, label, value) for label, value in zip(metric.labels, labels, strict=True))
        if (name, safe) not in self._bound:
            self._bound[name, safe] = self._families[name].labels(*safe)
        return self._bound[name, safe]

    def _word(self, name: str, label: str, value: str) -> str:
        known = value in self._fixed[name, label] or value in self._names.get(label, ())
        return str(value) if known else OTHER


def _family(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind is Kind.COUNTER:
        return Counter(metric.full_name, metric.help, metric.labels, registry=registry)
    if metric.kind is Kind.GAUGE:
        return Gauge(metric.full_name, metric.help, metric.labels, registry=registry)
    return Histogram(metric.full_name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
