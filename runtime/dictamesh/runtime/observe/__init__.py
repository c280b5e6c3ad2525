# SPDX-License-Identifier: Apache-2.0
"""What the runtime tells of itself: logs, traces, metrics, health.

What needs a heavy library is imported from its own module: `observe.metrics` (prometheus-client) and `observe.server`
(aiohttp).
"""

from dictamesh.runtime.observe.catalogue import METRICS, Metric
from dictamesh.runtime.observe.drain import Drain
from dictamesh.runtime.observe.faults import exception_fields
from dictamesh.runtime.observe.health import Checks, Finding, Probe, Report
from dictamesh.runtime.observe.logs import FIELDS, LogFormat, configure
from dictamesh.runtime.observe.metrics_page import reference
from dictamesh.runtime.observe.trace import CURRENT, TraceContext, begin, parse, within

__all__ = [
    "CURRENT",
    "FIELDS",
    "METRICS",
    "Checks",
    "Drain",
    "Finding",
    "LogFormat",
    "Metric",
    "Probe",
    "Report",
    "TraceContext",
    "begin",
    "configure",
    "exception_fields",
    "parse",
    "reference",
    "within",
]
