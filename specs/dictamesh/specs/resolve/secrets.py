# SPDX-License-Identifier: Apache-2.0
"""Secrets stand in a document by reference only (S24, S27)."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Document, Site, has_reference, malformed, references
from dictamesh.specs.manifest import SecretMark
from dictamesh.specs.resolve.scopes import inside


def check_secrets(model: type[BaseModel], data: Any, site: Site, findings: Findings) -> None:
    """Record every literal in a field that `model` marks as secret, wherever the model is nested in `data`."""
    for path, value in _secrets(model, data, ()):
        place = site
        for part in path:
            place = place / part
        _check_secret(value, place, findings)


def _check_secret(value: Any, place: Site, findings: Findings) -> None:
    if not isinstance(value, str) or not has_reference(value):
        findings.error("DM701", place, f"'{place.path[-1]}' is written into the file", secret=True)
        return
    for reference in references(value):
        if reference.default:
            findings.error("DM703", place, f"the default of '{place.path[-1]}' is a literal secret", secret=True)
            return


def _secrets(annotation: Any, data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    args = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model_secrets(annotation, data, path)
    elif any(isinstance(arg, SecretMark) for arg in args):
        yield path, data
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _secrets(args[0] if args else None, value, (*path, index))
    elif isinstance(data, Mapping) and _is_mapping(annotation):
        for key, value in data.items():
            yield from _secrets(args[1], value, (*path, key))
    else:
        for arg in args:
            yield from _secrets(arg, data, path)


def _model_secrets(
    model: type[BaseModel], data: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if not isinstance(data, Mapping):
        return
    for name, field in model.model_fields.items():
        key = field.alias or name
        if data.get(key) is None:
            continue
        if any(isinstance(mark, SecretMark) for mark in field.metadata):
            yield (*path, key), data[key]
        else:
            yield from _secrets(field.annotation, data[key], (*path, key))


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def check_references(document: Document, findings: Findings) -> None:
    """Record malformed references anywhere in a document."""
    for path, value in _texts(document.plain(), ()):
        for problem in malformed(value):
            site = Site(document, path)
            findings.error("DM702", inside(site, problem.start, problem.end), problem.reason)


def _texts(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(data, str):
        if "${" in data:
            yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*path, index))
