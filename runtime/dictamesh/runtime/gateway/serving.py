# SPDX-License-Identifier: Apache-2.0
"""The gateway: a plan that is being served, and operations answered on it."""

import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLSchema

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import (
    Authenticate,
    Node,
    Outcome,
    PreparedOperation,
    RequestInfo,
    Run,
    Subscribe,
)
from dictamesh.runtime.gateway.engines.core import CoreEngine
from dictamesh.runtime.gateway.engines.engine import Completed, Engine
from dictamesh.runtime.gateway.engines.select import select_engine
from dictamesh.runtime.gateway.errors import GatewayError, entries_of
from dictamesh.runtime.gateway.guard import Guard, only_introspects
from dictamesh.runtime.gateway.schema import build_schema
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.observe.faults import exception_fields
from dictamesh.specs.model.mesh import Gateway as Settings

Observed = Callable[[str, float, Iterable[str]], None]
"""Is told how an operation ended (ok, partial, refused, failed), the seconds it took and the codes of its errors."""

INTROSPECTIONS = 8
"""Answers to introspection that are kept; they are the same for every caller and take a second for 1,000 types."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `status` is that for `application/graphql-response+json`; `refused` says that there is no `data`."""

    status: int
    body: Mapping[str, Any]
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """Everything that answers operations on one plan; a reload makes another (S29). Build it with `serving`."""

    plan: Plan
    settings: Settings
    schema: GraphQLSchema
    guard: Guard
    engine: Engine
    run: Run
    authenticate: Authenticate
    observed: Observed
    subscribe: Subscribe | None = None
    introspections: OrderedDict[tuple[str, str | None], Completed] = field(default_factory=OrderedDict)


def unobserved(_outcome: str, _seconds: float, _codes: Iterable[str]) -> None:
    """Count nothing."""


def serving(
    plan: Plan,
    run: Run,
    authenticate: Authenticate,
    observed: Observed = unobserved,
    subscribe: Subscribe | None = None,
) -> Serving:
    """Build what serves a plan; without `subscribe` there are no subscriptions.

    Raises EngineUnavailable where `gateway.engine` is not installed.

    It takes about two seconds for 1,000 entities, without waiting.
    """
    settings = plan.mesh.gateway
    schema = build_schema(plan)
    engine = select_engine(settings.engine, schema)
    return Serving(plan, settings, schema, Guard(schema, settings), engine, run, authenticate, observed, subscribe)


class Gateway:
    """Answers operations on the plan being served, which may be exchanged at any time.

    Operations under way end on the plan they began with. `held` keeps open for a block what the current plan reads
    with.
    """

    def __init__(
        self, current: Serving, held: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    ) -> None:
        self._current = current
        self.held = held

    @property
    def current(self) -> Serving:
        """What is being served; read it once per request."""
        return self._current

    def exchange(self, new: Serving) -> Serving:
        """Serve another plan from now on and return what was served before."""
        old, self._current = self._current, new
        return old

    async def handle(
        self,
        text: str,
        variables: Mapping[str, Any] | None,
        operation_name: str | None,
        principal: Principal,
        info: RequestInfo,
    ) -> Response:
        """Answer one operation; never raises but for cancellation."""
        return await answer(self._current, text, variables, operation_name, principal, info)


async def answer(
    current: Serving,
    text: str,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
    principal: Principal,
    info: RequestInfo,
) -> Response:
    """Answer one operation on what is being served; never raises but for cancellation."""
    began = time.perf_counter()
    response = await _answered(current, text, variables, operation_name, principal, info)
    observe(current, response, time.perf_counter() - began)
    return response


def observe(current: Serving, response: Response, seconds: float) -> None:
    """Tell who counts how an operation ended."""
    codes = [entry["extensions"]["code"] for entry in response.body.get("errors", ())]
    outcome = "partial" if codes else "ok"
    if response.refused:
        outcome = "failed" if response.status >= 500 else "refused"
    current.observed(outcome, seconds, codes)


async def _answered(
    current: Serving,
    text: str,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
    principal: Principal,
    info: RequestInfo,
) -> Response:
    try:
        operation = current.guard.prepare(text, variables, operation_name)
        completed, extensions = await _completed(current, operation, principal, info)
    except GatewayError as error:
        return refusal(error, info)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, its text may quote values (S26)
        _LOG.error("an operation failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
        return refusal(GatewayError("INTERNAL_ERROR"), info)
    body: dict[str, Any] = {}
    if completed.errors:
        body["errors"] = [entry.as_dict(info.trace_id) for entry in completed.errors]
    body["data"] = completed.data
    if extensions:
        body["extensions"] = dict(extensions)
    return Response(200, body)


def refusal(error: GatewayError, info: RequestInfo) -> Response:
    """Return the answer to a request that fails as a whole."""
    body = {"errors": [entry.as_dict(info.trace_id) for entry in entries_of(error)]}
    return Response(error.http_status, body, refused=True)


async def _completed(
    current: Serving, operation: PreparedOperation, principal: Principal, info: RequestInfo
) -> tuple[Completed, Mapping[str, Any]]:
    if only_introspects(operation):
        return await _introspected(current, operation, info), {}
    outcome: Outcome = await current.run(operation, principal, info)
    return await current.engine.complete(operation, outcome.root, info), outcome.extensions


async def _introspected(current: Serving, operation: PreparedOperation, info: RequestInfo) -> Completed:
    known = current.introspections
    key = (operation.text, operation.operation_name)
    if key in known:
        known.move_to_end(key)
        return known[key]
    completed = await CoreEngine().complete(operation, Node(), info)  # tartiflette needs 11 s for 1,000 types
    if not operation.variables and not completed.errors:
        known[key] = completed
        if len(known) > INTROSPECTIONS:
            known.popitem(last=False)
    return completed
