# SPDX-License-Identifier: Apache-2.0
"""How one engine's statements differ from another's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.connectors.sql.relation import query_problem, table_parts
from dictamesh.specs.expressions.engines import Engine, render
from dictamesh.specs.manifest import Source


def _same(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Dialect:
    """An engine of the expression language, and what a connector adds to it.

    `text` gives the SELECT that stands for a source's table, None for the table itself; `value` names the column that
    expressions and keys read, `raw` the one with the value as the source has it.
    """

    engine: Engine
    text: Callable[[Source], str | None]
    value: Callable[[str], str] = _same
    raw: Callable[[str], str] = _same

    def exact(self, text: exp.Expr) -> exp.Expr:
        """Compare text by code point, whatever collation its column declares."""
        if self.engine is Engine.SQLITE:
            return exp.Collate(this=text, expression=exp.to_identifier("BINARY"))
        if self.engine is Engine.POSTGRES:
            return exp.Collate(this=exp.cast(text, "text"), expression=exp.to_identifier("C", quoted=True))
        return text

    def render(self, query: exp.Expr, texts: Mapping[str, str]) -> str:
        """Render a statement; `texts` stand verbatim where their names are tables."""
        sql = render(query, self.engine)
        for name, text in texts.items():
            # A line break, for a text that ends in a comment; psycopg takes a percent sign for a placeholder.
            body = text.replace("%", "%%") if self.engine is Engine.POSTGRES else text
            sql = sql.replace(f'"{name}"', f"({body}\n)")
        return sql


def query_of(engine: Engine) -> Callable[[Source], str | None]:
    """Return the reader of an entity's `query`; `Terminal(INVALID_CONFIG)` for one that does not only read."""

    @lru_cache(maxsize=1024)
    def problem(query: str) -> str | None:
        return query_problem(query, engine.value)

    def read(source: Source) -> str | None:
        query: str | None = source.options.query
        if query is not None and problem(query) is not None:
            raise Terminal(Fault.INVALID_CONFIG, place=source.address)
        return query

    return read


def table(physical_name: str, alias: str) -> exp.Table:
    """Return a table with every part of its name quoted."""
    parts = [exp.to_identifier(part, quoted=True) for part in table_parts(physical_name)]
    found = exp.Table(this=parts[-1], alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    for name, part in zip(("db", "catalog"), reversed(parts[:-1]), strict=False):
        found.set(name, part)
    return found
