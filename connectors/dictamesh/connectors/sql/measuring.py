# SPDX-License-Identifier: Apache-2.0
"""Queries that give one value about a source: those of quality rules, and duplicates.

A rule's text is parsed; what its placeholders stand for is put into the tree, never into the text.
"""

import re
from collections.abc import Callable

from sqlglot import exp, parse_one

from dictamesh.connectors.sql.dialect import Dialect, table
from dictamesh.connectors.sql.relation import query_problem, table_parts
from dictamesh.specs.expressions.engines import Engine
from dictamesh.specs.manifest import Measure, Source, SourceColumn, Sql
from dictamesh.specs.types import Kind

_PLACEHOLDER = re.compile(r"\$?\{(object|table|model|property|column|field)\}")
_LITERAL = re.compile(r"'[^']*'")
_BRACES = re.compile(r"\{(\w{1,50})\}")
_OF_COLUMN = frozenset({"property", "column", "field"})
_OBJECT, _PROPERTY = "dictamesh_object", "dictamesh_property"
_RESULT = "value"


def measuring(engine: Engine) -> Sql:
    """Return what a SQL connector can be asked about a source."""
    dialect = Dialect(engine, lambda source: source.options.query)
    return Sql(_measure(dialect), _duplicates(dialect))


def _measure(dialect: Dialect) -> Callable[[Source, str, str | None], Measure | str]:
    def measure(source: Source, text: str, column: str | None) -> Measure | str:
        named = {match[1] for match in _PLACEHOLDER.finditer(text)}
        if named & _OF_COLUMN and column is None:
            return f"'{{{min(named & _OF_COLUMN)}}}' stands for the column of a property, and there is none"
        own = dialect.text(source)
        if own is not None and query_problem(own, dialect.engine.value) is not None:
            return "the query that stands for the entity's table cannot be read"
        unknown = [name for name in _BRACES.findall(_LITERAL.sub("", text)) if name not in named]
        if unknown:
            return f"there is no placeholder '{{{unknown[0]}}}'; there are '{{object}}' and '{{property}}'"
        marked = _PLACEHOLDER.sub(lambda match: _PROPERTY if match[1] in _OF_COLUMN else _OBJECT, text)
        problem = query_problem(marked, dialect.engine.value)
        if problem is not None:
            return problem
        query = parse_one(marked, dialect=dialect.engine.value)
        if not isinstance(query, exp.Query) or len(query.selects) != 1 or query.is_star:
            return "the query must select one value"
        _bind(query, source, dialect, column)
        counts, name = _counts(query), _named(query)
        return Measure(query.sql(dialect=dialect.engine.value, comments=False), name, counts)

    return measure


def _bind(query: exp.Query, source: Source, dialect: Dialect, column: str | None) -> None:
    """Put the source and the column in the place of what stands for them."""
    *_, last = table_parts(source.physical_name)
    for read in list(query.find_all(exp.Column)):
        if read.table == _OBJECT:
            read.set("table", exp.to_identifier(last, quoted=True))
    for node in list(query.find_all(exp.Table)):
        if node.name == _OBJECT and node.db:
            node.set("this", exp.to_identifier(last, quoted=True))
        elif node.name == _OBJECT:
            node.replace(_relation(source, dialect, node.alias or last))
    for identifier in list(query.find_all(exp.Identifier)):
        if column is not None and identifier.name == _PROPERTY:
            identifier.replace(exp.to_identifier(column, quoted=True))
    for literal in list(query.find_all(exp.Literal)):
        if literal.is_string:
            literal.set("this", literal.this.replace(_OBJECT, last).replace(_PROPERTY, column or ""))


def _relation(source: Source, dialect: Dialect, alias: str) -> exp.Expr:
    text = dialect.text(source)
    if text is None:
        return table(source.physical_name, alias)
    own = parse_one(text, dialect=dialect.engine.value)
    return exp.Subquery(this=own, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _named(query: exp.Query) -> str:
    """The name of the one column, given to it where it has none."""
    select: exp.Expr = query
    while not isinstance(select, exp.Select):
        select = select.this
    (value,) = select.expressions
    if not isinstance(value, exp.Alias):
        select.set("expressions", [exp.alias_(value, _RESULT, quoted=True)])
        return _RESULT
    value.set("alias", exp.to_identifier(value.alias, quoted=True))
    return str(value.alias)


def _counts(query: exp.Query) -> bool:
    """Whether the value tells numbers of rows and nothing that is in them: columns stand in COUNT alone."""
    if not isinstance(query, exp.Select) or query.args.get("group"):
        return False
    (value,) = query.expressions
    return value.find(exp.Count) is not None and all(_counted(each, value) for each in value.find_all(exp.Column))


def _counted(node: exp.Expr, top: exp.Expr) -> bool:
    while node is not top and node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Count) or (isinstance(node, exp.Filter) and isinstance(node.this, exp.Count)):
            return True
    return False


def _duplicates(dialect: Dialect) -> Callable[[Source, tuple[SourceColumn, ...]], Measure | None]:
    def duplicates(source: Source, columns: tuple[SourceColumn, ...]) -> Measure | None:
        if any(column.type.kind not in _COMPARED for column in columns):
            return None
        parts = [_compared(column, dialect) for column in columns]
        there = [_there(column, dialect) for column in columns]
        rows = exp.Count(this=exp.Star())
        groups = (
            exp.select(exp.alias_(rows, "n", quoted=True))
            .from_(_relation(source, dialect, "rows"))
            .where(*there)
            .group_by(*parts)
            .having(exp.GT(this=rows.copy(), expression=exp.Literal.number(1)))
        )
        surplus = exp.Sum(this=exp.Sub(this=exp.column("n", quoted=True), expression=exp.Literal.number(1)))
        total = exp.Coalesce(this=surplus, expressions=[exp.Literal.number(0)])
        query = exp.select(exp.alias_(total, _RESULT, quoted=True)).from_(
            groups.subquery(exp.to_identifier("groups", quoted=True))
        )
        return Measure(query.sql(dialect=dialect.engine.value), _RESULT, counts=True)

    return duplicates


_COMPARED = frozenset({Kind.STRING, Kind.INT, Kind.LONG})  # as the runtime compares them


def _there(column: SourceColumn, dialect: Dialect) -> exp.Expr:
    """Whether a cell holds a value of its column's type; SQLite keeps what it is given."""
    found = exp.column(column.name, table="rows", quoted=True)
    if dialect.engine is not Engine.SQLITE:
        return exp.Not(this=exp.Is(this=found, expression=exp.Null()))
    kind = "text" if column.type.kind is Kind.STRING else "integer"
    return exp.EQ(this=exp.func("TYPEOF", found), expression=exp.Literal.string(kind))


def _compared(column: SourceColumn, dialect: Dialect) -> exp.Expr:
    found: exp.Expr = exp.column(column.name, table="rows", quoted=True)
    return dialect.exact(found) if column.type.kind is Kind.STRING else found
