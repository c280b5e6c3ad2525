# SPDX-License-Identifier: Apache-2.0
"""A mesh in one process: real specs, real connectors behind real guards, real engine; no HTTP in front."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from dictamesh.connectors.registry import factory, manifest, manifests
from dictamesh.connectors.sdk import Context
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.compile.compiler import compile_specs
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.execution.run import Execution, make_run
from dictamesh.runtime.gateway.serving import Gateway, serving
from dictamesh.runtime.governance.access import AccessCache
from dictamesh.runtime.governance.audit import AuditRow
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.runtime.resilience import L1, Clock, Guard, Listeners, Settings
from dictamesh.specs.documents import Files, Memory
from dictamesh.specs.resolve.validate import validate

INFO = RequestInfo("0" * 31 + "1", "0" * 15 + "1")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Kept:
    """An audit sink that keeps rows; `fails` is raised in its place."""

    def __init__(self) -> None:
        self.rows: list[AuditRow] = []
        self.fails: Exception | None = None

    async def record(self, rows: Sequence[AuditRow]) -> None:
        if self.fails is not None:
            raise self.fails
        self.rows.extend(rows)


@dataclass
class Running:
    """A mesh that answers operations; `calls` counts attempts by server."""

    plan: Plan
    adapters: Adapters
    gateway: Gateway
    audit: Kept
    calls: Counter[str]
    keys: Mapping[str, bytes] = field(default_factory=dict)
    execution: Execution | None = None

    @property
    def ids(self) -> RecordIds:
        return RecordIds(surrogates(self.plan, self.keys))

    def tell(self, **hearers: Any) -> None:
        """Let `used` or `follower` hear of the operations from now on."""
        assert self.execution is not None
        self.execution = replace(self.execution, **hearers)
        self.gateway.exchange(serving(self.plan, make_run(self.execution), self.gateway.current.authenticate))

    async def ask(
        self, text: str, principal: Principal = ANONYMOUS, variables: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        self.calls.clear()
        answer = await self.gateway.handle(text, variables, None, principal, INFO)
        return dict(answer.body)

    async def data(self, text: str, principal: Principal = ANONYMOUS, **variables: Any) -> Any:
        body = await self.ask(text, principal, variables)
        assert "errors" not in body, body["errors"]
        return body["data"]


def compiled(files: Files, path: str = "mesh.yaml") -> Plan:
    checked = validate(files, path, manifests())
    assert checked.specs is not None, [(d.code, d.message, d.span) for d in checked.diagnostics]
    return compile_specs(checked.specs).plan


def memory(**texts: str) -> Memory:
    return Memory({f"{name}.yaml": text for name, text in texts.items()})


@asynccontextmanager
async def running(
    plan: Plan,
    options: Mapping[str, Mapping[str, Any]],
    folder: Path,
    *,
    settings: Settings | None = None,
    keys: Mapping[str, bytes] | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    """Run a plan; `options` are those of its servers, with references resolved."""
    calls: Counter[str] = Counter()
    heard = Listeners(on_attempt=lambda name, _outcome, _seconds: calls.update([name]))
    async with AsyncExitStack() as stack:
        lines = {}
        for name, server in plan.servers.items():
            described = manifest(server.connector)
            connector = factory(server.connector)(
                described.server.model_validate(options[name]), Context(name, folder, 2.0)
            )
            await connector.open()
            stack.push_async_callback(connector.close)
            lines[name] = Line(connector, Guard(name, settings, listeners=heard), described)
        adapters = Adapters(plan, lines, L1(10_000, **({"clock": clock} if clock else {})))
        audit = Kept()
        held = AccessCache(plan, keys or {})
        execution = Execution(plan, adapters, held.access, audit, b"audit-key", keys or {}, now)

        async def nobody(_: Mapping[str, str]) -> Principal:
            return ANONYMOUS

        gateway = Gateway(serving(plan, make_run(execution), nobody))
        yield Running(plan, adapters, gateway, audit, calls, keys or {}, execution)


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a free port of loopback and yield its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
