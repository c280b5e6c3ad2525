# SPDX-License-Identifier: Apache-2.0
"""What a change of the limits of values means to readers: a value that could not come before is news to them."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.runtime.diff.change import Class
from dictamesh.specs.limits import Limit, Limited

Told = tuple[Class, str, str | None, str | None]
"""A class, a kind, the limit before and after."""
_Place = tuple[Limit, int]

_TIGHTER: Final[Mapping[Limit, Callable[[Any, Any], bool]]] = {
    Limit.MIN_LENGTH: operator.gt,
    Limit.MINIMUM: operator.gt,
    Limit.EXCLUSIVE_MINIMUM: operator.gt,
    Limit.MIN_ITEMS: operator.gt,
    Limit.MIN_PROPERTIES: operator.gt,
    Limit.MAX_LENGTH: operator.lt,
    Limit.MAXIMUM: operator.lt,
    Limit.EXCLUSIVE_MAXIMUM: operator.lt,
    Limit.MAX_ITEMS: operator.lt,
    Limit.MAX_PROPERTIES: operator.lt,
    Limit.MULTIPLE_OF: lambda new, old: new % old == 0,
    Limit.REQUIRED: lambda new, old: set(new) >= set(old),
    Limit.UNIQUE_ITEMS: operator.gt,
}
"""Whether all values within the new limit are within the old one; a pattern cannot be compared with another."""


def limit_changes(old: FieldPlan, new: FieldPlan) -> Iterator[Told]:
    """Yield what differs between the limits of a field: a tightened one is for review, any other breaks a promise."""
    before, after = _by_place(old.limits), _by_place(new.limits)
    if old.type.kind is not new.type.kind:  # told of as that; limits of another type are others
        return
    for place in sorted({*before, *after}):
        one, other = before.get(place), after.get(place)
        if other is None:
            yield Class.BREAKING, "limit-removed", _text(place, one), None
        elif one is None:
            yield Class.REVIEW, "limit-added", None, _text(place, other)
        elif one.operand != other.operand:
            tighter = _TIGHTER.get(place[0], _never)(other.operand, one.operand)
            cls, kind = (Class.REVIEW, "limit-tightened") if tighter else (Class.BREAKING, "limit-loosened")
            yield cls, kind, _text(place, one), _text(place, other)


def _by_place(limits: Iterable[Limited]) -> dict[_Place, Limited]:
    return {(each.limit, each.depth): each for each in limits}


def _never(_new: Any, _old: Any) -> bool:
    return False


def _text(place: _Place, limited: Limited | None) -> str:
    operand = limited.operand if limited is not None else None
    shown = ", ".join(operand) if isinstance(operand, tuple) else operand
    return f"{place[0]} {shown}" + (" of items" if place[1] else "")
