# SPDX-License-Identifier: Apache-2.0
"""Whether the process can serve: named probes, run with a timeout and remembered for a second (OB-9)."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.connectors.sdk.protocol import Health, Status

Probe = Callable[[], Awaitable[Health]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one probe; `reason` is `timeout` or `failed` where the probe itself did not answer."""

    name: str
    status: Status
    latency_ms: float
    reason: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the finding as JSON values. The probe's own text is left out: it may be foreign."""
        body: dict[str, Any] = {"status": str(self.status), "latency_ms": self.latency_ms}
        return body | {"reason": self.reason} if self.reason else body


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, the breakers by server (RS-4), and what follows from them."""

    status: Status
    ready: bool
    started: bool
    draining: bool
    findings: tuple[Finding, ...]
    breakers: Mapping[str, str]

    def body(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "status": str(self.status),
            "ready": self.ready,
            "started": self.started,
            "draining": self.draining,
            "checks": {finding.name: finding.body() for finding in self.findings},
            "breakers": {name: str(state) for name, state in self.breakers.items()},
        }


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    probe: Probe
    timeout: float
    required: bool


def _nothing() -> dict[str, str]:
    return {}


class Checks:
    """The registry of probes of a process.

    A required probe that is unhealthy makes the process unhealthy and not ready. One that is not required, as a
    source's, and a breaker that is not closed, make it degraded: the other products are still served.
    """

    def __init__(
        self,
        *,
        breakers: Callable[[], Mapping[str, str]] = _nothing,
        draining: Callable[[], bool] = bool,
        now: Callable[[], float] = time.monotonic,
        fresh_for: float = 1.0,
    ) -> None:
        """`breakers()` gives states by server, `draining()` whether the end has begun; `fresh_for` in seconds."""
        self._breakers = breakers
        self._draining = draining
        self._now = now
        self._fresh_for = fresh_for
        self._checks: dict[str, _Check] = {}
        self._findings: tuple[Finding, ...] = ()
        self._found_at: float | None = None
        self._running = asyncio.Lock()
        self.started = False

    def add(self, name: str, probe: Probe, *, timeout: float = 2.0, required: bool = True) -> None:
        """Register a probe, in place of one with the same name; `timeout` in seconds."""
        self._checks[name] = _Check(name, probe, timeout, required)
        self._found_at = None

    def remove(self, name: str) -> None:
        """Forget a probe; an unknown name is no error."""
        self._checks.pop(name, None)
        self._found_at = None

    def mark_started(self) -> None:
        """Say that start-up is over."""
        self.started = True

    async def report(self) -> Report:
        """Run the probes side by side, unless the last findings are fresh; concurrent callers share one run."""
        async with self._running:
            if self._found_at is None or self._now() - self._found_at >= self._fresh_for:
                checks = tuple(self._checks.values())
                self._findings = tuple(await asyncio.gather(*(self._find(check) for check in checks)))
                self._found_at = self._now()
        return self._judge(self._findings)

    def _judge(self, findings: tuple[Finding, ...]) -> Report:
        breakers = dict(self._breakers())
        lost = any(f.status is Status.UNHEALTHY and self._is_required(f.name) for f in findings)
        worse = any(f.status is not Status.HEALTHY for f in findings) or any(s != "closed" for s in breakers.values())
        status = Status.UNHEALTHY if lost else Status.DEGRADED if worse else Status.HEALTHY
        draining = self._draining()
        ready = self.started and not draining and not lost
        return Report(status, ready, self.started, draining, findings, breakers)

    def _is_required(self, name: str) -> bool:
        check = self._checks.get(name)
        return check is not None and check.required

    async def _find(self, check: _Check) -> Finding:
        started = self._now()
        reason = None
        try:
            async with asyncio.timeout(check.timeout):
                status = (await check.probe()).status
        except TimeoutError:
            status, reason = Status.UNHEALTHY, "timeout"
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means that its part is not healthy
            status, reason = Status.UNHEALTHY, "failed"
            _log.warning("a health probe failed", exc_info=error, extra={"check": check.name})
        return Finding(check.name, status, round((self._now() - started) * 1000, 3), reason)
