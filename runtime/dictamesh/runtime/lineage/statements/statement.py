# SPDX-License-Identifier: Apache-2.0
"""One SQL statement, read: what goes into each of its columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dictamesh.runtime.lineage.model import Subtype
from dictamesh.runtime.lineage.statements.flows import Flow, Flows, Table
from dictamesh.runtime.lineage.statements.reading import Reader, TooDeep
from dictamesh.runtime.lineage.statements.relations import Derived
from dictamesh.runtime.lineage.statements.scope import fold_of


@dataclass(frozen=True, slots=True)
class Statement:
    """The flows into each wanted column, and `rows`: those that decide which rows there are.

    `tables` are those that rows come from. `whole` is false where the statement could not be followed; then every
    column comes from every table as a whole.
    """

    columns: Mapping[str, Flows]
    rows: Flows
    tables: Flows
    whole: bool = True


def read_statement(
    sql: str, dialect: str, wanted: Iterable[str], known: Mapping[Table, Iterable[str]] | None = None
) -> Statement:
    """Read a query; never raises.

    `wanted` are names of its columns, as they stand in its result. `known` tells columns of tables, which decides where
    a name without a table belongs; both as the engine compares them.
    """
    names = list(wanted)
    try:
        tree = parse_one(sql, dialect=dialect)
    except (SqlglotError, RecursionError):
        return Statement(dict.fromkeys(names, frozenset()), frozenset(), frozenset(), whole=False)
    hints = {table: tuple(columns) for table, columns in (known or {}).items()}
    try:
        made = Reader(dialect, fold_of(dialect), hints).query(tree)
        tables = frozenset(flow for flow in made.whole if not flow.column)
        return Statement({name: _column(made, name) for name in names}, made.rows, tables)
    except (TooDeep, RecursionError, SqlglotError):
        every = frozenset(_tables(tree, dialect))
        return Statement(dict.fromkeys(names, every), frozenset(), every, whole=False)


def _column(made: Derived, name: str) -> Flows:
    """The flows into a result column: its name exactly, else in lower case, as engines fold it."""
    return made.read(name if made.has(name) else name.lower(), name)


def _tables(tree: exp.Expr, dialect: str) -> Iterable[Flow]:
    fold = fold_of(dialect)
    own = {fold(cte.args["alias"].this) for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        parts = [part for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part is not None]
        if len(parts) > 1 or fold(parts[0]) not in own:
            yield Flow(tuple(map(fold, parts)), "", Subtype.TRANSFORMATION, certain=False)
