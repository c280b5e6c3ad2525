# SPDX-License-Identifier: Apache-2.0
"""What the runtime asks of a connector, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.manifest import Options, Source


@dataclass(frozen=True, slots=True)
class Output:
    """One value wanted of each row. `expr` reads source columns; a plain column is a `Column` node."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order: NULLs last in both directions, text by code point (S9)."""

    expr: Expr
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """Rows wanted by value: `values[i]` has one Python value per column of `columns`, none of them None."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Related:
    """A to-one relation on the same server that a condition reads, or that must meet a row.

    `on` pairs own with their columns; `where` reads their columns. In a condition a `Column` with path
    `(name, column)` reads their column.
    """

    name: str
    source: Source
    on: tuple[tuple[str, str], ...]
    where: Expr | None = None
    required: bool = False
    related: tuple["Related", ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a source. What it holds was accepted by the manifest's `filters`, `orders` and `outputs`.

    With `per_key`, `limit` and `offset` count within each key instead of over all rows. `parameters` holds the values
    of `Parameter` nodes by name.
    """

    select: tuple[Output, ...]
    where: Expr | None = None
    keys: Keys | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    per_key: bool = False
    related: tuple[Related, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as tuples in the order of `Request.select`, with the driver's own values; a missing value is None."""

    rows: list[tuple[Any, ...]]


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of a health probe; `detail` is a text of ours."""

    status: Status
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LiveColumn:
    """A column as the source has it now; `type` in the source's words."""

    name: str
    type: str
    nullable: bool | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a connector may know of its surroundings: `folder` is where relative paths of the mesh file start."""

    server: str
    folder: Path
    attempt_timeout: float = 2.0  # seconds


class Connector(Protocol):
    """An open line to one server; serves any number of sources and concurrent calls.

    Every method raises `SourceError` and nothing else but cancellation.
    """

    async def open(self) -> None:
        """Prepare pools; an unreachable server is not an error yet."""

    async def close(self) -> None:
        """Release everything; safe to call twice."""

    async def health(self) -> Health:
        """Probe the server within the attempt timeout; never raises."""

    async def fetch(self, source: Source, request: Request) -> Rows:
        """Answer a request. Unknown keys are no error: their rows are absent."""

    async def count(self, source: Source, request: Request) -> int:
        """Count the rows of a request, its limit and offset aside. Only where `Capabilities.count`."""

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:
        """Return the live columns of a source, or None where the protocol knows none."""


class ConnectorFactory(Protocol):
    """Builds a connector from the server options, references resolved."""

    def __call__(self, options: Options, context: Context) -> Connector: ...
