# SPDX-License-Identifier: Apache-2.0
"""The HTTP faces of health and metrics."""

from dataclasses import dataclass

import orjson
from aiohttp import web

from dictamesh.connectors.sdk.protocol import Status
from dictamesh.runtime.observe.health import Checks
from dictamesh.runtime.observe.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that accepts connections."""

    host: str
    port: int
    runner: web.AppRunner

    async def close(self) -> None:
        """Stop accepting, end open connections; safe to call twice."""
        await self.runner.cleanup()


async def listen(app: web.Application, host: str = "127.0.0.1", port: int = 9090) -> Listening:
    """Serve `app`; port 0 picks a free one. Raises OSError where the address cannot be had."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return Listening(host, int(runner.addresses[0][1]), runner)


def metrics_app(metrics: Metrics) -> web.Application:
    """Return the application of the metrics port: `GET /metrics` in the text format of Prometheus (OB-4)."""

    async def expose(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", expose)
    return app


def health_routes(checks: Checks) -> list[web.RouteDef]:
    """Return `/health/live`, `/health/ready` and `/health/startup`, JSON each, for the main application (OB-9).

    live is 200 as long as the process answers; ready is 503 before the start is over, while draining and when a
    required probe is unhealthy; startup is 503 until the start is over.
    """

    async def live(_: web.Request) -> web.Response:
        return _answer({"status": str(Status.HEALTHY)}, fine=True)

    async def ready(_: web.Request) -> web.Response:
        report = await checks.report()
        return _answer(report.body(), fine=report.ready)

    async def startup(_: web.Request) -> web.Response:
        status = Status.HEALTHY if checks.started else Status.UNHEALTHY
        return _answer({"status": str(status), "started": checks.started}, fine=checks.started)

    return [web.get("/health/live", live), web.get("/health/ready", ready), web.get("/health/startup", startup)]


def _answer(body: dict[str, object], *, fine: bool) -> web.Response:
    return web.Response(
        body=orjson.dumps(body),
        status=200 if fine else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
