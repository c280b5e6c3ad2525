# SPDX-License-Identifier: Apache-2.0
"""`doctor`: is everything there that the mesh depends on."""

import argparse
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from dictamesh.connectors.registry import registry
from dictamesh.connectors.sdk import Status
from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable
from dictamesh.runtime.bus.schemas import Incompatible, Schemas
from dictamesh.runtime.bus.topics import compare
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.cli.common import add_format, built, config_of, print_json, show
from dictamesh.runtime.cli.exits import DEPENDENCY, FINDINGS, FINE
from dictamesh.runtime.compile.plan import Plan, ServerPlan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.lines import close_lines, open_line
from dictamesh.runtime.mesh.publishing import Reached, incompatible, reach
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.settings import settings
from dictamesh.runtime.observe.logs import configure
from dictamesh.runtime.resilience import Listeners
from dictamesh.specs.engines.registry import installed
from dictamesh.specs.model import Runtime

FREE = 256 * 1024 * 1024  # bytes that the data folder's disk should have left


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `cure` is empty where it is fine."""

    name: str
    fine: bool
    told: str
    cure: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL (default: ./.dictamesh)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print each check; 1 where the specs have errors, 3 where a dependency is missing."""
    made = built(options)
    if made.plan is None:
        show(made.diagnostics, made.sources)
        return FINDINGS
    undo = configure(service="dictamesh/doctor", level="error", layout="text")
    try:
        found = uvloop.run(_look(made.plan, Resolver(config_of(options).absolute().parent), options.data_dir))
    finally:
        undo()
    if options.format == "json":
        print_json([{"check": each.name, "fine": each.fine, "told": each.told, "cure": each.cure} for each in found])
    else:
        for each in found:
            print(f"{'ok  ' if each.fine else 'FAIL'} {each.name}: {each.told}")
            if each.cure:
                print(f"     = {each.cure}")
    return FINE if all(each.fine for each in found) else DEPENDENCY


async def _look(plan: Plan, resolver: Resolver, data_dir: str | None) -> list[Finding]:
    chosen = settings(plan.mesh.runtime, {"data_dir": data_dir})
    folder = Path(chosen.data_dir)
    found = [Finding("specs", fine=True, told=f"{len(plan.products)} products, plan {plan.hash[:12]}")]
    found += [
        Finding(f"connector {note.entry_point}", fine=False, told=note.reason, cure=f"see the package {note.package}")
        for note in registry().notes
    ]
    found += [
        Finding(f"engine {note.entry_point}", fine=False, told=note.reason, cure=f"see the package {note.package}")
        for note in installed().notes
    ]
    found.append(_secrets(plan, resolver))
    found += [await _server(plan, server, resolver) for server in plan.servers.values()]
    found.append(_folder(folder))
    found.append(await _catalog(plan, resolver, folder))
    found += await _bus(plan, resolver)
    found += _ports(chosen, running=running_owner(folder) is not None)
    return found


def _secrets(plan: Plan, resolver: Resolver) -> Finding:
    try:
        count = len(resolver.secrets(plan.mesh.security))
    except StartFailed as failed:
        return Finding("secrets", fine=False, told=failed.message, cure=failed.cure)
    return Finding("secrets", fine=True, told=f"{count} references resolved")


async def _server(plan: Plan, server: ServerPlan, resolver: Resolver) -> Finding:
    name = f"server {server.id}"
    started = time.perf_counter()
    try:
        opened = await open_line(plan, server, resolver, Listeners())
    except StartFailed as failed:
        return Finding(name, fine=False, told=failed.message, cure=failed.cure)
    try:
        health = await opened.line.connector.health()
    finally:
        await close_lines([opened])
    elapsed = (time.perf_counter() - started) * 1000
    if health.status is Status.UNHEALTHY:
        return Finding(
            name, fine=False, told=health.detail or "it does not answer", cure="see its address and credentials"
        )
    return Finding(name, fine=True, told=f"{server.connector}, answered in {elapsed:.0f} ms")


def _folder(folder: Path) -> Finding:
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "data folder", fine=False, told=f"{existing} cannot be written", cure="choose another --data-dir"
        )
    state = os.statvfs(existing)
    left = state.f_bavail * state.f_frsize
    if left < FREE:
        return Finding("data folder", fine=False, told=f"{left >> 20} MiB are left", cure="make room")
    return Finding("data folder", fine=True, told=f"{folder}, {left >> 30} GiB left")


async def _catalog(plan: Plan, resolver: Resolver, folder: Path) -> Finding:
    if plan.mesh.catalog.dsn is None:
        owner = running_owner(folder)
        told = (
            "embedded PostgreSQL, a runtime is serving it" if owner else "embedded PostgreSQL, starts with the runtime"
        )
        return Finding("catalog", fine=True, told=told)
    try:
        pool = await open_pool(resolver.text(plan.mesh.catalog.dsn, "catalog.dsn"), PoolSettings(max_size=1, idle=1))
    except (CatalogUnavailable, StartFailed) as failed:
        return Finding("catalog", fine=False, told=failed.message, cure=failed.cure)
    await pool.close()
    return Finding("catalog", fine=True, told="catalog.dsn answers")


async def _bus(plan: Plan, resolver: Resolver) -> list[Finding]:
    try:
        reached = reach(plan, resolver)
    except StartFailed as failed:
        return [Finding("events", fine=False, told=failed.message, cure=failed.cure)]
    if reached is None:
        return []
    try:
        found = [await _brokers(reached)]
        return [*found, await _registry(reached.schemas, reached)] if reached.schemas is not None else found
    finally:
        await reached.close()


async def _brokers(reached: Reached) -> Finding:
    try:
        missing = len((await compare(reached.admin, reached.topics)).missing)
    except BusUnavailable as error:
        return Finding("kafka", fine=False, told=str(error), cure=error.cure)
    told = f"the brokers let us in; of {len(reached.topics)} topics {len(reached.topics) - missing} are there"
    return Finding("kafka", fine=True, told=told)


async def _registry(schemas: Schemas, reached: Reached) -> Finding:
    try:
        await schemas.check(reached.topics)
    except RegistryRefused as refused:
        return Finding("schema registry", fine=False, told=str(refused), cure=refused.fault.cure)
    except RegistryUnavailable as error:
        return Finding("schema registry", fine=False, told=str(error), cure="see events.registry, and that it runs")
    except Incompatible as found:
        failed = incompatible(found)
        return Finding("schema registry", fine=False, told=failed.message, cure=failed.cure)
    return Finding("schema registry", fine=True, told="all schemas fit those that it holds")


def _ports(chosen: Runtime, *, running: bool) -> list[Finding]:
    if running:
        return [Finding("ports", fine=True, told="in use by the running runtime")]
    return [
        _port(chosen.host, chosen.port, "--port"),
        _port(chosen.host, chosen.metrics_port, "--metrics-port"),
    ]


def _port(host: str, port: int, option: str) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return Finding(f"port {port}", fine=False, told="taken by another program", cure=f"choose another {option}")
    return Finding(f"port {port}", fine=True, told="free")
