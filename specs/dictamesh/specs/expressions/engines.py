# SPDX-License-Identifier: Apache-2.0
"""What all engines share: binds, templates of SQL, and turning a finished statement into text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.parsers.sqlite import SQLiteParser

from dictamesh.specs.expressions.jsons import json_text
from dictamesh.specs.expressions.parse import deep_recursion
from dictamesh.specs.expressions.tree import Column, Expr, Literal, Parameter
from dictamesh.specs.types import Kind, Type


class Engine(StrEnum):
    """An engine that expressions can be pushed down to."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    DUCKDB = "duckdb"


class NotPushable(Exception):  # noqa: N818 - an answer, not an error
    """An engine cannot be made to agree on this expression; `reason` says which part and why, without values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Binds:
    """The values of one statement, by the names of its placeholders.

    A literal's value is known, a parameter's is given for each run: one statement text serves every principal.
    """

    engine: Engine
    prefix: str = "b"
    entries: dict[str, Literal | Parameter] = field(default_factory=dict)

    def add(self, value: Literal | Parameter) -> str:
        """Return the name of the placeholder for `value`; the same parameter keeps its name."""
        if isinstance(value, Parameter):
            for name, known in self.entries.items():
                if known == value:
                    return name
        name = f"{self.prefix}{len(self.entries)}"
        self.entries[name] = value
        return name

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the driver binds, by placeholder name; a parameter that is missing is NULL."""
        return {
            name: to_engine(
                self.engine,
                entry.type,
                entry.value if isinstance(entry, Literal) else parameters.get(entry.name),
            )
            for name, entry in self.entries.items()
        }


@dataclass(frozen=True, slots=True)
class Emitted:
    """SQL of one expression, as a tree to compose statements from, and the binds that its placeholders name."""

    sql: exp.Expr
    binds: Binds


ColumnOf = Callable[[Column], exp.Expr]


def by_alias(aliases: Mapping[tuple[str, ...], str | None]) -> ColumnOf:
    """Return the reading of a column from the table alias of its relation path; `()` is the row at hand."""

    def column(node: Column) -> exp.Expr:
        relation = node.path[:-1]
        if relation not in aliases:
            raise NotPushable(f"it reads '{'.'.join(node.path)}', which is not part of the statement")
        return exp.column(node.path[-1], table=aliases[relation], quoted=True)

    return column


own_columns = by_alias({(): None})


def to_engine(engine: Engine, type_: Type, value: Any) -> Any:
    """Return `value` as the driver of `engine` takes it; SQLite holds dates, times and decimals as canonical text."""
    if value is None:
        return None
    if engine is Engine.SQLITE:
        return to_sqlite(type_, value)
    if engine is Engine.DUCKDB and isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if type_.kind in {Kind.JSON, Kind.OBJECT}:
        return json_text(value)
    return list(value) if type_.kind is Kind.ARRAY else value


def to_sqlite(type_: Type, value: Any) -> Any:
    """Return how a value of `type_` stands in SQLite: texts sort as their values do, decimals apart."""
    if type_.kind in {Kind.JSON, Kind.OBJECT}:
        return json_text(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("microseconds")
    if isinstance(value, Decimal):
        return format(value, "f")
    if type_.kind is Kind.ARRAY:
        item = type_.item or Type(Kind.JSON)
        return json_text([None if each is None else to_sqlite(item, each) for each in value])
    return value


class _PostgresTemplate(Postgres):
    class Parser(PostgresParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}


class _DuckDBTemplate(DuckDB):
    class Parser(DuckDBParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}


class _SQLiteTemplate(SQLite):
    class Parser(SQLiteParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}


_TEMPLATES: dict[Engine, type[Dialect]] = {
    Engine.POSTGRES: _PostgresTemplate,
    Engine.DUCKDB: _DuckDBTemplate,
    Engine.SQLITE: _SQLiteTemplate,
}
_ARGUMENT = re.compile(r"_(\d+)\Z")
_ATOMS = (exp.Column, exp.Paren, exp.Cast, exp.Placeholder, exp.Anonymous, exp.Boolean, exp.Null, exp.Case, exp.Literal)
MAX_NODES = 6_000


@lru_cache(maxsize=1024)
def _template(engine: Engine, text: str) -> exp.Expr:
    tree = _TEMPLATES[engine]().parser().parse_into(exp.Condition, _TEMPLATES[engine]().tokenize(text), text)[0]
    if tree is None:
        raise ValueError(f"no expression: {text}")
    return tree


def fill(engine: Engine, text: str, *args: exp.Expr) -> exp.Expr:
    """Parse the template `text` (ours, never a user's) and put `args` for `_0`, `_1`, ...

    Raises NotPushable when the result grows too large.
    """
    tree = _template(engine, text).copy()
    places = [
        (node, int(match.group(1)))
        for node in tree.find_all(exp.Column)
        if (match := _ARGUMENT.match(node.name)) and not node.table
    ]
    sizes = [sum(1 for _ in arg.walk()) for arg in args]
    if sum(sizes[index] for _, index in places) > MAX_NODES:
        raise NotPushable("its guarded SQL would be too large")
    for node, index in places:
        arg = args[index].copy()
        value = arg if isinstance(arg, _ATOMS) else exp.Paren(this=arg)
        if node is tree:
            return value
        node.replace(value)
    return tree


_DIALECTS: dict[Engine, str] = {Engine.POSTGRES: "postgres", Engine.DUCKDB: "duckdb", Engine.SQLITE: "sqlite"}
_MARK = re.compile("\ue000([a-z0-9_]+)\ue001")
_FORM = {Engine.POSTGRES: r"%(\1)s", Engine.DUCKDB: r"$\1", Engine.SQLITE: r":\1"}


def placeholder(name: str) -> exp.Expr:
    """Return a placeholder that `render` writes in the form of the driver."""
    return exp.Placeholder(this=name)


def render(statement: exp.Expr, engine: Engine) -> str:
    """Write a statement as text for the driver.

    A placeholder is `%(b0)s` for psycopg (percent signs are doubled), `:b0` for sqlite3, `$b0` for duckdb.
    """
    tree = statement.copy()
    for node in list(tree.find_all(exp.Placeholder)):
        mark = exp.var(f"\ue000{node.name}\ue001")
        if node is tree:
            tree = mark
        else:
            node.replace(mark)
    with deep_recursion():
        text = tree.sql(dialect=_DIALECTS[engine], comments=False, normalize_functions=False)
    if engine is Engine.POSTGRES:
        text = text.replace("%", "%%")
    return _MARK.sub(_FORM[engine], text)


@dataclass(slots=True)
class Writer:
    """The state of one emission: where values are bound, how columns are read, what writes each call."""

    engine: Engine
    binds: Binds
    column: ColumnOf
    calls: Mapping[str, "WriteCall"]
    read: "ReadColumn"
    bound: "Callable[[Type, exp.Expr], exp.Expr]"

    def value(self, expr: Expr) -> exp.Expr:
        """Return SQL that is NULL where `expr` is NULL or fails."""
        if isinstance(expr, Column):
            return self.read(self, expr)
        if isinstance(expr, Literal | Parameter):
            return self.constant(expr)
        write = self.calls.get(expr.name)
        if write is None:
            raise NotPushable(f"{self.engine} cannot be made to agree on {expr.name}")
        return write(self, expr)

    def constant(self, value: Literal | Parameter) -> exp.Expr:
        if isinstance(value, Literal) and value.type.kind is Kind.BOOLEAN and value.value is not None:
            return exp.true() if value.value else exp.false()
        if isinstance(value, Literal) and value.value is None:
            return self.bound(value.type, exp.null())
        return self.bound(value.type, placeholder(self.binds.add(value)))

    def values(self, exprs: tuple[Expr, ...]) -> tuple[exp.Expr, ...]:
        return tuple(self.value(expr) for expr in exprs)

    def fill(self, text: str, *args: exp.Expr) -> exp.Expr:
        return fill(self.engine, text, *args)


WriteCall = Callable[[Writer, "Any"], exp.Expr]
ReadColumn = Callable[[Writer, Column], exp.Expr]


def template(text: str) -> WriteCall:
    """Return the writing of a call by a template over its arguments."""
    return lambda writer, call: writer.fill(text, *writer.values(call.args))


def by_count(*texts: str) -> WriteCall:
    """Return the writing of a call by the template for its number of arguments, the shortest first."""

    def write(writer: Writer, call: Any) -> exp.Expr:
        text = next(text for text in texts if f"_{len(call.args)}" not in text and f"_{len(call.args) - 1}" in text)
        return writer.fill(text, *writer.values(call.args))

    return write


def function(name: str) -> WriteCall:
    """Return the writing of a call as the function `name` of all its arguments."""
    return lambda writer, call: exp.Anonymous(this=name, expressions=list(writer.values(call.args)))
