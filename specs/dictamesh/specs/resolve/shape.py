# SPDX-License-Identifier: Apache-2.0
"""Documents to models: pydantic's findings as diagnostics with a place and a cure."""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dictamesh.specs.diagnostics import Findings, Located
from dictamesh.specs.documents import Path, Site, has_reference
from dictamesh.specs.resolve.keys import keys_at
from dictamesh.specs.suggest import suggest

T = TypeVar("T", bound=BaseModel)

WRONG_TYPE = ("_type", "_parsing", "_from_float", "_unicode")
WRONG_COUNT = ("too_short", "too_long")
ATTEMPTS = 4
WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
BOUNDS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} at most"),
    "less_than": ("lt", "less than {}"),
    "finite_number": ("", "a finite number"),
}
SOURCE = "Under 'source' stand 'server' and, by the name of each entity, a mapping with the connector's options."
SEVERAL = 16
"""Keys that a hint lists at most."""


@dataclass(frozen=True, slots=True)
class Built(Generic[T]):
    """What became of the data at a place; `broken` are the paths, from the document's root, of its faulty parts."""

    model: T | None
    broken: frozenset[Path]


def build(model: type[T], site: Site, findings: Findings, *, beside: frozenset[str] = frozenset()) -> Built[T]:
    """Build a model from the plain data that stands at `site`.

    Keys that are faulty and may be absent are left out, so that what is right is still checked against the rest.
    `beside` are keys of the language that are not the model's: they are passed over, and suggested.
    """
    data: Any = {key: value for key, value in site.plain.items() if key not in beside} if beside else site.plain
    broken: set[Path] = set()
    for attempt in range(ATTEMPTS):
        try:
            return Built(model.model_validate(data, by_alias=True, by_name=False), frozenset(broken))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if attempt == 0:
                report(model, errors, data, site, findings, also=beside)
            left = _faulty_keys(data, errors)
            broken.update((*site.path, *path) for path in left)
            data = _without(data, left)
    return Built(None, frozenset(broken))


def _faulty_keys(data: Any, errors: Iterable[ErrorDetails]) -> set[Path]:
    """The keys to leave out: of a list with a faulty entry the whole list, so that the others keep their places."""
    found: set[Path] = set()
    for error in errors:
        path = existing(data, error["loc"], keep_last=False)
        while path and isinstance(path[-1], int):
            path = path[:-1]
        if path:
            found.add(path)
    return found


def _without(data: Any, paths: Iterable[Path]) -> Any:
    kept = copy.deepcopy(data)
    for path in paths:
        inner = kept
        for part in path[:-1]:
            inner = inner[part] if _holds(inner, part) else None
        if isinstance(inner, dict):
            inner.pop(path[-1], None)
    return kept


def report(
    model: type[BaseModel],
    errors: Iterable[ErrorDetails],
    data: Any,
    site: Site,
    findings: Findings,
    code: str | None = None,
    also: Iterable[str] = (),
) -> None:
    """Record each fault once per place, as its own code or as `code`.

    A union reports a fault for every member it tried; the one that went deepest is kept. `also` are keys that may stand
    beside those of `model`. A reference stands for a value that is not known yet, so that its type is not judged.
    """
    placed = [(_path(data, error), error) for error in errors]
    placed.sort(key=lambda each: _beside_the_point(each[1], _value(data, each[0])))
    seen: set[Path] = set()
    for path, error in placed:
        value = _value(data, path)
        if isinstance(value, str) and has_reference(value) and error["type"] not in {"missing", "extra_forbidden"}:
            continue
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other, _ in placed)
        if path in seen or (deeper and _of_union(data, error)):
            continue
        seen.add(path)
        code_, at, message, hint = _finding(model, error, path, site, data, tuple(also))
        findings.error(code or code_, at, message, hint)


def _beside_the_point(error: ErrorDetails, value: Any) -> bool:
    """Whether another member of a union says more: the one for lists of a list."""
    return isinstance(value, list) and not error["type"].endswith(WRONG_COUNT)


def _path(data: Any, error: ErrorDetails) -> Path:
    return existing(data, error["loc"], keep_last=error["type"] in {"missing", "extra_forbidden"})


def _of_union(data: Any, error: ErrorDetails) -> bool:
    return len(error["loc"]) > len(_path(data, error))


Told = tuple[str, Located, str, str | None]
"""Code, place, message and hint."""


def _finding(
    model: type[BaseModel], error: ErrorDetails, path: Path, site: Site, data: Any, also: tuple[str, ...]
) -> Told:
    kind, at, name = error["type"], _at(site, path), _label(path)
    if kind == "extra_forbidden":
        known = sorted({*keys_at(model, path[:-1]), *(also if len(path) == 1 else ())})
        return "DM101", at.key_span, f"unknown key '{path[-1]}'", _unknown_key(str(path[-1]), known)
    if kind == "missing":
        return "DM102", _at(site, path[:-1]), f"the key '{path[-1]}' is missing", f"Add '{path[-1]}:' here."
    if kind == "union_tag_not_found":
        return "DM102", at, f"the key '{_tag(error)}' is missing", f"Add '{_tag(error)}:' here."
    if kind == "union_tag_invalid":
        at, path, name = at / _tag(error), (*path, _tag(error)), _tag(error)
    if kind in {"literal_error", "union_tag_invalid"}:
        message = f"not one of the values that '{name}' takes"
        return "DM104", at, message, _other_value(error, _value(data, path))
    return _unfit(error, path, at, _value(data, path))


def _unfit(error: ErrorDetails, path: Path, at: Site, value: Any) -> Told:
    """What is said of a value that the key does not take."""
    kind, name = error["type"], _label(path)
    if kind.endswith(WRONG_TYPE):
        wanted = WANTED.get(kind, "another type of value")
        hint = SOURCE if path[:-1] == ("source",) else _other_type(wanted, value)
        return "DM103", at, f"'{name}' takes {wanted}", hint
    if kind in BOUNDS:
        bound, text = BOUNDS[kind]
        wanted = text.format(error.get("ctx", {}).get(bound, ""))
        return "DM104", at, f"'{name}' takes {wanted}", f"Write {wanted}."
    if kind.endswith(WRONG_COUNT):
        few = kind.endswith("too_short")
        return "DM106", at, f"'{name}' takes {_count(error)}", "Add what is missing." if few else "Make it shorter."
    message, _, cure = error["msg"].removeprefix("Value error, ").partition("; ")
    return (
        "DM104",
        at,
        f"'{name}': {message[:1].lower()}{message[1:]}",
        f"{cure[:1].upper()}{cure[1:]}." if cure else None,
    )


def _tag(error: ErrorDetails) -> str:
    """The key that tells the members of a union apart."""
    return str(error.get("ctx", {}).get("discriminator", "")).strip("'")


def _unknown_key(name: str, known: list[str]) -> str:
    near = suggest(name, known)
    if near:
        return f"did you mean '{near}'?"
    if not known or len(known) > SEVERAL:
        return "The reference of the language lists the keys that may stand here."
    return f"The keys here are: {', '.join(known)}."


def _other_value(error: ErrorDetails, value: Any) -> str:
    context = error.get("ctx", {})
    expected = str(context.get("expected") or context.get("expected_tags") or "")
    near = suggest(value, re.findall(r"'([^']*)'", expected)) if isinstance(value, str) else None
    expected = expected.replace("True", "true").replace("False", "false")
    return f"did you mean '{near}'?" if near else f"It takes {expected}."


def _other_type(wanted: str, value: Any) -> str:
    if wanted == "text" and isinstance(value, int | float):
        return "Put it in quotes."
    if wanted == "a list" and isinstance(value, str):
        return "Put it in brackets: [...]."
    return f"Write {wanted} here."


def _count(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    what = "characters" if error["type"].startswith("string") else "entries"
    least, most = context.get("min_length"), context.get("max_length")
    number, bound = (least, "at least") if least is not None else (most, "at most")
    return f"{bound} {number} {what if number != 1 else {'entries': 'entry'}.get(what, 'character')}"


def _value(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part] if _holds(data, part) else None
    return data


def _label(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "document")


def _at(site: Site, path: Path) -> Site:
    for part in path:
        site = site / part
    return site


def existing(data: Any, loc: Path, *, keep_last: bool) -> Path:
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
