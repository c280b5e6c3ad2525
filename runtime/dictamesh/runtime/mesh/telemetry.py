# SPDX-License-Identifier: Apache-2.0
"""What adapters and the audit tell, as metrics of the mesh."""

from collections.abc import Mapping, Sequence

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import Authenticate
from dictamesh.runtime.governance.audit import AuditRow, AuditSink, AuditUnavailable
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.observe.metrics import Metrics, Served, SourceCall


class PlanTelemetry:
    """Telemetry of the adapters of one plan."""

    def __init__(self, metrics: Metrics, plan: Plan) -> None:
        self._metrics = metrics
        self._served = {
            address: Served(entity.server, entity.product, entity.name) for address, entity in plan.entities.items()
        }

    def called(self, address: str, operation: str, outcome: str, seconds: float, rows: int, keys: int | None) -> None:
        self._metrics.source_call(self._served[address], SourceCall(operation, outcome, seconds, rows, keys))

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        self._metrics.cache_lookup("l1", outcome, self._served[address].entity, times)


def counted(metrics: Metrics, authenticate: Authenticate) -> Authenticate:
    """Return the same authentication with its refusals counted."""

    async def principal(headers: Mapping[str, str]) -> Principal:
        try:
            return await authenticate(headers)
        except Unauthenticated:
            metrics.count("auth_failures_total", "UNAUTHENTICATED")
            raise
        except PurposeRefused:
            metrics.count("auth_failures_total", "FORBIDDEN")
            raise

    return principal


class CountedAudit:
    """An audit log whose rows and failures are counted."""

    def __init__(self, sink: AuditSink, metrics: Metrics) -> None:
        self._sink = sink
        self._metrics = metrics

    async def record(self, rows: Sequence[AuditRow]) -> None:
        try:
            await self._sink.record(rows)
        except AuditUnavailable:
            self._metrics.count("audit_failures_total")
            raise
        self._metrics.count("audit_rows_total", by=len(rows))
