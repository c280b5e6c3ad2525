# SPDX-License-Identifier: Apache-2.0
"""The values that pass between the front of the gateway (guard, engines, HTTP) and execution."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode

from dictamesh.runtime.gateway.engines.node import FieldError, Node
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.model.mesh import Limits

__all__ = ["Authenticate", "FieldError", "Node", "Outcome", "PreparedOperation", "RequestInfo", "Run", "Used"]


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

Used = Callable[[Principal, Collection[str]], None]
"""Is told the addresses of the entities and fields that an operation used; must be quick and must not raise."""

Authenticate = Callable[[Mapping[str, str]], Awaitable[Principal]]
"""Who calls, from the headers of a request; raises `Unauthenticated` or `PurposeRefused` (S21)."""
