# SPDX-License-Identifier: Apache-2.0
"""The reference page of the connectors, rendered from their manifests."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dictamesh.connectors.registry import BUILT_IN, manifest
from dictamesh.specs.manifest import Manifest, SecretMark

_PLAIN = {str: "text", int: "integer", float: "number", bool: "boolean"}
_HEAD = """<!-- Generated from the connectors' manifests by `make docs`; do not edit. -->
# Connectors

A server of the mesh file names a connector by its `type`; the other keys of the server, and those below
`source.<Entity>` of a product, are the connector's options. Beside its options an entity takes the keys that the
language itself owns: `columns`, `coerce`, `defaultTimezone`, `surrogate`, `allowPiiKey`, `changes`.

Options marked *reference* hold secrets: write `${env:NAME}` or `${file:PATH}`. Paths are relative to the mesh file.
"""


def reference() -> str:
    """Render `docs/reference/connectors.md` for the built-in connectors."""
    parts = [_HEAD, *(_connector(manifest(name)) for name in sorted(BUILT_IN))]
    return "\n".join(parts)


def _connector(described: Manifest) -> str:
    seen: set[str] = set()
    lines = [f"## {described.name}", "", f"**{described.title}.** {described.doc}", ""]
    lines += _section(f"Server: `type: {described.name}`", described.server, seen)
    lines += _section("Entity: `source.<Entity>`", described.entity, seen)
    return "\n".join(lines)


def _section(title: str, model: type[BaseModel], seen: set[str]) -> Iterator[str]:
    yield from (f"### {title}", "", _first_line(model), "")
    yield from _table(model)
    for inner in _inner_models(model):
        if inner.__name__ not in seen:
            seen.add(inner.__name__)
            yield from (f"#### {_title(inner)}", "", _first_line(inner), "")
            yield from _table(inner)


def _table(model: type[BaseModel]) -> Iterator[str]:
    if not model.model_fields:
        return
    yield from ("| option | type | default | meaning |", "|---|---|---|---|")
    for field in model.model_fields.values():
        cells = (f"`{field.alias}`", _type(field), _default(field), field.description or _fixed(field))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _title(model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    values = get_args(kind.annotation) if kind is not None else ()
    return f"`kind: {values[0]}`" if values else model.__name__.removesuffix("Call")


def _fixed(field: FieldInfo) -> str:
    return "Says which form this is." if get_origin(field.annotation) is Literal else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return f"`kind: {value.kind}`" if hasattr(value, "kind") else "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value not in ({}, []) else ""


def _type(field: FieldInfo) -> str:
    if any(isinstance(mark, SecretMark) for mark in field.metadata):
        return "reference"
    return _spelled(field.annotation)


def _spelled(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _spelled(args[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in {Union, types.UnionType}:
        return ", ".join(dict.fromkeys(_spelled(arg) for arg in args if arg is not type(None)))
    if origin is list:
        return f"list of {_spelled(args[0])}"
    if origin is dict:
        return f"mapping of {_spelled(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _title(annotation)
    return _PLAIN.get(annotation, str(annotation))


def _inner_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            yield inner
            yield from _inner_models(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for arg in get_args(annotation):
        yield from _models_in(arg)
