# SPDX-License-Identifier: Apache-2.0
"""From ODCS's `logicalTypeOptions` to limits that a record is held against before it is published."""

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions.casts import conversion
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.limits import Limit, Limited
from dictamesh.specs.model.odcs import LogicalTypeOptions
from dictamesh.specs.model.product import Element
from dictamesh.specs.patterns import LARGEST, PatternProblem, compile_pattern
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import DECIMAL, STRING, Kind, Type

_TEXT = frozenset({Kind.STRING, Kind.BYTES})
_NUMBERS = frozenset({Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DECIMAL})
_ORDERED = _NUMBERS | {Kind.DATE, Kind.TIME, Kind.TIMESTAMP}
_OBJECTS = frozenset({Kind.OBJECT, Kind.JSON})
_ARRAYS = frozenset({Kind.ARRAY})
_OF: Final[Mapping[Limit, tuple[frozenset[Kind], str]]] = {
    Limit.MIN_LENGTH: (_TEXT, "strings"),
    Limit.MAX_LENGTH: (_TEXT, "strings"),
    Limit.PATTERN: (frozenset({Kind.STRING}), "strings"),
    Limit.MINIMUM: (_ORDERED, "numbers, dates and times"),
    Limit.MAXIMUM: (_ORDERED, "numbers, dates and times"),
    Limit.EXCLUSIVE_MINIMUM: (_ORDERED, "numbers, dates and times"),
    Limit.EXCLUSIVE_MAXIMUM: (_ORDERED, "numbers, dates and times"),
    Limit.MULTIPLE_OF: (_NUMBERS, "numbers"),
    Limit.MIN_ITEMS: (_ARRAYS, "arrays"),
    Limit.MAX_ITEMS: (_ARRAYS, "arrays"),
    Limit.UNIQUE_ITEMS: (_ARRAYS, "arrays"),
    Limit.MIN_PROPERTIES: (_OBJECTS, "objects"),
    Limit.MAX_PROPERTIES: (_OBJECTS, "objects"),
    Limit.REQUIRED: (_OBJECTS, "objects"),
}
_PAIRS: Final = (
    (Limit.MIN_LENGTH, Limit.MAX_LENGTH),
    (Limit.MINIMUM, Limit.MAXIMUM),
    (Limit.EXCLUSIVE_MINIMUM, Limit.EXCLUSIVE_MAXIMUM),
    (Limit.EXCLUSIVE_MINIMUM, Limit.MAXIMUM),
    (Limit.MINIMUM, Limit.EXCLUSIVE_MAXIMUM),
    (Limit.MIN_ITEMS, Limit.MAX_ITEMS),
    (Limit.MIN_PROPERTIES, Limit.MAX_PROPERTIES),
)
_BOUNDS: Final = {Limit.EXCLUSIVE_MINIMUM: Limit.MINIMUM, Limit.EXCLUSIVE_MAXIMUM: Limit.MAXIMUM}


class _Unusable(Exception):  # noqa: N818 - what is wrong with a text of the user, told as a diagnostic
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def limits(element: Element, kind: Type, site: Site, findings: Findings, depth: int = 0) -> tuple[Limited, ...]:
    """Return the limits of an element and of what its arrays hold; those of an object's members are the members'."""
    at = site / "logicalTypeOptions"
    found = dict(_own(element.logical_type_options, kind, at, findings))
    _check_ranges(found, at, findings)
    own = tuple(Limited(limit, operand, depth) for limit, operand in found.items())
    if kind.kind is Kind.ARRAY and element.items is not None and kind.item is not None:
        return own + limits(element.items, kind.item, site / "items", findings, depth + 1)
    return own


def _own(options: LogicalTypeOptions, kind: Type, at: Site, findings: Findings) -> Iterator[tuple[Limit, Any]]:
    given = {limit: value for limit in Limit if (value := options.said(limit)) is not None}
    for limit, value in given.items():
        kinds, names = _OF[limit]
        place = at / limit.value
        if kind.kind not in kinds:
            message = f"'{limit}' is a limit of {names}, and this is {kind.kind}"
            findings.error("DM212", place.key_span, message, "Leave it out.")
            continue
        if isinstance(value, bool) and limit in _BOUNDS:  # ODCS before 3.1: it says how the other one is meant
            if value and _BOUNDS[limit] not in given:
                message = f"'{limit}: true' says nothing without '{_BOUNDS[limit]}'"
                findings.error("DM212", place, message, f"Write the bound itself: '{limit}: <value>'.")
            elif value:
                yield from _operand(limit, given[_BOUNDS[limit]], kind, at / _BOUNDS[limit].value, findings)
            continue
        yield from _operand(limit, value, kind, place, findings)


def _operand(limit: Limit, value: Any, kind: Type, place: Site, findings: Findings) -> Iterator[tuple[Limit, Any]]:
    try:
        yield limit, _typed(limit, value, kind)
    except PatternProblem as problem:
        message = f"this limit is not checked: {problem}"
        findings.warning("DM131", place, message, "RE2 matches patterns: no lookaround, no references back.")
    except _Unusable as problem:
        findings.error("DM104", place, problem.message, problem.hint)


def _typed(limit: Limit, value: Any, kind: Type) -> Any:
    match limit:
        case Limit.PATTERN:
            compile_pattern(value, LARGEST)
            return value
        case Limit.REQUIRED:
            return _names(value, kind)
        case Limit.MULTIPLE_OF:
            if value <= 0:
                raise _Unusable("'multipleOf' is a number above zero", "Write such a number.")
            return Decimal(str(value))
        case Limit.MINIMUM | Limit.MAXIMUM | Limit.EXCLUSIVE_MINIMUM | Limit.EXCLUSIVE_MAXIMUM:
            return _bound(limit, value, kind)
        case Limit.UNIQUE_ITEMS:
            return value
        case _:
            if value < 0:
                raise _Unusable(f"'{limit}' is a number of things, not below zero", "Write 0 or more.")
            return value


def _bound(limit: Limit, value: Any, kind: Type) -> Any:
    # a float is held against the float that the bound's text means: 0.1 is not above 0.1
    target = DECIMAL if kind.kind in _NUMBERS - {Kind.FLOAT} else kind
    name = "number" if kind.kind in _NUMBERS else kind.kind.value
    convert = conversion(STRING, target)
    bound = None
    with contextlib.suppress(ExpressionFailed):
        if convert is not None and not isinstance(value, bool):
            bound = convert(str(value))
    if bound is not None:  # what is read as NULL, as NaN and infinity are (S5), bounds nothing
        return bound
    raise _Unusable(f"'{limit}' is no {name}", f"Write a {name}.")


def _names(names: tuple[str, ...], kind: Type) -> tuple[str, ...]:
    known = [name for name, _ in kind.members]
    for name in names:
        if kind.kind is Kind.OBJECT and name not in known:
            near = suggest(name, known)
            raise _Unusable(
                f"the object has no property '{name[:50]}'",
                f"did you mean '{near}'?" if near else f"Its properties are {', '.join(known)}.",
            )
    return tuple(dict.fromkeys(names))


def _check_ranges(found: Mapping[Limit, Any], at: Site, findings: Findings) -> None:
    for low, high in _PAIRS:
        if low not in found or high not in found:
            continue
        exclusive = {low, high} & set(_BOUNDS)
        if found[low] > found[high] or (exclusive and found[low] == found[high]):
            message = f"no value is within '{low}' and '{high}'"
            place = at / high.value if (at / high.value).exists else at
            findings.error("DM212", place, message, "Correct one of them: every record would be a bad one.")
            return
