# SPDX-License-Identifier: Apache-2.0
"""What Python does with rows that the source could not filter or sort: the same meaning, on mapped rows (S5, S9)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from dictamesh.runtime.adapters.ask import Ask
from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.veil import veiled
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.expressions import compile_filter
from dictamesh.specs.expressions.tree import Expr, columns

Parameters = Mapping[str, Any]
Test = Callable[[Mapping[str, Any], Parameters], bool]


@lru_cache(maxsize=1024)
def test(condition: Expr) -> Test:
    """Compile a condition over `plain` rows; NULL and a failure are false."""
    return compile_filter(condition)


def plain(row: Row, related: Mapping[str, Row | None]) -> dict[str, Any]:
    """Return a row as expressions read it: a cell without a value is NULL, related rows stand under their relation."""
    values = {name: None if isinstance(value, CellError) else value for name, value in row.items()}
    values.update(related)
    return values


def needs(entity: EntityPlan, condition: Expr | None, must: Iterable[str]) -> frozenset[str]:
    """Return the fields that a row has to carry for a condition, and for relations that it or `must` names."""
    paths = columns(condition) if condition is not None else frozenset()
    links = {path[0] for path in paths if len(path) > 1} | set(must)
    ends = {name for link in entity.links if link.name in links for name in link.own}
    return frozenset({path[0] for path in paths if len(path) == 1} | ends)


def ordered(rows: Iterable[Row], ask: Ask, entity: EntityPlan, salt: str) -> list[Row]:
    """Sort rows: NULLs last in both directions, text by code point, the key or its digest appended (S9)."""
    done = list(rows)
    named = {sort.field for sort in ask.order}
    for name in reversed([name for name in entity.key if name not in named]):
        value = veiled(name, entity.field(name).type, salt) if ask.veiled else itemgetter(name)
        done = _sorted(done, name, value)
    for sort in reversed(ask.order):
        done = _sorted(done, sort.field, itemgetter(sort.field), sort.descending)
    return done


def _sorted(rows: list[Row], name: str, value: Callable[[Row], Any], descending: bool = False) -> list[Row]:
    full = [row for row in rows if not _empty(row[name])]
    full.sort(key=value, reverse=descending)
    return full + [row for row in rows if _empty(row[name])]


def cut(rows: Sequence[Row], ask: Ask) -> list[Row]:
    """Apply offset and limit."""
    end = None if ask.limit is None else ask.offset + ask.limit
    return list(rows[ask.offset : end])


def _empty(value: Any) -> bool:
    return value is None or isinstance(value, CellError)
