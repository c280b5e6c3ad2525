# SPDX-License-Identifier: Apache-2.0
"""What the relay does, as metrics: what was published, what waits, how fresh each product is (MO-7)."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from dictamesh.runtime.bus.messages import Told
from dictamesh.runtime.bus.tls import Fault
from dictamesh.runtime.bus.topics import Drift, Wanted
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.observe.metrics import Metrics

_LOG = logging.getLogger("dictamesh.bus")
_TOPIC = attrgetter("topic")
_REASONS = ("registry", "schema", "broker", "topic", "refused")


@dataclass(slots=True)
class BusMetrics:
    """Hears the relay; `reason` is what it waits for now, if anything, `fault` what somebody has to mend."""

    metrics: Metrics
    reason: str | None = field(default=None, init=False)
    fault: Fault | None = field(default=None, init=False)
    _products: dict[str, str] = field(default_factory=dict, init=False)
    _hidden: int = field(default=0, init=False)
    _drifts: frozenset[Drift] = field(default=frozenset(), init=False)

    def use(self, plan: Plan, topics: Mapping[str, Wanted]) -> None:
        """Know the topics and promises of a plan."""
        self.metrics.use_topics(topics)
        self._products = {name: topic.entity.product for name, topic in topics.items() if topic.entity is not None}
        for name in set(self._products.values()):
            promised = plan.products[name].sla.get("latency")
            if promised:
                self.metrics.set("freshness_objective_seconds", float(promised), name)
        self.waiting(None)

    def published(self, rows: Sequence[Told]) -> None:
        now = time.time()
        oldest: dict[str, int] = {}
        for topic, of_topic in groupby(rows, _TOPIC):
            times = [row.at for row in of_topic]
            self.metrics.count("events_published_total", topic, "published", by=len(times))
            product = self._products.get(topic)
            if product is not None:
                oldest[product] = min(oldest.get(product, times[0]), *times)
        for product, at in oldest.items():
            self.metrics.set("freshness_seconds", max(now - at / 1000, 0.0), product)

    def rejected(self, topic: str, count: int) -> None:
        self.metrics.count("events_published_total", topic, "invalid", by=count)
        _LOG.error("events do not fit their topic and are dead letters", extra={"topic": topic, "count": count})

    def failed(self, topic: str, code: str, count: int) -> None:
        self.metrics.count("events_published_total", topic, "failed", by=count)
        told = {"topic": topic, "code": code, "count": count}
        _LOG.warning("the brokers did not take messages; they are sent again", extra=told)

    def lag(self, events: Mapping[str, int]) -> None:
        for topic, count in events.items():
            self.metrics.set("relay_lag_events", count, topic)

    def waiting(self, reason: str | None, fault: Fault | None = None) -> None:
        if reason is not None and (reason, fault) != (self.reason, self.fault):
            named = {} if fault is None else {"place": fault.place, "fault": f"{fault.what}; {fault.cure}"}
            level = logging.WARNING if fault is None else logging.ERROR
            _LOG.log(level, "the relay waits", extra={"reason": reason, **named})
        self.reason, self.fault = reason, fault
        for each in _REASONS:
            self.metrics.set("relay_waiting", float(each == reason), each)

    def hidden(self, count: int) -> None:
        """Tell in the log, once, that settings of topics cannot be compared."""
        if count and count != self._hidden:
            _LOG.warning(
                "topics cannot be compared with the plan: we may not see their settings", extra={"count": count}
            )
        self._hidden = count

    def drifted(self, topics: Iterable[str], found: Sequence[Drift]) -> None:
        """Tell of drift; in the log once."""
        counts = Counter(each.topic for each in found)
        for topic in topics:
            self.metrics.set("topic_drift", counts[topic], topic)
        for each in found:
            if each not in self._drifts:
                _LOG.warning(
                    "a topic is not as the plan says; see 'dictamesh-runtime events topics'",
                    extra={"reason": str(each)},
                )
        self._drifts = frozenset(found)
