# SPDX-License-Identifier: Apache-2.0
"""SQL without its constants, so that it may be told to others."""

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError


def without_constants(sql: str, dialect: str | None = None) -> str | None:
    """Return a statement or expression with `?` for each constant, which may be somebody's data.

    None where it cannot be read.
    """
    try:
        tree = parse_one(sql, dialect=dialect)
        if isinstance(tree, exp.Literal):
            return "?"
        for literal in list(tree.find_all(exp.Literal)):
            literal.replace(exp.Var(this="?"))
        return tree.sql(dialect=dialect, comments=False)
    except (SqlglotError, RecursionError):
        return None
