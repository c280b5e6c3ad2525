# SPDX-License-Identifier: Apache-2.0
"""The reference page of the expression language, made from its table."""

from collections.abc import Iterable, Iterator

from dictamesh.specs.expressions.functions import (
    DATE_FUNCTIONS,
    FORMS,
    JSON_FUNCTIONS,
    NUMBER_FUNCTIONS,
    OPERATORS,
    TEXT_FUNCTIONS,
    Function,
)
from dictamesh.specs.expressions.parse import MAX_NESTING, MAX_TEXT

_HEAD = f"""\
<!-- Generated from the table of functions by `make docs`; do not edit. -->
# Expressions

`transformLogic`, `where`, `keep` and quality rules are SQL expressions with the meaning of PostgreSQL: one scalar, no
sub-select, aggregate or window. They mean the same in Python, SQLite, PostgreSQL and DuckDB; where an engine cannot be
made to agree, the mesh computes the value itself and `plan` says so. At most {MAX_TEXT} characters and {MAX_NESTING}
levels of nesting.

- **Names** match exactly and are never folded; quote them where they are no plain names: `"Group"`. In `transformLogic`
  they are source columns; another field is `self.total`. In `keep` and `where` they are fields, fields over to-one
  relations on the same server (`customer.storeId`), `principal.<claim>`, `principal.roles` and `request.purpose`.
- **Failure** on a row (division by zero, a cast, overflow of 64 bits) gives null and `EXPRESSION_FAILED`; in a
  condition it is false. NaN and infinity are null.
- **The clock** (`CURRENT_DATE`, `CURRENT_TIMESTAMP`) stands still during an operation and is in UTC.
- **Text** is compared by code point. `LIKE` takes patterns of 256 characters with 8 wildcards at most.
"""


SECTIONS = (
    ("Forms", FORMS),
    ("Operators", OPERATORS),
    ("Text", TEXT_FUNCTIONS),
    ("Numbers", NUMBER_FUNCTIONS),
    ("Dates and times", DATE_FUNCTIONS),
    ("JSON", JSON_FUNCTIONS),
)


def reference() -> str:
    """Return docs/reference/expressions.md."""
    parts = [_HEAD]
    for title, functions in SECTIONS:
        parts += [f"## {title}\n", *_table(functions), ""]
    return "\n".join(parts).rstrip() + "\n"


def _table(functions: Iterable[Function]) -> Iterator[str]:
    yield "| written | meaning | takes and gives |"
    yield "|---|---|---|"
    for each in functions:
        signatures = "; ".join(dict.fromkeys(map(str, each.signatures)))
        yield f"| `{_cell(each.written)}` | {_cell(each.doc)} | {_cell(signatures)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
