# SPDX-License-Identifier: Apache-2.0
"""Whether a row keeps to the limits that its contract sets beyond types."""

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, Final

from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.keys import digits
from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.specs.limits import Limit
from dictamesh.specs.patterns import LARGEST, compile_pattern, longest_text
from dictamesh.specs.types import Kind, Type

Keeps = Callable[[Any], bool]
Steps = tuple[str | None, ...]
"""The way from a field's value to a limited one within: names of properties, None for all items of an array."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A limit, and the address of the property whose value breaks it."""

    address: str
    limit: Limit


@dataclass(frozen=True, slots=True)
class _Test:
    field: str
    steps: Steps
    keeps: Keeps
    broken: Broken


def broken_limit(fields: Iterable[FieldPlan]) -> Callable[[Row], Broken | None]:
    """Return a function that gives the first limit that a row breaks, None where it keeps to all of them.

    NULL breaks none, nor does what is no value. Lengths of texts count characters, those of bytes bytes.
    """
    tests = tuple(test for each in fields for test in _tests(each, each.name, ()))
    if not tests:
        return lambda _row: None

    def broken(row: Row) -> Broken | None:
        for test in tests:
            if not all(map(test.keeps, _values(row[test.field], test.steps))):
                return test.broken
        return None

    return broken


def _tests(field: FieldPlan, name: str, steps: Steps) -> Iterator[_Test]:
    for each in field.limits:
        keeps = _TESTS[each.limit](each.operand)
        yield _Test(name, (*steps, *[None] * each.depth), keeps, Broken(field.address, each.limit))
    within = (*steps, *[None] * _arrays(field.type))
    for member in field.members:
        yield from _tests(member, name, (*within, member.name))


def _arrays(kind: Type) -> int:
    return 0 if kind.kind is not Kind.ARRAY or kind.item is None else 1 + _arrays(kind.item)


def _values(value: Any, steps: Steps) -> Iterator[Any]:
    if value is None or isinstance(value, CellError):
        return
    if not steps:
        yield value
    elif steps[0] is not None:
        yield from _values(value.get(steps[0]) if isinstance(value, dict) else None, steps[1:])
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, steps[1:])


def _pattern(text: str) -> Keeps:
    search, longest = compile_pattern(text, LARGEST).search, longest_text(text)

    def keeps(value: Any) -> bool:
        try:
            return len(value) <= longest and search(value) is not None
        except UnicodeEncodeError:  # a lone surrogate, which JSON may carry
            return False

    return keeps


_EXACT: Final = Context(prec=10_000, Emax=MAX_EMAX, Emin=MIN_EMIN)  # values and operands are within 1e-400 and 1e400


def _multiple(operand: Decimal) -> Keeps:
    # the shortest decimal of a float is what its source wrote: 0.3 is a multiple of 0.1
    return lambda value: not _EXACT.remainder(Decimal(repr(value)) if isinstance(value, float) else value, operand)


def _unique(wanted: bool) -> Keeps:
    return lambda items: not wanted or len({_shape(each) for each in items}) == len(items)


def _shape(value: Any) -> str:
    """A value as text, equal where JSON Schema takes two values for equal: 1 is 1.0 and not true.

    Numbers and lists can be chosen so that all have one hash, and a set of them takes for ever; texts cannot.
    """
    match value:
        case dict():
            return f"{{{','.join(sorted([f'{name!r}:{_shape(each)}' for name, each in value.items()]))}}}"
        case list():
            return f"[{','.join([_shape(each) for each in value])}]"
        case bool():
            return repr(value)
        case int() | float():
            return repr(int(value)) if value == int(value) else repr(value)
        case Decimal():
            return digits(value)
        case _:
            return repr(value)


def _required(names: tuple[str, ...]) -> Keeps:
    return lambda value: not isinstance(value, dict) or all(_there(value.get(name)) for name in names)


def _properties(holds: Callable[[int, int], bool]) -> Callable[[int], Keeps]:
    return lambda limit: lambda value: not isinstance(value, dict) or holds(sum(map(_there, value.values())), limit)


def _there(value: Any) -> bool:
    return value is not None and not isinstance(value, CellError)  # which is null in what is published


def _length(holds: Callable[[int, int], bool]) -> Callable[[int], Keeps]:
    return lambda limit: lambda value: holds(len(value), limit)


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Keeps]:
    return lambda limit: lambda value: holds(value, limit)


_TESTS: Final[Mapping[Limit, Callable[[Any], Keeps]]] = {
    Limit.MIN_LENGTH: _length(operator.ge),
    Limit.MAX_LENGTH: _length(operator.le),
    Limit.PATTERN: functools.lru_cache(maxsize=256)(_pattern),
    Limit.MINIMUM: _ordered(operator.ge),
    Limit.MAXIMUM: _ordered(operator.le),
    Limit.EXCLUSIVE_MINIMUM: _ordered(operator.gt),
    Limit.EXCLUSIVE_MAXIMUM: _ordered(operator.lt),
    Limit.MULTIPLE_OF: _multiple,
    Limit.MIN_ITEMS: _length(operator.ge),
    Limit.MAX_ITEMS: _length(operator.le),
    Limit.UNIQUE_ITEMS: _unique,
    Limit.MIN_PROPERTIES: _properties(operator.ge),
    Limit.MAX_PROPERTIES: _properties(operator.le),
    Limit.REQUIRED: _required,
}
