# SPDX-License-Identifier: Apache-2.0
"""From what `jsonschema` complains of to the key that is at fault.

A failed alternative is followed to the branch that was meant; what merely follows from another fault is left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from dictamesh.specs.documents import Path
from dictamesh.specs.odcs.schemas import schema, validator

MOST = 1_000
"""Faults of a file that are looked at."""


class Kind(StrEnum):
    """What is wrong; `keys` of a fault are those of the mapping at its path."""

    UNKNOWN = "unknown"  # keys that no such mapping has
    MISPLACED = "misplaced"  # keys that a mapping of this sort does not have
    MISSING = "missing"
    ONE_OF = "one of"  # keys of which one has to stand there
    EXCLUSIVE = "exclusive"  # keys of which only one may stand there
    TYPE = "type"  # `expected`: names of JSON types
    VALUE = "value"  # `expected`: the values there are
    FORM = "form"  # `expected`: the pattern, or nothing
    COUNT = "count"  # `expected`: the bound and its number


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, at the path of a value or of the mapping that `keys` belong to."""

    kind: Kind
    path: Path
    keys: tuple[str, ...] = ()
    expected: tuple[Any, ...] = ()


_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "uniqueItems"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})


def faults(version: str, data: Any) -> tuple[Fault, ...]:
    """Return the faults of a document under the schema of a version, in the order of their places; 1,000 at most."""
    judge = validator(version)
    every = (each for error in judge.iter_errors(data) for each in _unfolded(error, tuple(error.path), judge))
    found = dict.fromkeys(islice(every, MOST))
    return tuple(sorted(_causes(tuple(found)), key=lambda each: _order(each.path)))


def known_keys(version: str, path: Path) -> tuple[str, ...]:
    """Return the keys that the schema has for the mapping at a path, in whichever branch."""
    root = schema(version)
    schemas = [root]
    for step in path:
        schemas = [below for each in schemas for below in _below(each, step, root)]
    return tuple(dict.fromkeys(key for each in schemas for key in _named(each, root)))


def _named(schema: Any, root: Any) -> Iterator[str]:
    """Every key that a schema names for a mapping, in whichever branch."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for inner in _inner(schema, root):
            yield from _named(inner, root)


def _below(schema: Any, step: str | int, root: Any) -> Iterator[Any]:
    """The schemas of what stands at a key or place of a value, through references and branches."""
    if not isinstance(schema, dict):
        return
    if isinstance(step, int) and "items" in schema:
        yield schema["items"]
    elif step in schema.get("properties", ()):
        yield schema["properties"][step]
    for inner in _inner(schema, root):
        yield from _below(inner, step, root)


def _inner(schema: Any, root: Any) -> Iterator[Any]:
    if "$ref" in schema:
        yield _target(schema["$ref"], root)
    for rule in ("allOf", "oneOf", "anyOf"):
        yield from schema.get(rule, ())
    for rule in ("then", "else"):
        if rule in schema:
            yield schema[rule]


def _order(path: Path) -> tuple[tuple[bool, Any], ...]:
    return tuple((isinstance(step, str), step) for step in path)


def _causes(found: tuple[Fault, ...]) -> Iterator[Fault]:
    """Leave out what follows from others: keys that a branch knows which failed for another reason."""
    firm = [each for each in found if each.kind is not Kind.MISPLACED]
    for each in found:
        if each.kind is Kind.MISPLACED:
            if not any(other.path[: len(each.path)] == each.path and other.kind is not Kind.UNKNOWN for other in firm):
                yield each
        elif each.kind is not Kind.FORM or each.expected or not any(_same_place(each, other) for other in firm):
            yield each


def _same_place(weak: Fault, other: Fault) -> bool:
    return other is not weak and other.path[: len(weak.path)] == weak.path


def _unfolded(error: Any, path: Path, judge: Any) -> Iterator[Fault]:
    rule, wanted, data = error.validator, error.validator_value, error.instance
    if rule == "required":
        yield from (Fault(Kind.MISSING, path, (key,)) for key in wanted if key not in data)
    elif rule == "additionalProperties":
        known = error.schema.get("properties", {})
        yield from (Fault(Kind.UNKNOWN, path, (key,)) for key in data if key not in known)
    elif rule == "unevaluatedProperties":
        yield from _unevaluated(error.schema, data, path, judge)
    elif rule in {"oneOf", "anyOf"}:
        yield from _alternatives(error, path, judge)
    elif rule == "not":
        yield Fault(Kind.MISPLACED, path, tuple(key for key in wanted.get("required", ()) if key in data))
    else:
        yield _value_fault(rule, wanted, path)


def _value_fault(rule: str, wanted: Any, path: Path) -> Fault:
    if rule == "type":
        return Fault(Kind.TYPE, path, expected=(wanted,) if isinstance(wanted, str) else tuple(wanted))
    if rule in {"enum", "const"}:
        return Fault(Kind.VALUE, path, expected=tuple(wanted) if rule == "enum" else (wanted,))
    if rule in _COUNTS or rule in _BOUNDS:
        return Fault(Kind.COUNT, path, expected=(rule, wanted))
    return Fault(Kind.FORM, path, expected=(wanted,) if rule == "pattern" else ())


def _unevaluated(schema: Any, data: Any, path: Path, judge: Any) -> Iterator[Fault]:
    known = set(_named(schema, judge.schema))
    evaluated = _evaluated(schema, data, judge)
    for key in data:
        if key not in known:
            yield Fault(Kind.UNKNOWN, path, (key,))
        elif key not in evaluated:
            yield Fault(Kind.MISPLACED, path, (key,))


def _evaluated(schema: Any, data: Any, judge: Any) -> set[str]:
    """The keys that a schema names for a mapping in the branches that hold for it."""
    if not isinstance(schema, dict):
        return set()
    branches = list(_inner(schema, judge.schema))
    if "if" in schema and not judge.evolve(schema=schema["if"]).is_valid(data):
        branches = [each for each in branches if each is not schema.get("then")]
    valid = [each for each in branches if _holds(each, data, judge)]
    return set(schema.get("properties", ())).union(*(_evaluated(each, data, judge) for each in valid))


def _holds(schema: Any, data: Any, judge: Any) -> bool:
    """Whether a branch holds, keys of the mapping itself that it does not know aside."""
    errors = judge.evolve(schema=schema).iter_errors(data)
    return all(error.validator == "unevaluatedProperties" and not error.path for error in errors)


def _target(reference: str, root: Any) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def _alternatives(error: Any, path: Path, judge: Any) -> Iterator[Fault]:
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [each for index, each in enumerate(error.validator_value) if index not in branches]
    if fitting:
        there = error.instance if isinstance(error.instance, dict) else {}
        keys = dict.fromkeys(key for each in fitting for key in each.get("required", ()) if key in there)
        yield Fault(Kind.EXCLUSIVE, path, tuple(keys)) if len(keys) > 1 else Fault(Kind.FORM, path)
        return
    groups = list(branches.values())
    if all(_asks_for_keys(group) for group in groups):
        yield Fault(Kind.ONE_OF, path, tuple(dict.fromkeys(key for group in groups for key in _missing(group))))
    elif all(_is_of_another_type(group) for group in groups):
        yield Fault(Kind.TYPE, path, expected=tuple(dict.fromkeys(_types(groups))))
    else:
        meant = max(groups, key=_nearness)
        found = [fault for inner in meant for fault in _unfolded(inner, (*path, *inner.path), judge)]
        patterns = [inner.validator_value for group in groups for inner in group if inner.validator == "pattern"]
        if len(patterns) > 1 and all(each.kind is Kind.FORM for each in found):
            found = [Fault(Kind.FORM, path, expected=tuple(dict.fromkeys(patterns)))]
        yield from found


def _asks_for_keys(group: Iterable[Any]) -> bool:
    return all(inner.validator == "required" and not inner.relative_path for inner in group)


def _missing(group: Iterable[Any]) -> Iterator[str]:
    for inner in group:
        yield from (key for key in inner.validator_value if key not in inner.instance)


def _is_of_another_type(group: Iterable[Any]) -> bool:
    return any(inner.validator == "type" and not inner.relative_path for inner in group)


def _types(groups: Iterable[Iterable[Any]]) -> Iterator[str]:
    for group in groups:
        for inner in group:
            if inner.validator == "type" and not inner.relative_path:
                yield from (inner.validator_value,) if isinstance(inner.validator_value, str) else inner.validator_value


def _nearness(group: list[Any]) -> tuple[bool, bool, int, int]:
    """How much a branch looks like what was meant: of the right type, with its key there, failing deep and seldom."""
    depth = max(len(inner.relative_path) for inner in group)
    return not _is_of_another_type(group), not _asks_for_keys(group), depth, -len(group)
