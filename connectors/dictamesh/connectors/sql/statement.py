# SPDX-License-Identifier: Apache-2.0
"""From a request to one SELECT with bound values (AD-14).

The text depends only on the shape of the request: keys, limits and parameters are read when it runs, so a driver
prepares it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sdk.protocol import Keys, Order, Related, Request
from dictamesh.connectors.sql.binds import First, KeyCell, Last, Size, Values
from dictamesh.connectors.sql.dialect import Dialect
from dictamesh.connectors.sql.scope import Scope
from dictamesh.specs.expressions.engines import Binds, Engine
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal
from dictamesh.specs.manifest import Source
from dictamesh.specs.types import BOOLEAN, STRING, Kind, Type

MAX_ROWS = 100_000  # of one answer
MAX_KEYS = 10_000
_PLAIN_KEYS = frozenset({Kind.STRING, Kind.INT, Kind.LONG})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text, and what stands behind its placeholders."""

    sql: str
    values: Values


def rows_statement(source: Source, request: Request, dialect: Dialect, keys_as_text: bool) -> Statement:
    """Build the statement that answers `fetch`.

    With `keys_as_text` key columns are compared as text: slow, but it meets keys that do not fit the column's own type.
    """
    building = _Building(source, request, dialect, keys_as_text)
    query = building.per_key() if request.per_key else building.plain()
    return Statement(dialect.render(query, building.scope.texts), building.values)


def count_statement(source: Source, request: Request, dialect: Dialect, keys_as_text: bool) -> Statement:
    """Build the statement that answers `count`: limit and offset aside."""
    building = _Building(source, request, dialect, keys_as_text)
    query = building.filtered([exp.Count(this=exp.Star())])
    return Statement(dialect.render(query, building.scope.texts), building.values)


class _Building:
    """One statement in the making: the scope of its columns and the values handed out so far."""

    def __init__(self, source: Source, request: Request, dialect: Dialect, keys_as_text: bool) -> None:
        self.request = request
        self.source = source
        self.dialect = dialect
        self.values = Values(dialect.engine, Binds(dialect.engine))
        self.keys_as_text = keys_as_text
        self.scope = Scope.root(source, request.related, dialect, self.values)
        self.types = {column.name: column.type for column in source.columns}

    def plain(self) -> exp.Select:
        query = self.filtered(self._outputs())
        if self.request.keys is None or self.request.order:
            query = query.order_by(*self._order(), copy=False)
        query.limit(self.values.slot(Size(MAX_ROWS + 1)), copy=False)
        return query.offset(self.values.slot(First()), copy=False) if self.request.offset else query

    def per_key(self) -> exp.Select:
        keys = self.request.keys
        if keys is None:
            raise Terminal(Fault.NOT_SUPPORTED, place=self.source.address)
        columns = [self._partition(name) for name in keys.columns]
        order = exp.Order(expressions=self._order())
        number = exp.Window(this=exp.RowNumber(), partition_by=columns, order=order)
        inner = self.filtered([*self._outputs(), number.as_("row number", quoted=True)])
        place = exp.column("row number", table="numbered", quoted=True)
        names = [exp.column(f"o{index}", table="numbered", quoted=True) for index in range(len(self.request.select))]
        return (
            exp.select(*names)
            .from_(inner.subquery("numbered"))
            .where(place > self.values.slot(First()), place.copy() <= self.values.slot(Last(MAX_ROWS + 1)))
            .order_by(place.copy())
            .limit(MAX_ROWS + 1)
        )

    def filtered(self, selected: Sequence[exp.Expr]) -> exp.Select:
        query = exp.select(*selected, copy=False).from_(self.scope.table(), copy=False)
        conditions = [*self._keys(), *self.scope.demands()]
        if self.request.where is not None:
            conditions.append(self.scope.condition(self.request.where))
        return query.where(*conditions, copy=False) if conditions else query

    def _outputs(self) -> list[exp.Expr]:
        return [
            exp.alias_(self._output(output.expr), f"o{index}", quoted=True, copy=False)
            for index, output in enumerate(self.request.select)
        ]

    def _output(self, expr: Expr) -> exp.Expr:
        if isinstance(expr, Column) and len(expr.path) == 1:
            return self.scope.raw(expr.path[0])
        return self.scope.emitted(expr)

    def _order(self) -> list[exp.Expr]:
        order = self.request.order or self._by_key()
        return [self.scope.order(key) for key in order]

    def _by_key(self) -> tuple[Order, ...]:
        return tuple(Order(Column((name,), self._type(name))) for name in self.source.key)

    def _type(self, name: str) -> Type:
        return self.types.get(name, STRING)

    def _keys(self) -> list[exp.Expr]:
        keys = self.request.keys
        if keys is None:
            return []
        if len(keys.values) > MAX_KEYS:
            raise Terminal(Fault.TOO_LARGE, place=self.source.address)
        if self.keys_as_text or not _typed(self.source, keys):
            return [self._bound_keys(keys)]
        return [self._typed_keys(keys)]

    def _bound_keys(self, keys: Keys) -> exp.Expr:
        rows = _rounded_up(len(keys.values))
        if len(keys.columns) == 1:
            cells = [self._key_cell(keys, row, 0) for row in range(rows)]
            return exp.In(this=self._key_column(keys.columns[0]), expressions=cells)
        return exp.or_(
            *(
                exp.and_(
                    *(
                        exp.EQ(this=self._key_column(name), expression=self._key_cell(keys, row, at))
                        for at, name in enumerate(keys.columns)
                    ),
                    copy=False,
                )
                for row in range(rows)
            ),
            copy=False,
        )

    def _key_cell(self, keys: Keys, row: int, at: int) -> exp.Expr:
        return self.values.slot(KeyCell(row, at, self._type(keys.columns[at]), self.keys_as_text))

    def _key_column(self, name: str) -> exp.Expr:
        column = self.scope.value(name)
        if self.keys_as_text:
            return exp.cast(column, "text")
        exact = self._type(name).kind is Kind.STRING and self.dialect.engine is Engine.SQLITE
        return self.dialect.exact(column) if exact else column

    def _partition(self, name: str) -> exp.Expr:
        column = self.scope.value(name)
        return self.dialect.exact(column) if self._type(name).kind is Kind.STRING else column

    def _typed_keys(self, keys: Keys) -> exp.Expr:
        """Compare as an expression does, so that dates, decimals and booleans are read as everywhere else."""
        rows: list[exp.Expr] = []
        for values in keys.values:
            parts = [
                self.scope.condition(
                    Call("eq", (Column((name,), self._type(name)), Literal(value, self._type(name))), BOOLEAN)
                )
                for name, value in zip(keys.columns, values, strict=True)
            ]
            rows.append(exp.and_(*parts, copy=False))
        return exp.or_(*rows, copy=False)


def _rounded_up(count: int) -> int:
    """Round up to a power of two, so that few texts serve all numbers of keys."""
    return 1 << max(0, count - 1).bit_length()


Shape = tuple[Any, ...]


def shape(source: Source, request: Request, dialect: Dialect, keys_as_text: bool) -> Shape:
    """Return what the text of a request's statement depends on; unhashable where a literal is."""
    keys = request.keys
    typed = keys is not None and not keys_as_text and _typed(source, keys)
    return (
        _relation(source, dialect),
        request.select,
        request.where,
        None if keys is None else (keys.columns, keys.values if typed else _rounded_up(len(keys.values))),
        request.order,
        bool(request.offset),
        request.per_key,
        tuple(_related(related, dialect) for related in request.related),
        keys_as_text,
    )


def _typed(source: Source, keys: Keys) -> bool:
    types = {column.name: column.type for column in source.columns}
    return not all(types.get(name, STRING).kind in _PLAIN_KEYS for name in keys.columns)


def _relation(source: Source, dialect: Dialect) -> Shape:
    return (source.physical_name, source.columns, source.key, dialect.text(source))


def _related(related: Related, dialect: Dialect) -> Shape:
    below = tuple(_related(inner, dialect) for inner in related.related)
    return (related.name, _relation(related.source, dialect), related.on, related.where, related.required, below)
