# SPDX-License-Identifier: Apache-2.0
"""One server as adapters see it: its connector behind its guard, failures as codes of S26."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from dictamesh.connectors.sdk import Connector, Fault, Manifest, Request, Source, SourceError
from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.resilience import CallRefused, CircuitOpen, Guard

T = TypeVar("T")

log = logging.getLogger("dictamesh.adapters")

_CODES = {Fault.TIMEOUT: "SOURCE_TIMEOUT", Fault.TOO_LARGE: "LIMIT_EXCEEDED"}


@dataclass(frozen=True, slots=True)
class Line:
    """An open connector, the guard that all calls to its server pass (S23), and what the connector says of itself."""

    connector: Connector
    guard: Guard
    manifest: Manifest

    async def fetch(self, source: Source, request: Request) -> list[tuple[Any, ...]]:
        """Return the rows of a request; raises `ReadFailed`."""
        found = await self._call(source, lambda: self.connector.fetch(source, request))
        return found.rows

    async def count(self, source: Source, request: Request) -> int:
        """Count the rows of a request; raises `ReadFailed`."""
        return await self._call(source, lambda: self.connector.count(source, request))

    async def _call(self, source: Source, fn: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self.guard.call(fn)
        except CircuitOpen:
            raise ReadFailed("CIRCUIT_OPEN", transient=True, reason="circuit_open") from None
        except CallRefused as refused:
            raise ReadFailed("SOURCE_UNAVAILABLE", transient=True, reason=refused.reason) from None
        except SourceError as error:
            log.warning("source call failed: %s", error, extra={"entity": source.address})
            code = _CODES.get(error.fault, "SOURCE_UNAVAILABLE")
            raise ReadFailed(code, transient=error.retryable, reason=str(error.fault)) from None
        except Exception as error:  # a stranger's connector may raise anything; its text may quote values
            log.error("connector broke its contract", exc_info=error, extra={"entity": source.address})
            raise ReadFailed("SOURCE_UNAVAILABLE") from None
