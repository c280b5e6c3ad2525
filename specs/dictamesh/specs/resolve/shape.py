# SPDX-License-Identifier: Apache-2.0
"""Documents to models: pydantic's findings as diagnostics with a place and a cure."""

import copy
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Document, Site
from dictamesh.specs.suggest import suggest

T = TypeVar("T", bound=BaseModel)
Loc = tuple[int | str, ...]

WRONG_TYPE = ("_type", "_parsing", "_from_float")
ATTEMPTS = 3
WRONG_COUNT = ("too_short", "too_long")
WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def read_model(model: type[T], document: Document, findings: Findings) -> T | None:
    """Build a model from a document; faults are recorded and give None."""
    return build(model, document.plain(), Site(document, ()), findings)


def build(model: type[T], data: Any, site: Site, findings: Findings) -> T | None:
    """Build a model from the plain data that stands at `site`.

    Keys that are faulty and may be absent are left out, so that what is right is still checked against the rest.
    """
    for attempt in range(ATTEMPTS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if attempt == 0:
                report(model, errors, data, site, findings)
            data = _without(data, errors)
    return None


def _without(data: Any, errors: list[ErrorDetails]) -> Any:
    kept = copy.deepcopy(data)
    for error in errors:
        loc = existing(kept, error["loc"], keep_last=False)
        while loc and isinstance(loc[-1], int):
            loc = loc[:-1]  # an entry of a list keeps its place: the whole list goes
        if loc and error["type"] != "missing":
            _remove(kept, loc)
    return kept


def _remove(data: Any, loc: Loc) -> None:
    for part in loc[:-1]:
        if not _holds(data, part):
            return
        data = data[part]
    if isinstance(data, dict):
        data.pop(loc[-1], None)


def report(
    model: type[BaseModel],
    errors: list[ErrorDetails],
    data: Any,
    site: Site,
    findings: Findings,
    code: str | None = None,
) -> None:
    """Record each fault once per place: a union reports one for every member it tried."""
    seen: set[Loc] = set()
    for error in errors:
        loc = existing(data, error["loc"], keep_last=error["type"] in {"missing", "extra_forbidden"})
        if loc in seen:
            continue
        seen.add(loc)
        _report_one(model, error, loc, site, findings, code)


def _report_one(
    model: type[BaseModel], error: ErrorDetails, loc: Loc, site: Site, findings: Findings, code: str | None
) -> None:
    kind = error["type"]
    if kind == "extra_forbidden":
        known = sorted(keys_at(model, loc[:-1]))
        near = suggest(str(loc[-1]), known)
        hint = f"did you mean '{near}'?" if near else f"The keys here are: {', '.join(known)}." if known else ""
        findings.error(code or "DM101", _key(site, loc), f"unknown key '{loc[-1]}'", hint)
    elif kind == "missing":
        findings.error(
            code or "DM102", _at(site, loc[:-1]), f"the key '{loc[-1]}' is missing", f"Add '{loc[-1]}:' here."
        )
    elif kind == "literal_error":
        expected = error.get("ctx", {}).get("expected", "")
        findings.error(code or "DM104", _at(site, loc), "not one of the values this key takes", f"It takes {expected}.")
    elif kind.endswith(WRONG_TYPE):
        wanted = WANTED.get(kind, "another type of value")
        findings.error(code or "DM103", _at(site, loc), f"'{_label(loc)}' takes {wanted}", f"Write {wanted} here.")
    elif kind in WRONG_COUNT:
        findings.error(code or "DM106", _at(site, loc), f"'{_label(loc)}': {_lower(error['msg'])}")
    else:
        findings.error(code or "DM104", _at(site, loc), f"'{_label(loc)}': {_lower(error['msg'])}")


def _lower(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _label(loc: Loc) -> str:
    return ".".join(str(part) for part in loc if isinstance(part, str)) or "document"


def _at(site: Site, loc: Loc) -> Site:
    for part in loc:
        site = site / part
    return site


def _key(site: Site, loc: Loc) -> Any:
    return _at(site, loc).key_span


def existing(data: Any, loc: Loc, *, keep_last: bool) -> Loc:
    """Drop from a pydantic `loc` what is not in the data: names of union members and function validators."""
    path: list[int | str] = []
    for position, part in enumerate(loc):
        if _holds(data, part):
            data = data[part]
        elif not (keep_last and position == len(loc) - 1):
            continue
        path.append(part)
    return tuple(path)


def _holds(data: Any, part: int | str) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def keys_at(model: type[BaseModel], loc: Loc) -> set[str]:
    """The keys that a model takes at a place inside it; empty where any key may stand."""
    found: list[Any] = [model]
    for part in loc:
        found = [after for annotation in found for after in _step(annotation, part)]
    return {key for annotation in found for each in _models(annotation) for key in _aliases(each)}


def _aliases(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _step(annotation: Any, part: int | str) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                yield field.annotation
        extra = typing.get_type_hints(annotation).get("__pydantic_extra__")
        if extra is not None:
            yield from typing.get_args(extra)[1:]
        return
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _step(args[0], part)
    elif origin in {typing.Union, types.UnionType}:
        for arg in args:
            yield from _step(arg, part)
    elif origin is tuple:
        yield args[0]
    elif origin is dict:
        yield args[1]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) is not tuple:
        for arg in typing.get_args(annotation):
            yield from _models(arg)
