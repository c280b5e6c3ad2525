# SPDX-License-Identifier: Apache-2.0
"""The values that pass between the front of the gateway (guard, engines, HTTP) and execution."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from graphql import DocumentNode, FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode

from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.gateway.engines.node import FieldError, Node
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.model.mesh import Limits

__all__ = [
    "Authenticate",
    "Change",
    "FieldError",
    "Node",
    "NotNow",
    "Outcome",
    "PreparedOperation",
    "RequestInfo",
    "Run",
    "Subscribe",
    "Used",
    "Watch",
]


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """An operation that passed the guard: parsed, validated, within depth and cost.

    `variables` are coerced by graphql-core (defaults filled in, enumerations as source text, our scalars as Python
    values); a variable that was not given and has no default is absent. `raw_variables` are as the caller sent them.
    Read arguments with `graphql.execution.values.get_argument_values(field_def, node, operation.variables)`.
    """

    text: str
    document: DocumentNode
    operation: OperationDefinitionNode
    operation_name: str | None
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    raw_variables: Mapping[str, Any]
    schema: GraphQLSchema
    limits: Limits


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """Where an operation comes from. A client that goes away cancels the task: `asyncio.CancelledError` in `run`."""

    trace_id: str  # 32 hex digits
    span_id: str  # 16 hex digits, of the request
    transport: str = "http"  # or "cli"
    explain: bool = False  # the answer shall say why it is as it is


@dataclass(frozen=True, slots=True)
class Outcome:
    """What execution fetched. `extensions` go into the answer: policy, truncated, degraded, explain (S10, S19, S25)."""

    root: Node
    extensions: Mapping[str, Any] = field(default_factory=dict)


Run = Callable[[PreparedOperation, Principal, RequestInfo], Awaitable[Outcome]]
"""Execution: fetch, mask and audit an operation.

The audit row is committed before it returns. Raises `GatewayError` for what refuses the whole operation (S20); every
other exception becomes INTERNAL_ERROR and is logged by type and place alone. It is not called for operations that only
introspect.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """An event of the log about a record, before any policy.

    `record` is the canonical key, or a pseudonym of it. `cursor` says where to go on behind it. `traceparent` is the
    place in a trace that the event was made at.
    """

    id: str
    type: str
    record: str
    changed_fields: tuple[str, ...]
    version: str
    at: datetime
    cursor: str
    traceparent: str | None = None


class NotNow(Exception):  # noqa: N818 - the name says what is the case
    """What exists for the subscriber cannot be told for now; `code` is one of S26. The same may be asked again."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Watch(Protocol):
    """A subscription as one caller made it on one plan; `record`: to one record alone; `after`: a cursor."""

    @property
    def entity(self) -> EntityPlan:
        """The entity whose changes are watched."""

    @property
    def record(self) -> str | None:
        """The canonical key of the only record that is watched."""

    @property
    def after(self) -> str | None:
        """The cursor behind which it begins."""

    async def outcomes(self, changes: Sequence[Change]) -> Sequence[tuple[Change, Outcome]]:
        """Return what the caller hears of changes, in their order; those that are none of his are left out.

        What is read for it is audited before it returns. Raises GatewayError where the subscription has to end,
        `NotNow` where a source cannot be asked.
        """


Subscribe = Callable[[PreparedOperation, Principal, RequestInfo], Awaitable[Watch]]
"""Begin a subscription; raises GatewayError where it is refused (S20), which is audited."""

Used = Callable[[Principal, Collection[str]], None]
"""Is told the addresses of the entities and fields that an operation used; must be quick and must not raise."""

Authenticate = Callable[[Mapping[str, str]], Awaitable[Principal]]
"""Who calls, from the headers of a request; raises `Unauthenticated` or `PurposeRefused` (S21)."""
