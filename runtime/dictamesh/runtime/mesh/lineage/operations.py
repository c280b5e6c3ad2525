# SPDX-License-Identifier: Apache-2.0
"""Which entities and fields an operation shows, told after it was answered."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import FieldError, Outcome, PreparedOperation, RequestInfo, Run
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.execution.lookahead import look_ahead, names
from dictamesh.runtime.gateway.execution.picks import entity_picks
from dictamesh.runtime.governance.principal import Principal

REMEMBERED = 512  # texts of operations


@dataclass(frozen=True, slots=True)
class Shape:
    """What an operation asks for: its root fields, and the fields shown by entity address; no value, no caller."""

    roots: tuple[str, ...]
    touched: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Answered:
    """An operation that is over; `failed` when a root field, or all of it, could not be answered."""

    shape: Shape
    started: datetime
    failed: bool


Told = Callable[[Answered], None]


def telling(run: Run, plan: Plan, told: Told) -> Run:
    """Return the same execution, which tells of each operation but those that are refused: they move no data."""
    known = names(plan)
    shapes: OrderedDict[tuple[str, str | None], Shape] = OrderedDict()

    def shape(operation: PreparedOperation) -> Shape:
        # fields that a variable includes or skips are those of the first operation with this text
        key = (operation.text, operation.operation_name)
        found = shapes.get(key)
        if found is None:
            roots = look_ahead(operation, known)
            touched: dict[str, set[str]] = {root.entity.address: set() for root in roots}
            for pick in entity_picks(roots):
                touched.setdefault(pick.entity.address, set()).update(each.field.name for each in pick.fields)
            called = tuple(sorted({_root(root.entity.singular, root.entity.plural, root.kind) for root in roots}))
            found = Shape(called, {address: frozenset(fields) for address, fields in touched.items()})
            shapes[key] = found
            if len(shapes) > REMEMBERED:
                shapes.popitem(last=False)
        return found

    def tell(operation: PreparedOperation, started: datetime, *, failed: bool) -> None:
        found = shape(operation)
        if found.roots:  # the catalog alone moves no data
            told(Answered(found, started, failed=failed))

    async def observed(operation: PreparedOperation, principal: Principal, info: RequestInfo) -> Outcome:
        started = datetime.now(UTC)
        try:
            outcome = await run(operation, principal, info)
        except GatewayError as error:
            if error.http_status >= 500:
                tell(operation, started, failed=True)
            raise
        failed = any(isinstance(value, FieldError) for value in outcome.root.values.values())
        tell(operation, started, failed=failed)
        return outcome

    return observed


def _root(singular: str, plural: str, kind: str) -> str:
    return {"one": singular, "list": plural}.get(kind, f"{plural}Count")
