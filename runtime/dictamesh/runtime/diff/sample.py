# SPDX-License-Identifier: Apache-2.0
"""Rows and parameters on which two conditions are compared: around the literals that they hold. Pure, repeatable."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from dictamesh.runtime.governance.conditions import Parameters, Row
from dictamesh.specs.expressions.tree import Column, Expr, Literal, Parameter, walk
from dictamesh.specs.types import Kind, Type

ROWS = 1024
_SEED = 7
_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

Sample = tuple[tuple[Row, Parameters], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """The literals of conditions by family of types."""

    values: Mapping[str, tuple[Any, ...]]

    def of(self, type_: Type) -> tuple[Any, ...]:
        found = [None, *_GENERIC.get(_family(type_), ())]
        for value in self.values.get(_family(type_), ()):
            found += _around(value)
        fitting = (each for each in found if _fits(each, type_))
        return tuple(dict.fromkeys(fitting))


def sample(conditions: Iterable[Expr], held: Parameters) -> Sample:
    """Return rows and parameters for conditions; every combination of the values that matter, or 1,024 of them.

    `held` are parameters that are known, such as the claims of a class of callers.
    """
    nodes = [node for condition in conditions for node in walk(condition)]
    known = _Known(_literals(nodes))
    columns = sorted({(n.path, n.type) for n in nodes if isinstance(n, Column)}, key=lambda each: each[0])
    free = {(n.name, n.type) for n in nodes if isinstance(n, Parameter)}
    parameters = sorted((each for each in free if each[0] not in held), key=lambda each: each[0])
    choices = [known.of(type_) for _, type_ in columns] + [_of_parameter(type_, known) for _, type_ in parameters]
    found = []
    for combination in _combinations(choices):
        values, given = combination[: len(columns)], combination[len(columns) :]
        row = _row(zip((path for path, _ in columns), values, strict=True))
        extra = dict(zip((name for name, _ in parameters), given, strict=True))
        found.append((row, {"now": _NOW, "today": _NOW.date(), **extra, **held}))
    return tuple(found)


def _combinations(choices: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    size = 1
    for each in choices:
        size *= len(each)
    if size <= ROWS:
        yield from itertools.product(*choices)
        return
    chance = random.Random(_SEED)  # noqa: S311 - the same sample each time
    for _ in range(ROWS):
        yield tuple(chance.choice(each) for each in choices)


def _of_parameter(type_: Type, known: _Known) -> tuple[Any, ...]:
    if type_.kind is not Kind.ARRAY or type_.item is None:
        return known.of(type_)
    items = [value for value in known.of(type_.item) if value is not None][:6]
    pairs = [list(pair) for pair in itertools.combinations(items, 2)]
    return (None, [], *([item] for item in items), *pairs)


def _row(cells: Iterable[tuple[tuple[str, ...], Any]]) -> Row:
    row: dict[str, Any] = {}
    for path, value in cells:
        inner = row
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    return row


def _literals(nodes: Iterable[Expr]) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, dict[Any, None]] = {}
    for node in nodes:
        if isinstance(node, Literal) and node.value is not None and not isinstance(node.value, list | dict):
            found.setdefault(_family(node.type), {})[node.value] = None
    return {family: tuple(values) for family, values in found.items()}


def _family(type_: Type) -> str:
    return "number" if type_.numeric else str(type_.kind)


def _fits(value: Any, type_: Type) -> bool:
    if value is None or type_.kind not in {Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DECIMAL}:
        return True
    if type_.kind in {Kind.INT, Kind.LONG}:
        return isinstance(value, int)
    return isinstance(value, Decimal | int) if type_.kind is Kind.DECIMAL else isinstance(value, float | int)


def _around(value: Any) -> list[Any]:
    """A literal and its neighbours, which a changed comparison tells apart."""
    near = _NEIGHBOURS.get(type(value))
    return [value, *(near(value) if near else ())]


def _texts(value: str) -> list[Any]:
    plain = value.replace("%", "x").replace("_", "y")
    return [plain, f"{plain}a", plain[:-1], plain.swapcase(), value.strip("%_")]


_NEIGHBOURS: Mapping[type, Callable[[Any], list[Any]]] = {
    str: _texts,
    bool: lambda value: [not value],
    int: lambda value: [value - 1, value + 1, float(value), Decimal(value)],
    float: lambda value: [value - 0.5, value + 0.5],
    Decimal: lambda value: [value - 1, value + 1, float(value), int(value), int(value) + 1],
    date: lambda value: [value - timedelta(days=1), value + timedelta(days=1)],
    datetime: lambda value: [value - timedelta(seconds=1), value + timedelta(seconds=1)],
}
_GENERIC: Mapping[str, tuple[Any, ...]] = {
    "number": (0, 1, -1, 1000, 0.0, 1.5, Decimal(0), Decimal("1.5")),
    "string": ("", "a", "z"),
    "boolean": (True, False),
    "date": (_NOW.date(), date(1970, 1, 1), date(2100, 1, 1), _NOW.date() - timedelta(days=1)),
    "time": (time(0), time(12)),
    "timestamp": (_NOW, _NOW - timedelta(days=1), datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),
    "bytes": (b"", b"a"),
}
