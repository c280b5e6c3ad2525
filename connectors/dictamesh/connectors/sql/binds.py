# SPDX-License-Identifier: Apache-2.0
"""Values of a statement: where each placeholder's value comes from. A value never becomes SQL text (AD-14)."""

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from dictamesh.connectors.sdk.protocol import Request
from dictamesh.specs.expressions.engines import Binds, Engine, placeholder, to_engine
from dictamesh.specs.types import Type


@dataclass(frozen=True, slots=True)
class KeyCell:
    """One value of `Request.keys`; rows past the last repeat it, so that few texts serve all numbers of keys."""

    row: int
    column: int
    type: Type
    as_text: bool

    def read(self, request: Request, engine: Engine) -> Any:
        rows = request.keys.values if request.keys is not None else ()
        value = rows[min(self.row, len(rows) - 1)][self.column]
        return str(value) if self.as_text else to_engine(engine, self.type, value)


@dataclass(frozen=True, slots=True)
class First:
    """Number of rows left out before the window."""

    def read(self, request: Request, _engine: Engine) -> Any:
        return request.offset


@dataclass(frozen=True, slots=True)
class Last:
    """Number of rows up to the end of the window, `most` of them in it."""

    most: int

    def read(self, request: Request, _engine: Engine) -> Any:
        return request.offset + Size(self.most).read(request, _engine)


@dataclass(frozen=True, slots=True)
class Size:
    """Number of rows in the window, at most `most`."""

    most: int

    def read(self, request: Request, _engine: Engine) -> Any:
        return self.most if request.limit is None else min(request.limit, self.most)


Slot = KeyCell | First | Last | Size


@dataclass(slots=True)
class Values:
    """What stands behind the placeholders of one statement: parts of the request, and what expressions bind."""

    engine: Engine
    expressions: Binds
    slots: dict[str, Slot] = field(default_factory=dict)

    def slot(self, slot: Slot) -> exp.Expr:
        """Return a placeholder for a part of the request."""
        name = f"s{len(self.slots)}"
        self.slots[name] = slot
        return placeholder(name)

    def read(self, request: Request) -> dict[str, Any]:
        """Return the values of a request by placeholder, as the driver takes them."""
        found = self.expressions.values(request.parameters)
        found.update((name, slot.read(request, self.engine)) for name, slot in self.slots.items())
        return found
