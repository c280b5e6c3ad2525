# SPDX-License-Identifier: Apache-2.0
"""`serve`, and what happens without a command: start the mesh, stay until told to stop."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Iterable
from pathlib import Path

import uvloop

from dictamesh.runtime.cli.common import config_of, show
from dictamesh.runtime.cli.exits import FINDINGS, FINE
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.running import RunningMesh
from dictamesh.runtime.mesh.settings import settings
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.runtime.observe.logs import configure
from dictamesh.specs.collecting import settled
from dictamesh.specs.diagnostics import Severity

_LOG = logging.getLogger("dictamesh.cli")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, help="port of GraphQL, catalog and health; 0 picks a free one (default: 8080)"
    )
    parser.add_argument("--metrics-port", type=int, help="port of /metrics; 0 picks a free one (default: 9090)")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL and of keys (default: ./.dictamesh)")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--log-format", choices=["json", "text"])
    parser.add_argument("--no-watch", dest="watch", action="store_false", default=None, help="reload on SIGHUP only")
    parser.add_argument(
        "--accept-weaker", action="store_true", help="let the file watcher load specs that show more to somebody"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 1 where the specs have errors."""
    config = config_of(options)
    made = build_file(config)
    if made.plan is None:
        show([each for each in made.diagnostics if each.severity is not Severity.NOTE], made.sources)
        return FINDINGS
    names = ("host", "port", "metrics_port", "data_dir", "log_level", "log_format", "watch")
    chosen = settings(made.plan.mesh.runtime, {name: getattr(options, name) for name in names})
    undo = configure(service=f"dictamesh/{made.plan.name}", level=chosen.log_level, layout=chosen.log_format)
    try:
        start = Start(config.absolute(), made, made.plan, chosen, options.accept_weaker)
        return uvloop.run(_serve(start))
    finally:
        undo()


async def _serve(start: Start) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    starting = asyncio.ensure_future(start_mesh(start))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return FINE
    mesh = starting.result()
    settled()
    reloads: set[asyncio.Task[object]] = set()
    loop.add_signal_handler(signal.SIGHUP, lambda: _spawn(reloads, mesh))
    try:
        print("\n".join(_table(mesh)), flush=True)
        await stopping
    finally:
        left = await mesh.stop()
    if left:
        _LOG.warning("operations were cut off at the end", extra={"count": left})
    print("stopped", flush=True)
    return FINE


def _spawn(reloads: set[asyncio.Task[object]], mesh: RunningMesh) -> None:
    task: asyncio.Task[object] = asyncio.get_running_loop().create_task(mesh.reload("signal"))
    reloads.add(task)
    task.add_done_callback(reloads.discard)


def _table(mesh: RunningMesh) -> Iterable[str]:
    plan = mesh.world.plan
    rows = [("PRODUCT", "ENTITY", "SOURCE", "TOPIC"), *_rows(plan)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield f"catalog   {mesh.store.where}"
    yield f"metrics   http://{mesh.metrics_http.host}:{mesh.metrics_http.port}/metrics"
    yield f"plan      {plan.hash[:12]}"
    yield f"ready     {mesh.url}/graphql (health {mesh.url}/health/ready, catalog {mesh.url}/api/v1/catalog/entities)"


def _rows(plan: Plan) -> Iterable[tuple[str, str, str, str]]:
    for entity in plan.entities.values():
        product = plan.products[entity.product]
        yield (
            f"{product.name} {product.version}",
            entity.name,
            f"{entity.server} ({entity.connector})",
            entity.topic.name,
        )


def data_dir_of(plan: Plan, given: str | None) -> Path:
    """Return the data folder that `serve` would use."""
    return Path(settings(plan.mesh.runtime, {"data_dir": given}).data_dir)
