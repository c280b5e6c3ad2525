# SPDX-License-Identifier: Apache-2.0
"""Columns of a statement: the row's own, and those of to-one relations through correlated sub-selects."""

from dataclasses import dataclass, field

from sqlglot import exp

from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sdk.protocol import Order, Related
from dictamesh.connectors.sql.binds import Values
from dictamesh.connectors.sql.dialect import Dialect, table
from dictamesh.connectors.sql.emission import emitted, order_keys
from dictamesh.specs.expressions.tree import Column, Expr
from dictamesh.specs.manifest import Source


@dataclass(slots=True)
class Shared:
    """What all scopes of one statement share; `texts` are tables that stand verbatim."""

    dialect: Dialect
    values: Values
    texts: dict[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(slots=True)
class Scope:
    """One table of a statement under its alias."""

    source: Source
    related: tuple[Related, ...]
    shared: Shared
    alias: str

    @classmethod
    def root(cls, source: Source, related: tuple[Related, ...], dialect: Dialect, values: Values) -> "Scope":
        """Return the scope of the rows that are asked for."""
        return cls(source, related, Shared(dialect, values), "t0")

    @property
    def texts(self) -> dict[str, str]:
        return self.shared.texts

    def table(self) -> exp.Expr:
        """Return what stands after FROM."""
        text = self.shared.dialect.text(self.source)
        if text is None:
            return table(self.source.physical_name, self.alias)
        name = f"dictamesh text {self.alias}"
        self.texts[name] = text
        return exp.Table(
            this=exp.to_identifier(name, quoted=True),
            alias=exp.TableAlias(this=exp.to_identifier(self.alias, quoted=True)),
        )

    def raw(self, name: str) -> exp.Column:
        """Return an own column with the value that the source has."""
        return exp.column(self.shared.dialect.raw(name), table=self.alias, quoted=True)

    def value(self, name: str) -> exp.Column:
        """Return an own column with the value that expressions read."""
        return exp.column(self.shared.dialect.value(name), table=self.alias, quoted=True)

    def column(self, node: Column) -> exp.Expr:
        """Return what a column of an expression reads."""
        if len(node.path) == 1:
            return self.value(node.path[0])
        name, *rest = node.path
        related = next((found for found in self.related if found.name == name), None)
        if related is None:
            raise Terminal(Fault.BAD_REQUEST, place=self.source.address)
        inner, query = self._joined(related)
        read = inner.column(Column(tuple(rest), node.type))
        return query.select(read, copy=False).limit(1, copy=False).subquery(copy=False)

    def emitted(self, expr: Expr) -> exp.Expr:
        """Render an expression over this scope's columns."""
        return emitted(expr, self.shared.values, self.column, condition=False)

    def condition(self, expr: Expr) -> exp.Expr:
        """Render a condition, in parentheses."""
        return exp.Paren(this=emitted(expr, self.shared.values, self.column, condition=True))

    def order(self, key: Order) -> exp.Expr:
        """Render one key of an order: NULLs last, text by code point."""
        return order_keys(key, self.shared.values, self.column)

    def demands(self) -> list[exp.Expr]:
        """Render the relations that must meet a row."""
        found: list[exp.Expr] = []
        for related in self.related:
            if related.required:
                _, query = self._joined(related)
                found.append(exp.Exists(this=query.select(exp.Literal.number(1), copy=False)))
        return found

    def _joined(self, related: Related) -> tuple["Scope", exp.Select]:
        self.shared.count += 1
        inner = Scope(related.source, related.related, self.shared, f"t{self.shared.count}")
        conditions: list[exp.Expr] = [
            exp.EQ(this=inner.value(theirs), expression=self.value(own)) for own, theirs in related.on
        ]
        query = exp.Select().from_(inner.table(), copy=False)
        conditions += inner.demands()
        if related.where is not None:
            conditions.append(inner.condition(related.where))
        return inner, query.where(*conditions, copy=False)
