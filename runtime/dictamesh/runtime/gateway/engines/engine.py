# SPDX-License-Identifier: Apache-2.0
"""What an engine is."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dictamesh.runtime.gateway.contract import Node, PreparedOperation, RequestInfo
from dictamesh.runtime.gateway.errors import ErrorEntry
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer of an operation: JSON values by response key, in the order of the query, and its errors."""

    data: Mapping[str, Any] | None
    errors: tuple[ErrorEntry, ...] = ()


class Engine(Protocol):
    """Turns fetched values into an answer by the rules of GraphQL: order, nullability, scalars, introspection."""

    async def complete(self, operation: PreparedOperation, root: Node, info: RequestInfo) -> Completed:
        """Return the answer; operation was validated before. Faults of values become errors, never exceptions."""


def report(error: Exception) -> None:
    """Log a fault of ours by type and place; its text may quote a value (S26)."""
    _LOG.error("a value could not be completed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
