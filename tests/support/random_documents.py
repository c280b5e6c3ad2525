# SPDX-License-Identifier: Apache-2.0
"""Random documents of the language: whatever the models take, as plain data, made from the models themselves."""

import types
import typing
from typing import Any

from annotated_types import Ge, Gt, Le, MinLen
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from dictamesh.specs.model.parts import _identifier, _one_or_many, _seconds, _slug

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf")), max_size=8)
WORDS = st.sampled_from(["a", "b c", "on", "1.0", "2022-10-03", "${env:X}", "é", "", "/x~y", "dictamesh", "odcs"])
SCALARS = st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(-1e6, 1e6) | WORDS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2), max_leaves=4
)
NAMES = st.sampled_from(["id", "name", "Order", "order_line", "total", "x1", "_y"])
SLUGS = st.sampled_from(["orders", "a.b", "A-1", "x_y", "9"])
DURATIONS = st.sampled_from(["5s", "500ms", "2h", 3, 1.5])


@st.composite
def documents(draw: st.DrawFn, model: type[BaseModel], depth: int = 3, more: int = 4) -> dict[str, Any]:
    """Plain data that a model takes, or nearly: filter with `model_validate`. `more`: keys that may be absent."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    keys = [key for key in fields if depth > 0 or key not in DEEP]
    optional = [key for key in keys if not fields[key].is_required()]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True, max_size=more)) if optional else []
    wanted = [key for key in keys if fields[key].is_required() or key in chosen]
    return {key: draw(_field(fields[key], depth - (key in DEEP))) for key in wanted}


DEEP = frozenset({"properties", "items", "schema"})


def _field(field: FieldInfo, depth: int) -> st.SearchStrategy[Any]:
    return _annotated(field.annotation, list(field.metadata), depth)


def _annotated(annotation: Any, marks: list[Any], depth: int) -> st.SearchStrategy[Any]:
    used = {mark.func for mark in marks if isinstance(mark, AfterValidator | BeforeValidator)}
    if _identifier in used:
        return NAMES
    if _slug in used:
        return SLUGS
    if _seconds in used:
        return DURATIONS
    found = _of_type(annotation, depth, marks)
    for mark in marks:
        if isinstance(mark, Ge | Gt | Le):
            low = next((each.ge for each in marks if isinstance(each, Ge)), 1)
            return st.integers(low, low + 5)
    return found


def _of_type(annotation: Any, depth: int, marks: list[Any]) -> st.SearchStrategy[Any]:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(args[0], list(args[1:]), depth)
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*(_of_type(arg, depth, []) for arg in args))
    if origin is tuple:
        inner = st.lists(_of_type(args[0], depth, []), min_size=_least(marks), max_size=2)
        one = any(isinstance(mark, BeforeValidator) and _takes_one(mark) for mark in marks)
        return inner | _of_type(args[0], depth, []) if one else inner
    if origin is dict:
        return st.dictionaries(NAMES, _of_type(args[1], depth, []), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return st.deferred(lambda: documents(annotation, depth))
    return PLAIN.get(annotation, JSON)


def _least(marks: list[Any]) -> int:
    return next((mark.min_length for mark in marks if isinstance(mark, MinLen)), 0)


def _takes_one(mark: BeforeValidator) -> bool:
    """Whether a single text may stand for the list."""
    return _one_or_many in (mark.func.__globals__.get(name) for name in mark.func.__code__.co_names)


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT | WORDS,
    int: st.integers(-3, 100),
    float: st.floats(-1e6, 1e6),
    bool: st.booleans(),
    types.NoneType: st.none(),
    Any: JSON,
}
