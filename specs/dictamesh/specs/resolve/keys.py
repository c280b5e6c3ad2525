# SPDX-License-Identifier: Apache-2.0
"""The keys that a model takes at a place inside it, for suggestions."""

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from dictamesh.specs.documents import Path


def keys_at(model: type[BaseModel], path: Path) -> set[str]:
    """The keys that a model takes at a path; empty where any key may stand."""
    found: list[Any] = [model]
    for part in path:
        found = [after for annotation in found for after in _step(annotation, part)]
    return {key for annotation in found for each in models(annotation) for key in aliases(each)}


def aliases(model: type[BaseModel]) -> Iterator[str]:
    """The keys of a model as they are written."""
    for name, field in model.model_fields.items():
        yield field.alias or name


@cache
def _extra(model: type[BaseModel]) -> tuple[Any, ...]:
    hint = typing.get_type_hints(model).get("__pydantic_extra__")
    return typing.get_args(hint)[1:] if hint is not None else ()


def _step(annotation: Any, part: int | str) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        known = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        if part in known:
            yield known[str(part)]
        else:
            yield from _extra(annotation)
        return
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _step(args[0], part)
    elif origin in {typing.Union, types.UnionType}:
        for arg in args:
            yield from _step(arg, part)
    elif origin in {tuple, list}:
        yield args[0]
    elif origin is dict:
        yield args[1]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this annotation may be, entries of lists apart."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) not in {tuple, list}:
        for arg in typing.get_args(annotation):
            yield from models(arg)
