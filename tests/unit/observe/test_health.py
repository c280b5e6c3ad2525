# SPDX-License-Identifier: Apache-2.0
"""Health over a real server (OB-9, RS-4)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web

from dictamesh.connectors.sdk.protocol import Health, Status
from dictamesh.runtime.observe import Checks, Drain, Probe
from dictamesh.runtime.observe.server import health_routes, listen
from dictamesh.runtime.resilience import Clock
from tests.unit.resilience.virtual_time import run

SECRET = "canary-4711"


def probe(status: Status) -> Probe:
    async def answer() -> Health:
        return Health(status, SECRET)

    return answer


@asynccontextmanager
async def serving(checks: Checks) -> AsyncIterator[Callable[[str], Any]]:
    app = web.Application()
    app.add_routes(health_routes(checks))
    server = await listen(app, port=0)
    async with ClientSession(f"http://127.0.0.1:{server.port}") as session:

        async def get(path: str) -> tuple[int, Any]:
            async with session.get(path) as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                text = await answer.text()
                assert SECRET not in text
                return answer.status, await answer.json()

        yield get
    await server.close()


async def test_start_ready_drain():
    drain = Drain()
    checks = Checks(draining=lambda: drain.draining)
    checks.add("catalog", probe(Status.HEALTHY))
    async with serving(checks) as get:
        assert (await get("/health/startup"))[0] == 503
        assert (await get("/health/ready"))[0] == 503
        assert await get("/health/live") == (200, {"status": "healthy"})
        checks.mark_started()
        assert await get("/health/startup") == (200, {"status": "healthy", "started": True})
        status, body = await get("/health/ready")
        assert (status, body["status"], body["ready"]) == (200, "healthy", True)
        assert body["checks"]["catalog"]["status"] == "healthy"
        assert body["checks"]["catalog"]["latency_ms"] >= 0
        drain.begin_drain()
        status, body = await get("/health/ready")
        assert (status, body["draining"], body["ready"]) == (503, True, False)
        assert (await get("/health/live"))[0] == 200


@pytest.mark.parametrize(
    ("found", "required", "code", "overall"),
    [
        (Status.HEALTHY, True, 200, "healthy"),
        (Status.DEGRADED, True, 200, "degraded"),
        (Status.UNHEALTHY, True, 503, "unhealthy"),
        (Status.UNHEALTHY, False, 200, "degraded"),
        (Status.DEGRADED, False, 200, "degraded"),
    ],
)
async def test_what_a_probe_means_for_the_whole(found: Status, required: bool, code: int, overall: str):
    checks = Checks()
    checks.mark_started()
    checks.add("other", probe(Status.HEALTHY))
    checks.add("part", probe(found), required=required)
    async with serving(checks) as get:
        status, body = await get("/health/ready")
    assert (status, body["status"], body["checks"]["part"]["status"]) == (code, overall, str(found))


@pytest.mark.parametrize(("state", "overall"), [("closed", "healthy"), ("open", "degraded"), ("half-open", "degraded")])
async def test_breakers_show_and_degrade(state: str, overall: str):
    checks = Checks(breakers=lambda: {"cms": state})
    checks.mark_started()
    async with serving(checks) as get:
        status, body = await get("/health/ready")
    assert (status, body["status"], body["breakers"]) == (200, overall, {"cms": state})


async def test_probes_that_hang_or_fail_are_unhealthy_and_tell_no_text():
    async def hang() -> Health:
        await asyncio.sleep(60)
        return Health(Status.HEALTHY)

    async def fail() -> Health:
        raise RuntimeError(SECRET)

    checks = Checks()
    checks.mark_started()
    checks.add("hangs", hang, timeout=0.02)
    checks.add("fails", fail)
    async with serving(checks) as get:
        status, body = await get("/health/ready")
        assert status == 503
        assert body["checks"]["hangs"]["reason"] == "timeout"
        assert body["checks"]["hangs"]["latency_ms"] >= 19
        assert body["checks"]["fails"]["reason"] == "failed"
        checks.remove("hangs")
        checks.remove("fails")
        assert (await get("/health/ready"))[0] == 200


def test_each_probe_has_a_timeout_of_its_own():
    async def main(clock: Clock) -> None:
        async def slow() -> Health:
            await asyncio.sleep(1.5)
            return Health(Status.HEALTHY)

        checks = Checks(now=clock.now)
        checks.add("default", slow)
        checks.add("short", slow, timeout=0.25)
        found = {finding.name: finding for finding in (await checks.report()).findings}
        assert (found["default"].status, found["default"].latency_ms) == (Status.HEALTHY, 1500)
        assert (found["short"].reason, found["short"].latency_ms) == ("timeout", 250)

    run(main)


async def test_findings_serve_a_second_and_concurrent_callers_share_a_run():
    now = 0.0
    runs = 0

    async def count() -> Health:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return Health(Status.HEALTHY)

    checks = Checks(now=lambda: now)
    checks.add("a", count)
    await asyncio.gather(*(checks.report() for _ in range(20)))
    assert runs == 1
    now = 0.99
    await checks.report()
    assert runs == 1
    now = 1.0
    await checks.report()
    assert runs == 2
    checks.add("a", count)
    await checks.report()
    assert runs == 3


async def test_probes_run_side_by_side():
    barrier = asyncio.Barrier(5)

    async def meet() -> Health:
        await barrier.wait()
        return Health(Status.HEALTHY)

    checks = Checks()
    for number in range(5):
        checks.add(str(number), meet, timeout=30)
    assert (await checks.report()).status is Status.HEALTHY
