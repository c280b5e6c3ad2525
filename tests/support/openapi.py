# SPDX-License-Identifier: Apache-2.0
"""Answers of the catalog held against its own OpenAPI document."""

import re
from collections import Counter
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from dictamesh.runtime.catalog.rest.api import ROUTES
from dictamesh.runtime.catalog.rest.openapi import openapi

SEEN: Counter[tuple[str, str, int]] = Counter()
"""Answers that were held against the document: method, path of the document, status."""


@cache
def document() -> dict[str, Any]:
    """The document, with every object closed: a field that it does not name is a fault of ours."""
    return _closed(openapi(ROUTES))


def check(method: str, path: str, status: int, body: Any) -> None:
    """Fail unless an answer is one that the document describes; `path` may have a query."""
    plain = path.partition("?")[0]
    template = next((each for each in _templates() if _pattern(each).fullmatch(plain)), None)
    if template is None:
        assert status == 404, f"{method} {path} is answered and not described"
        _validate(_fault("ENTITY_NOT_FOUND"), body)
        return
    operation = document()["paths"][template].get(method.lower())
    if operation is None:
        assert status == 405
        _validate(_fault("INVALID_REQUEST"), body)
        return
    described = (
        {200, 201, *map(int, operation["responses"])} if status in {200, 201} else {*map(int, operation["responses"])}
    )
    assert status in described | {413, 415}, f"{method} {template} is not said to answer {status}"
    response = operation["responses"].get(str(status)) or {"$ref": "#/components/responses/INVALID_REQUEST"}
    if "$ref" in response:
        response = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    _validate(response["content"]["application/json"]["schema"], body)
    SEEN[method, template, status] += 1


def _fault(code: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["responses"][code]["content"]["application/json"]["schema"]
    return found


def _validate(schema: dict[str, Any], body: Any) -> None:
    whole = {**schema, "components": document()["components"]}
    faults = [error.message for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(body)]
    assert faults == [], faults


def _templates() -> list[str]:
    """Paths of the document, those with fewer placeholders first."""
    return sorted(document()["paths"], key=lambda path: (path.count("{"), path))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    path = re.escape(template).replace(re.escape("{address}"), ".+")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", path))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
