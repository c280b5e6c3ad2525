# SPDX-License-Identifier: Apache-2.0
"""Values of policy tests, written in YAML, as the Python values of a field's type (S3)."""

import base64
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dictamesh.specs.types import Kind, Type


class Misfit(ValueError):  # noqa: N818 - the state of a value
    """A value of a test does not fit the type of its field."""


def typed(value: Any, type: Type) -> Any:  # noqa: A002 - the language's word
    """Return `value` as a Python value of `type`; None stays None. Raises Misfit."""
    if value is None:
        return None
    if type.kind is Kind.ARRAY and type.item is not None:
        return _array(value, type.item)
    if type.kind is Kind.OBJECT and type.members:
        return _object(value, dict(type.members))
    reader = _READERS.get(type.kind)
    if reader is None:
        return value
    try:
        return reader(value, type)
    except (ValueError, TypeError, ArithmeticError):
        raise Misfit(f"the value does not fit the type {type}") from None


def _array(value: Any, item: Type) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Misfit("the value is not a list")
    return [typed(one, item) for one in value]


def _object(value: Any, members: Mapping[str, Type]) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value.keys() <= members.keys():
        raise Misfit("the value is not an object of this type")
    return {name: typed(value.get(name), type_) for name, type_ in members.items()}


def _string(value: Any, _type: Type) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any, _type: Type) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any, type_: Type) -> int:
    if isinstance(value, bool | float):
        raise TypeError
    number = int(value)
    if abs(number) >= 2 ** (31 if type_.kind is Kind.INT else 63):
        raise OverflowError
    return number


def _float(value: Any, _type: Type) -> float:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise TypeError
    return float(value)


def _decimal(value: Any, type_: Type) -> Decimal:
    number = Decimal(str(value))
    if isinstance(value, bool) or not number.is_finite():
        raise TypeError
    if type_.scale is None:
        return number
    return number.quantize(Decimal(1).scaleb(-type_.scale), rounding=ROUND_HALF_UP)


def _moment(value: Any, _type: Type) -> datetime:
    found = datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _date(value: Any, _type: Type) -> date:
    return date.fromisoformat(value)


def _time(value: Any, _type: Type) -> time:
    return time.fromisoformat(value)


def _bytes(value: Any, _type: Type) -> bytes:
    return base64.b64decode(_string(value, _type), validate=True)


_READERS: Mapping[Kind, Callable[[Any, Type], Any]] = {
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
    Kind.INT: _integer,
    Kind.LONG: _integer,
    Kind.FLOAT: _float,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _moment,
}
