# SPDX-License-Identifier: Apache-2.0
"""Rules measured on rows in memory: what a source does not count is read and looked at here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.local import plain, test
from dictamesh.specs.expressions.tree import columns
from dictamesh.specs.quality import Check, QualityRule

Bad = Callable[[Any], bool]


def needed(rules: Iterable[QualityRule]) -> frozenset[str]:
    """Return the fields that rows have to carry for these rules."""
    found: set[str] = set()
    for rule in rules:
        found.update(rule.fields or rule.path[:1])
        if rule.condition is not None:
            found.update(path[0] for path in columns(rule.condition))
    return frozenset(found)


def bad_rows(rule: QualityRule, rows: Sequence[Row], parameters: Mapping[str, Any]) -> int | None:
    """Count the rows that a rule is about; None for a rule that is about no rows in particular."""
    if rule.check is Check.DUPLICATE:
        return _surplus(rule.fields, rows)
    if rule.condition is not None:
        holds = test(rule.condition)
        return sum(holds(plain(row, {}), parameters) for row in rows)
    make = _TESTS.get(rule.check)
    if make is None:
        return None
    bad = make(rule)
    return sum(any(bad(value) for value in _values(row, rule.path, rule.through)) for row in rows)


def _values(value: Any, path: Sequence[str], through: Sequence[bool]) -> Iterator[Any]:
    """The values that a path leads to: one, but for arrays on the way."""
    if not path or value is None or isinstance(value, CellError):
        yield value
        return
    found = value.get(path[0])
    for each in _items(found) if through[0] else (found,):
        yield from _values(each, path[1:], through[1:])


def _items(value: Any) -> Iterator[Any]:
    """What an array holds, however deep; nothing where there is none."""
    if isinstance(value, CellError):
        yield value
    for each in value if isinstance(value, list) else ():
        if isinstance(each, list):
            yield from _items(each)
        else:
            yield each


def _surplus(fields: Sequence[str], rows: Sequence[Row]) -> int:
    """Rows beyond the first of each group of equal ones; NULL and what is no value equal nothing."""
    seen: set[tuple[Any, ...]] = set()
    surplus = 0
    for row in rows:
        key = tuple(row[name] for name in fields)
        if any(value is None or isinstance(value, CellError) for value in key):
            continue
        surplus += key in seen
        seen.add(key)
    return surplus


def _null(_rule: QualityRule) -> Bad:
    return lambda value: value is None


def _missing(rule: QualityRule) -> Bad:
    values = frozenset(rule.values)
    if not values:
        return lambda value: rule.null and value is None
    return lambda value: rule.null if value is None else not isinstance(value, CellError) and value in values


def _invalid(rule: QualityRule) -> Bad:
    values = frozenset(rule.values)
    holds = _pattern(rule.pattern) if rule.pattern is not None else None

    def bad(value: Any) -> bool:
        if value is None:
            return False
        if isinstance(value, CellError) or (values and value not in values):
            return True
        return holds is not None and not holds(value)

    return bad


_TESTS: Mapping[Check, Callable[[QualityRule], Bad]] = {
    Check.NULL: _null,
    Check.MISSING: _missing,
    Check.INVALID: _invalid,
}


@lru_cache(maxsize=256)
def _pattern(text: str) -> Callable[[str], bool]:
    import re2  # noqa: PLC0415 - few rules have patterns

    options = re2.Options()
    options.log_errors = False
    compiled = re2.compile(text, options)

    def holds(value: str) -> bool:
        try:
            return compiled.search(value) is not None
        except UnicodeEncodeError:  # a lone surrogate, which JSON may carry
            return False

    return holds
