# SPDX-License-Identifier: Apache-2.0
"""The rows of one entity as capture reads them: plain columns, a page at a time, over the line that queries use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from dictamesh.connectors.sdk import Keys, Order, Output, Request
from dictamesh.runtime.adapters.cells import CellError, Key
from dictamesh.runtime.adapters.convert import converter
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.mapping import RowMapping, reading, row_mapping
from dictamesh.runtime.adapters.pushdown import tells_time
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Expr, Literal
from dictamesh.specs.manifest import Source, SourceColumn
from dictamesh.specs.types import Kind

Columns = Mapping[str, Any]
"""A row of the source: values of the driver by physical name."""

_EXAMPLES: Mapping[Kind, Any] = {
    Kind.INT: 0,
    Kind.LONG: 0,
    Kind.DECIMAL: Decimal(0),
    Kind.BOOLEAN: False,
    Kind.DATE: date(2000, 1, 1),
    Kind.TIME: time(0),
    Kind.TIMESTAMP: datetime(2000, 1, 1, tzinfo=UTC),
}


@dataclass(slots=True)
class SourceRows:
    """Reads pages of an entity; raises `ReadFailed`. `cursor` is a column that is read with every row."""

    entity: EntityPlan
    line: Line
    cursor: SourceColumn | None = None
    parameter: str | None = None
    _source: Source = field(init=False)
    _whole: tuple[Output, ...] = field(init=False)
    _keys: RowMapping = field(init=False)

    def __post_init__(self) -> None:
        self._source = self.entity.source
        since = self.line.manifest.since
        if self.cursor is not None and self.parameter is not None and since is not None:
            self._source = since(self._source, self.cursor.name, self.parameter)
        outputs = row_mapping(self.entity, [each.name for each in self.entity.fields], plain=True).outputs
        if self.cursor is not None and all(output.name != self.cursor.name for output in outputs):
            outputs = (*outputs, Output(self.cursor.name, Column((self.cursor.name,), self.cursor.type)))
        self._whole = outputs
        self._keys = row_mapping(self.entity, self.entity.key, plain=True)

    def key(self, row: Columns) -> Key | None:
        """Return the key of a row as values, None where it has none that could be asked for."""
        mapped = self._keys.row(tuple(row.get(output.name) for output in self._keys.outputs), {})
        found = tuple(mapped[name] for name in self.entity.key)
        return None if any(part is None or isinstance(part, CellError) for part in found) else found

    def by_key(self) -> tuple[Order, ...]:
        """Return the order by key, none where the source cannot sort so."""
        orders = tuple(Order(self.entity.field(name).expr) for name in self.entity.key)
        return orders if all(self._sorts(each.expr) for each in orders) else ()

    def after(self, key: Key) -> Expr | None:
        """Return the condition of the rows after a key in the order by key; None where the source cannot tell them."""
        parts = [self.entity.field(name).expr for name in self.entity.key]
        literals = [Literal(value, part.type) for part, value in zip(parts, key, strict=True)]
        condition = call("gt", parts[-1], literals[-1])
        for part, value in zip(reversed(parts[:-1]), reversed(literals[:-1]), strict=True):
            condition = call("or", call("gt", part, value), call("and", call("eq", part, value), condition))
        return condition if self._filters(condition) else None

    def pages_by_key(self) -> bool:
        """Whether a full pass can go from key to key, so that it misses no row that stays."""
        examples = tuple(_EXAMPLES.get(self.entity.field(name).type.kind, "a") for name in self.entity.key)
        return bool(self.by_key()) and self.after(examples) is not None

    async def page(
        self,
        size: int,
        where: Expr | None = None,
        order: tuple[Order, ...] = (),
        offset: int = 0,
        *,
        keys_only: bool = False,
    ) -> list[Columns]:
        """Return a page of rows."""
        outputs = self._keys.outputs if keys_only else self._whole
        return await self._fetch(Request(outputs, where, None, order, size, offset))

    async def of_keys(self, keys: Sequence[Key]) -> list[Columns]:
        """Return the rows of some keys, in batches as large as the source takes."""
        size = max(self.entity.capabilities.batch_size, 1)
        found: list[Columns] = []
        for at in range(0, len(keys), size):
            wanted = Keys(self.entity.source.key, tuple(keys[at : at + size]))
            found += await self._fetch(Request(self._whole, keys=wanted))
        return found

    async def _fetch(self, request: Request) -> list[Columns]:
        names = [output.name for output in request.select]
        return [dict(zip(names, row, strict=True)) for row in await self.line.fetch(self._source, request)]

    def _sorts(self, expr: Expr) -> bool:
        return tells_time(self.entity, expr) and self.line.manifest.orders(self._source, expr) is None

    def _filters(self, condition: Expr) -> bool:
        return tells_time(self.entity, condition) and self.line.manifest.filters(self._source, condition) is None

    def by_cursor(self) -> tuple[Order, ...]:
        """Return the order by cursor, then key where the source can; none where it cannot sort by the cursor."""
        expr = self._cursor()
        return (Order(expr), *self.by_key()) if self._sorts(expr) else ()

    def latest(self) -> tuple[Order, ...]:
        """Return the order that begins with the highest cursor; none where the source cannot sort so."""
        expr = self._cursor()
        return (Order(expr, descending=True),) if self._sorts(expr) else ()

    def since(self, value: Any) -> Expr:
        """Return the condition of the rows whose cursor is at least a value."""
        return call("ge", self._cursor(), Literal(value, self._cursor().type))

    def cursor_of(self, row: Columns) -> Any:
        """Return the cursor of a row as a value; None where it has none; raises `Invalid`."""
        if self.cursor is None:
            return None
        return converter(self.cursor.type, reading(self.entity))(row.get(self.cursor.name))

    def _cursor(self) -> Column:
        if self.cursor is None:
            raise LookupError("read without a cursor")
        return Column((self.cursor.name,), self.cursor.type)
