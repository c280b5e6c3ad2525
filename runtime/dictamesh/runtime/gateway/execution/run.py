# SPDX-License-Identifier: Apache-2.0
"""Execution as the front of the gateway calls it: check uses, fetch, mask, audit, answer."""

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dictamesh.connectors.concurrency import gathered
from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Operation, Spent
from dictamesh.runtime.adapters.shown import shown_rows
from dictamesh.runtime.adapters.surrogates import Surrogates, surrogates
from dictamesh.runtime.compile.catalog_sdl import ROOT as CATALOG
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import Node, Outcome, PreparedOperation, RequestInfo, Run, Used
from dictamesh.runtime.gateway.errors import GatewayError, message
from dictamesh.runtime.gateway.execution.audit import Occasion, reads, refusals
from dictamesh.runtime.gateway.execution.context import Context
from dictamesh.runtime.gateway.execution.explained import explained
from dictamesh.runtime.gateway.execution.levels import execute
from dictamesh.runtime.gateway.execution.lookahead import Names, look_ahead, names, section_picks
from dictamesh.runtime.gateway.execution.picks import EntityPick, FieldPick, RootPick, entity_picks
from dictamesh.runtime.gateway.execution.sections import SectionPick, Sections, resolve
from dictamesh.runtime.gateway.execution.serve import View
from dictamesh.runtime.gateway.execution.telling import Follower, used_addresses
from dictamesh.runtime.gateway.execution.uses import forbidden_uses
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.audit import AuditRow, AuditSink, AuditUnavailable
from dictamesh.runtime.governance.explain import as_json
from dictamesh.runtime.governance.principal import Principal

log = logging.getLogger("dictamesh.execution")

_UNEXPLAINED = "Decisions are explained to callers with a role that gateway.explain names."
_UNAUDITED = "The answer is withheld because the audit log cannot be written."


def utc_now() -> datetime:
    """Return the current instant in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Execution:
    """Everything that execution of operations on one plan needs.

    `access_for` gives the rights of a principal in this plan. `keys` are the bytes of `security.keys` by name, for the
    pseudonyms of surrogate keys. `audit_key` hashes subjects for the audit log. `now` is asked once per operation.
    `used` is told what each operation used, `follower` which relations it followed. `sections` answer the root fields
    that are no entities.
    """

    plan: Plan
    adapters: Adapters
    access_for: Callable[[Principal], Access]
    audit: AuditSink
    audit_key: bytes
    keys: Mapping[str, bytes] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now
    used: Used = lambda _principal, _addresses: None
    follower: Follower | None = None
    sections: Sections = field(default_factory=lambda: {CATALOG: None})

    @property
    def salt(self) -> str:
        """What digests of hidden keys are salted with: the same for every replica that shares the audit key."""
        return hmac.digest(self.audit_key, b"order of hidden keys", "sha256").hex()


def make_run(execution: Execution) -> Run:
    """Return the function that executes operations, see `contract.Run`; raises MaskKeyMissing."""
    known = names(execution.plan)
    pseudonyms = surrogates(execution.plan, execution.keys)

    async def run(operation: PreparedOperation, principal: Principal, info: RequestInfo) -> Outcome:
        return await Running(execution, known, pseudonyms, principal, info).outcome(operation)

    return run


@dataclass(slots=True)
class Running:
    """One operation under way."""

    execution: Execution
    known: Names
    pseudonyms: Surrogates
    principal: Principal
    info: RequestInfo
    started: float = field(default_factory=time.monotonic)

    async def outcome(self, operation: PreparedOperation) -> Outcome:
        execution = self.execution
        access = execution.access_for(self.principal)
        roots = look_ahead(operation, self.known)
        explain = self._explanation(roots)
        refused = forbidden_uses(roots, access, execution.plan.entities)
        if refused:
            await self.record(refusals(refused, execution.plan.entities, self.occasion()))
            entity = execution.plan.entities[refused[0].address.rpartition(".")[0]]
            raise GatewayError("FORBIDDEN", message("FORBIDDEN", field=f"{entity.name}.{refused[0].name}"))
        context = self.context(operation, access)
        root = await self._fetched(operation, roots, context)
        picks = list(entity_picks(roots))
        await self.record(reads(picks, context.served, access, self.occasion()))
        execution.used(self.principal, used_addresses(roots, execution.plan.entities))
        return Outcome(root, {**extensions(picks, context), **explain})

    def _explanation(self, roots: tuple[RootPick, ...]) -> dict[str, Any]:
        if not self.info.explain:
            return {}
        plan = self.execution.plan
        if not self.principal.roles & set(plan.mesh.gateway.explain):
            raise GatewayError("FORBIDDEN", _UNEXPLAINED)
        decisions, uses = explained(roots, plan, self.principal, self.execution.now().date())
        return {"explain": {"decisions": [as_json(each) for each in decisions], "uses": uses}}

    async def _fetched(self, operation: PreparedOperation, roots: tuple[RootPick, ...], context: Context) -> Node:
        """Fetch entities and sections side by side."""
        sections = section_picks(operation, self.execution.sections)
        if not sections:
            return await execute(roots, context)
        root = Node()

        async def entities() -> None:
            root.values.update((await execute(roots, context)).values)

        async def section(pick: SectionPick) -> None:
            root.values[pick.key] = await resolve(pick, operation, self.principal, self.info, context.truncated)

        calls: list[Callable[[], Awaitable[None]]] = [entities, *(partial(section, each) for each in sections)]
        await gathered(calls)
        return root

    def context(self, operation: PreparedOperation, access: Access, at_once: int = 1) -> Context:
        """Return what the levels of the operation share; it answers for `at_once` operations of its kind."""
        now = self.execution.now()
        shared = Operation(
            shown=shown_rows(access, self.execution.plan),
            parameters={**access.parameters, "now": now, "today": now.date()},
            spent=Spent(operation.limits.rows * at_once),
            max_scan=operation.limits.max_scan,
            salt=self.execution.salt,
        )
        view = View(access, shared.parameters, self.pseudonyms)
        return Context(self.execution.adapters, view, shared, operation.limits, self.execution.follower)

    def occasion(self) -> Occasion:
        """Return what audit rows of the operation share."""
        elapsed = (time.monotonic() - self.started) * 1000
        return Occasion(self.principal, self.execution.plan.hash, self.info.trace_id, elapsed, self.execution.audit_key)

    async def record(self, rows: list[AuditRow]) -> None:
        """Write audit rows; raises GatewayError where they cannot be and the mesh then withholds answers."""
        if not rows:
            return
        try:
            await self.execution.audit.record(rows)
        except AuditUnavailable:
            log.error("audit rows could not be written", extra={"rows": len(rows), "trace_id": self.info.trace_id})
            if self.execution.plan.mesh.audit.on_failure == "deny":
                raise GatewayError("INTERNAL_ERROR", _UNAUDITED, http_status=503) from None


def extensions(picks: Iterable[EntityPick], context: Context) -> dict[str, Any]:
    """Return what an answer says of itself (S10, S19, S25)."""
    found: dict[str, Any] = {}
    if policy := context.view.access.report(_selected(picks)):
        found["policy"] = policy
    if context.truncated:
        found["truncated"] = [{"path": list(path), "limit": limit} for path, limit in sorted(context.truncated.items())]
    if context.operation.spent.degraded:
        found["degraded"] = sorted(context.operation.spent.degraded)
    return found


def _selected(picks: Iterable[EntityPick]) -> list[str]:
    """Return the addresses of what is selected, each once; keys with a pseudonym are shown as that."""
    found: dict[str, None] = {}
    for pick in picks:
        hidden = set(pick.entity.key) if pick.entity.surrogate is not None else set()
        for each in pick.fields:
            if each.field.name not in hidden:
                found.update(dict.fromkeys(_addresses(each)))
    return list(found)


def _addresses(pick: FieldPick) -> Iterable[str]:
    if not pick.members:
        yield pick.field.address
    for member in pick.members:
        yield from _addresses(member)
