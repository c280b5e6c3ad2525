# SPDX-License-Identifier: Apache-2.0
"""The table or query that an entity's rows come from."""

import re

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

MAX_QUERY = 20_000  # characters

_PART = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')
_FORBIDDEN = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Into, exp.Lock,
    exp.Copy, exp.Attach, exp.Set, exp.Pragma, exp.Placeholder, exp.Parameter,
)  # fmt: skip
_FORBIDDEN_FUNCTIONS = frozenset({"set_config", "load_extension", "dblink_exec", "lo_import", "lo_export", "pg_notify"})


def table_parts(physical_name: str) -> tuple[str, ...]:
    """Split `sales.orders` at its dots; a part in double quotes may hold dots. Any other name stays whole."""
    parts: list[str] = []
    at = 0
    while at <= len(physical_name):
        found = _PART.match(physical_name, at)
        if found is None:
            return (physical_name,)
        parts.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        at = found.end() + 1
        if at <= len(physical_name) and physical_name[found.end()] != ".":
            return (physical_name,)
    return tuple(parts) if len(parts) <= 3 else (physical_name,)


def query_problem(query: str, dialect: str) -> str | None:
    """Say why a query is refused; None for a single read-only SELECT without parameters."""
    if len(query) > MAX_QUERY:
        return f"the query is longer than {MAX_QUERY} characters"
    try:
        statements = parse(query, dialect=dialect)
    except (SqlglotError, RecursionError):
        return f"the query is no {dialect} SQL that can be checked"
    if len(statements) != 1 or ";" in query.rstrip()[-1:]:
        return "the query must be one statement, without a semicolon"
    root = statements[0]
    if not isinstance(root, exp.Query):
        return "the query must be a SELECT"
    for node in root.walk():
        if isinstance(node, _FORBIDDEN):
            return f"the query must only read: {node.key} is not allowed"
        if isinstance(node, exp.Func) and node.sql_name().lower() in _FORBIDDEN_FUNCTIONS:
            return f"the function {node.sql_name().lower()} is not allowed"
        if isinstance(node, exp.Anonymous) and node.name.lower() in _FORBIDDEN_FUNCTIONS:
            return f"the function {node.name.lower()} is not allowed"
    return None
