# SPDX-License-Identifier: Apache-2.0
"""The metrics that exist: names, labels, and the words that a label may hold (OB-4..7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from dictamesh.connectors.sdk.errors import Fault

PREFIX = "dictamesh"
OTHER = "other"
SECONDS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One series family; `name` is without the prefix, `buckets` are of histograms only."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as Prometheus sees it."""
        return f"{PREFIX}_{self.name}"


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels, buckets)


WAITS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_GROUPED = ("group", "outcome")
CAPTURE = ("product", "entity", "way")
RULE_LABELS = ("product", "entity", "rule")

METRICS: tuple[Metric, ...] = (
    _counter("http_requests_total", "HTTP requests answered.", "route", "method", "status"),
    _histogram("http_request_duration_seconds", "Time to answer an HTTP request.", "route"),
    _counter("graphql_operations_total", "GraphQL operations by how they ended.", "outcome"),
    _histogram("graphql_operation_duration_seconds", "Time to answer a GraphQL operation."),
    _counter("graphql_errors_total", "Entries of `errors` in GraphQL answers.", "code"),
    _gauge("operations_in_flight", "Operations under way."),
    _counter("cache_requests_total", "Look-ups of rows in the cache.", "layer", "outcome", "entity"),
    _counter("cache_hits_total", "Look-ups that found a row within its time to live.", "layer", "entity"),
    _counter("source_requests_total", "Calls to a source.", "server", "product", "entity", "operation", "outcome"),
    _histogram("source_request_duration_seconds", "Time of a call to a source, waits and retries included.", "server"),
    _counter("source_attempts_total", "Attempts made by calls to a source.", "server", "outcome"),
    _counter("source_rows_total", "Rows received from a source.", "server", "entity"),
    _histogram("source_batch_size", "Keys in one batched call to a source.", "server", buckets=COUNTS),
    _gauge("breaker_state", "Circuit breaker: 0 closed, 1 half-open, 2 open.", "server"),
    _counter("breaker_transitions_total", "Changes of a circuit breaker's state.", "server", "to_state"),
    _counter("auth_failures_total", "Requests refused for their credentials or their purpose.", "code"),
    _counter("unknown_roles_total", "Roles in tokens that the mesh does not declare; they are ignored."),
    _counter("audit_rows_total", "Audit rows committed."),
    _counter("audit_failures_total", "Audit writes that failed."),
    _counter("catalog_entries_total", "What requests left for the catalog, by what became of it.", "what", "outcome"),
    _counter("lineage_events_total", "Lineage events of the mesh, by what became of them.", "sink", "outcome"),
    _counter("lineage_received_total", "Lineage events of others, by what became of them.", "outcome"),
    _counter("audit_heads_total", "Signed statements of where the audit ends, by what became of them.", "outcome"),
    _counter("retention_runs_total", "Runs of the retention task, by how they ended.", "outcome"),
    _counter("retention_removed_total", "What retention took out.", "what"),
    _gauge("erasures_pending", "Erasures of data subjects that some source still has to follow."),
    _gauge("erasures_overdue", "Those of them whose deadline is over."),
    _counter("webhook_deliveries_total", "Webhook deliveries, by what became of them.", "product", "entity", "outcome"),
    _counter("reloads_total", "Changes of the configuration seen, by what became of them.", "outcome"),
    _gauge("plan_info", "1 for the plan that runs, by the start of its hash.", "hash"),
    _gauge("entity_info", "1 for each entity of the plan that runs.", "server", "product", "entity"),
    _gauge("quality_pass_rate", "Share of rows that meet a rule at its last check, or 1 or 0.", *RULE_LABELS),
    _gauge("quality_rule_met", "1 where a rule was met at its last check, 0 where it was not.", *RULE_LABELS),
    _counter("quality_checks_total", "Checks of quality rules by this process.", *RULE_LABELS, "outcome"),
    _counter("consumed_events_total", "Events that groups of the mesh have read, by what became of them.", *_GROUPED),
    _gauge("dead_letters_pending", "Dead letters that wait to be retried or dropped.", "product", "entity"),
    _gauge("consumer_lag", "Events that a group has not read yet.", "group"),
    _histogram("capture_delay_seconds", "From a change in a source to its event in the log.", "product", buckets=WAITS),
    _counter("cache_invalidations_total", "Cached rows given out no more because their record changed.", "entity"),
    _gauge("subscriptions_active", "Subscriptions under way.", "transport"),
    _counter("subscriptions_ended_total", "Subscriptions by how they ended.", "outcome"),
    _counter("subscription_messages_total", "Messages sent to subscribers.", "transport"),
    _histogram("subscription_delay_seconds", "From a change in a source to its message.", "transport", buckets=WAITS),
    _counter("events_published_total", "Events of the log by what became of them on the bus.", "topic", "outcome"),
    _gauge("relay_lag_events", "Events of the log that are still to be published.", "topic"),
    _gauge("relay_waiting", "1 for what keeps the relay from publishing.", "reason"),
    _gauge("topic_drift", "Settings of a topic that are not as the plan says.", "topic"),
    _gauge("freshness_seconds", "Age of the oldest event of a product that was last published.", "product"),
    _gauge("freshness_objective_seconds", "Freshness that a product's contract promises.", "product"),
    _counter("captured_changes_total", "Records that capture saw, by what became of them.", *CAPTURE, "outcome"),
    _counter("capture_failures_total", "Ways of noticing changes that broke off, by why.", *CAPTURE, "outcome"),
    _gauge("capture_owned", "1 where this process captures an entity.", *CAPTURE),
    _gauge("capture_last_success_seconds", "When a batch was written last, in seconds since 1970.", *CAPTURE),
    _gauge("capture_lag_seconds", "Age of the newest change of the last batch when it was written.", *CAPTURE),
    _gauge("capture_lag_bytes", "Log of a source that is not recorded yet.", "product", "server"),
    _gauge("capture_waiting_seconds", "Age of the last change taken from a slot while it waits.", "product", "server"),
    _gauge("capture_slot_retained_bytes", "Log that a source keeps for a replication slot.", "product", "server"),
    _gauge("capture_slots_kept", "Slots that no product reads any more; their sources keep log for them."),
    _gauge("ready", "1 while the process takes traffic."),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}

PLAN_LABELS = ("server", "product", "entity")

_CODES = (
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "VALIDATION_ERROR",
    "PARSE_FAILED",
    "LIMIT_EXCEEDED",
    "SCAN_LIMIT",
    "SOURCE_TIMEOUT",
    "SOURCE_UNAVAILABLE",
    "CIRCUIT_OPEN",
    "SOURCE_DATA_INVALID",
    "CONTRACT_VIOLATION",
    "EXPRESSION_FAILED",
    "RATE_LIMIT_EXCEEDED",
    "INTERNAL_ERROR",
    "ENTITY_NOT_FOUND",
)

_CALL_ENDS = ("ok", *map(str, Fault), "circuit_open", "saturated", "cancelled", "error")

OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "graphql_operations_total": ("ok", "partial", "refused", "failed"),
    "source_requests_total": _CALL_ENDS,
    "source_attempts_total": _CALL_ENDS,
    "cache_requests_total": ("hit", "miss", "stale"),
    "quality_checks_total": ("passed", "failed", "error"),
    "lineage_events_total": ("sent", "dropped", "refused"),
    "lineage_received_total": ("taken", "known", "refused"),
    "audit_heads_total": ("signed", "unchanged", "failed", "unpublished"),
    "retention_runs_total": ("done", "elsewhere", "failed"),
    "webhook_deliveries_total": (
        "accepted",
        "duplicate",
        "stale",
        "invalid",
        "unsigned",
        "refused",
        "too_large",
        "busy",
        "unavailable",
        "failed",
    ),
    "captured_changes_total": ("created", "updated", "deleted", "unchanged", "bad", "doubted"),
    "capture_failures_total": ("source", "catalog", "ousted", "key", "lost", "ended", "error"),
    "reloads_total": ("applied", "unchanged", "refused", "invalid", "failed"),
    "consumed_events_total": ("handled", "dead"),
    "subscriptions_ended_total": ("complete", "refused", "slow", "expired", "drained", "failed"),
    "catalog_entries_total": ("written", "dropped"),
    "events_published_total": ("published", "invalid", "failed"),
}

WORDS: Mapping[str, tuple[str, ...]] = {
    "method": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
    "status": tuple(str(int(status)) for status in HTTPStatus),
    "code": _CODES,
    "operation": ("get", "list", "batch", "lookup", "count", "describe", "health"),
    "what": ("usage", "levels", "relations", "cache", "record", "event", "row"),
    "way": ("poll", "snapshot", "webhook", "postgres", "kafka"),
    "layer": ("l1", "l2", "l3"),
    "sink": ("http", "file", "catalog"),
    "transport": ("ws", "sse"),
    "group": ("metadata-catalog-consumer", "hooks"),
    "reason": ("registry", "schema", "broker", "topic", "refused"),
    "to_state": ("closed", "half-open", "open"),
}


def words(metric: Metric, label: str) -> tuple[str, ...]:
    """Return the values that `label` of `metric` may hold; names of a plan and routes join them at run time."""
    return OUTCOMES.get(metric.name, ()) if label == "outcome" else WORDS.get(label, ())
