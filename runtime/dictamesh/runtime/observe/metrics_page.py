# SPDX-License-Identifier: Apache-2.0
"""The page that lists the metrics."""

from dictamesh.runtime.observe.catalogue import COUNTS, METRICS, OTHER, OUTCOMES, PREFIX, SECONDS, WORDS, Metric

_HEAD = f"""\
<!-- Generated from the runtime's table of metrics by `make docs`; do not edit. -->
# Metrics

`GET /metrics` on the metrics port (127.0.0.1:9090 unless `runtime.metricsPort` says otherwise), in the text format of
Prometheus. Labels hold words of this page and names of the plan only, never ids or values; a word that is neither
becomes `{OTHER}`. Durations are in seconds.
"""

_ELSEWHERE = (
    ("`circuit_breaker_state_change`", f"`{PREFIX}_breaker_transitions_total`"),
    ("`adapter.request.duration` (ms)", f"`{PREFIX}_source_request_duration_seconds`"),
    ("`adapter_cache_hits{layer}`", f"`{PREFIX}_cache_hits_total`"),
    ("`graphql_query_duration_seconds`", f"`{PREFIX}_graphql_operation_duration_seconds`"),
)

_ALERTS = (
    ("a source is cut off", f"`{PREFIX}_breaker_state == 2`"),
    ("answers come from last known good rows", f'`rate({PREFIX}_cache_requests_total{{outcome="stale"}}[5m]) > 0`'),
    ("audit rows are not written", f"`increase({PREFIX}_audit_failures_total[5m]) > 0`"),
    (
        "the end of the audit is not signed, or not published",
        f'`increase({PREFIX}_audit_heads_total{{outcome=~"failed|unpublished"}}[15m]) > 0`',
    ),
    ("a source still holds somebody who had to be erased by now", f"`{PREFIX}_erasures_overdue > 0`"),
    (
        "the configuration on disk is not the one that runs",
        f'`increase({PREFIX}_reloads_total{{outcome=~"refused|invalid|failed"}}[15m]) > 0`',
    ),
    ("a quality rule is not met", f"`{PREFIX}_quality_rule_met == 0`"),
    (
        "a quality rule cannot be checked",
        f'`increase({PREFIX}_quality_checks_total{{outcome="error"}}[1d]) > 0`',
    ),
    ("no traffic is taken", f"`{PREFIX}_ready == 0`"),
)


def reference() -> str:
    """Return docs/reference/metrics.md."""
    process = (f"`{PREFIX}_process_*`", "gauge, counter", "", "CPU seconds, memory, open files, start of the process.")
    parts = (
        _HEAD,
        _table(("Metric", "Kind", "Labels", "Meaning"), (*map(_row, METRICS), process)),
        "## Words of the labels\n",
        _table(("Label", "Words"), _vocabulary()),
        "## Buckets\n",
        f"- durations, in seconds: {_numbers(SECONDS)}\n- `{PREFIX}_source_batch_size`, in keys: {_numbers(COUNTS)}\n",
        "## Names used elsewhere\n",
        _table(("Elsewhere", "Here"), _ELSEWHERE),
        "## Worth an alert\n",
        _table(("When", "Expression"), _ALERTS),
    )
    return "\n".join(parts)


def _vocabulary() -> tuple[tuple[str, ...], ...]:
    return (
        ("`server`, `product`, `entity`, `rule`", "names in the plan"),
        ("`route`", "the paths that the runtime serves"),
        ("`hash`", "the first 12 digits of the plan's hash"),
        ("`status`", "HTTP status codes"),
        *((f"`{label}`", _list(WORDS[label])) for label in sorted(WORDS) if label != "status"),
        *((f"`outcome` of `{PREFIX}_{name}`", _list(OUTCOMES[name])) for name in sorted(OUTCOMES)),
    )


def _row(metric: Metric) -> tuple[str, ...]:
    return f"`{metric.full_name}`", str(metric.kind), _list(metric.labels), metric.help


def _table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
