# SPDX-License-Identifier: Apache-2.0
"""One plan being served: its lines, its decisions, its way of answering. A reload makes another (S29)."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.adapters.telemetry import SILENT, Telemetry
from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.compile.catalog_sdl import ROOT as CATALOG
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import Authenticate, Run
from dictamesh.runtime.gateway.engines.tartiflette import EngineUnavailable
from dictamesh.runtime.gateway.execution.run import Execution, make_run
from dictamesh.runtime.gateway.execution.watching import make_subscribe
from dictamesh.runtime.gateway.reveal import Revealer, revealer
from dictamesh.runtime.gateway.serving import Observed, Serving, serving, unobserved
from dictamesh.runtime.governance.access import AccessCache
from dictamesh.runtime.governance.audit import AuditSink
from dictamesh.runtime.governance.authenticate import Authenticator, mask_keys
from dictamesh.runtime.governance.refusals import MissingSecret
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key
from dictamesh.runtime.mesh.lines import Lines, close_lines, lines_of, open_lines, unused
from dictamesh.runtime.mesh.recording import Recording
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.sections import catalog_section
from dictamesh.runtime.mesh.sight import Sights, sights
from dictamesh.runtime.resilience import L1, Listeners


@dataclass(slots=True)
class World:
    """A plan with everything that answers on it; counts the requests that still run on it."""

    plan: Plan
    lines: Lines
    access: AccessCache
    authenticator: Authenticator
    serving: Serving
    audit_key: bytes = field(repr=False)
    sights: Sights
    revealer: Revealer
    running: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the lines of this plan open for as long as the block runs, whatever is served meanwhile."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def retire(self, successor: "World | None", patience: float) -> None:
        """Wait for the requests under way, `patience` seconds at most, then close what no successor uses."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    while self.running:
                        self.idle.clear()
                        await self.idle.wait()
        finally:
            await close_lines(unused(self.lines, successor.lines if successor else {}))
            await self.authenticator.close()


@dataclass(frozen=True, slots=True)
class Needs:
    """What outlives a plan: where references are resolved, rows cached, reads audited, events counted."""

    resolver: Resolver
    audit: AuditSink
    data_dir: Path
    l1: L1
    listeners: Listeners
    unknown_roles: Callable[[int], None] = lambda _count: None
    observed: Observed = unobserved
    telemetry: Callable[[Plan], Telemetry] = lambda _plan: SILENT
    recording: Recording | None = None
    catalog: Catalog | None = None
    admitted: Callable[[Authenticate], Authenticate] = lambda authenticate: authenticate
    followed: Callable[[Run, Plan], Run] = lambda run, _plan: run


async def make_world(plan: Plan, needs: Needs, before: World | None = None) -> World:
    """Open a plan's servers and decide its rights; raises StartFailed with nothing left open."""
    secrets = needs.resolver.secrets(plan.mesh.security)
    lines = await open_lines(plan, needs.resolver, needs.listeners, before.lines if before else None)
    try:
        # a schema of 1,000 types takes seconds to build; what is served goes on meanwhile
        return await asyncio.to_thread(_world, plan, needs, lines, secrets)
    except BaseException:
        await close_lines(unused(lines, before.lines if before else {}))
        raise


def _world(plan: Plan, needs: Needs, lines: Lines, secrets: dict[str, str]) -> World:
    mesh = plan.mesh
    try:
        keys = mask_keys(mesh.security, secrets)
        authenticator = Authenticator(
            mesh.security,
            mesh.roles,
            mesh.purposes,
            secrets,
            folder=needs.resolver.folder,
            unknown_roles=needs.unknown_roles,
        )
    except MissingSecret as missing:
        raise StartFailed(f"{missing.place}: {missing.reference} is empty", "give it a value") from None
    except ValueError as error:
        raise StartFailed(str(error), "give each caller a key of its own") from None
    access = AccessCache(plan, keys)
    ids = RecordIds(surrogates(plan, keys))
    adapters = _adapters(plan, needs, lines, ids)
    seen = sights(adapters, access.access)
    subjects = audit_key(plan, keys, needs.data_dir)
    execution = Execution(plan, adapters, access.access, needs.audit, subjects, keys)
    if needs.recording is not None:
        follower = needs.recording.follower(plan, ids)
        execution = replace(execution, used=needs.recording.used, follower=follower)
    if needs.catalog is not None:
        execution = replace(execution, sections={CATALOG: catalog_section(needs.catalog, seen.of)})
    run = make_run(execution)
    try:
        admitted = needs.admitted(authenticator.principal)
        served = serving(plan, needs.followed(run, plan), admitted, needs.observed, make_subscribe(execution))
    except EngineUnavailable as missing:
        raise StartFailed("gateway.engine: tartiflette is not installed", str(missing)) from None
    reveals = revealer(plan, access.access, keys, needs.audit)
    return World(plan, lines, access, authenticator, served, subjects, seen, reveals)


def _adapters(plan: Plan, needs: Needs, lines: Lines, ids: RecordIds) -> Adapters:
    recording = needs.recording
    return Adapters(
        plan,
        lines_of(lines),
        needs.l1 if plan.mesh.cache.enabled else None,
        needs.telemetry(plan),
        lambda entity: recording.watch(plan, entity, ids) if recording is not None else None,
    )
