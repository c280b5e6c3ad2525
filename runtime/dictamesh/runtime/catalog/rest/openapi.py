# SPDX-License-Identifier: Apache-2.0
"""Routes as an OpenAPI 3.1 document."""

import inspect
from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from dictamesh.runtime.catalog.rest.faults import MEANING, STATUS, Code, FaultBody
from dictamesh.runtime.catalog.rest.parameters import Parameter
from dictamesh.runtime.catalog.rest.route import AnyJson, Route

Mode = Literal["validation", "serialization"]
_REF = "#/components/schemas/{model}"
_ALWAYS: tuple[Code, ...] = ("INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE")
_DESCRIPTION = (
    "What the mesh knows of its products, entities and relations, for authenticated callers. What a caller may not "
    "know of is answered like what does not exist."
)


def openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """The document; equal routes give an equal one."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda each: (each.path, each.method)):
        paths.setdefault(route.whole_path, {})[route.method.lower()] = _operation(route, schemas)
    fault = _schema(FaultBody, "serialization", schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DictaMesh catalog", "version": "1.0", "description": _DESCRIPTION},
        "security": [{"apiKey": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {code: _response(f"{MEANING[code]} Code {code}.", fault) for code in sorted(MEANING)},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = _words(route).partition("\n")
    answer = _schema(route.answer, "serialization", schemas)
    codes = dict.fromkeys((*_ALWAYS, *route.faults))
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": summary.removesuffix("."),
        "tags": [route.tag],
        "responses": {
            str(route.status): _response("What was asked for.", answer),
            **{str(STATUS[code]): {"$ref": f"#/components/responses/{code}"} for code in sorted(codes, key=_status)},
        },
    }
    if rest.strip():
        found["description"] = " ".join(rest.split())
    if route.parameters:
        found["parameters"] = [_parameter(each) for each in route.parameters]
    if route.body is not None:
        given = route.body
        body = dict(given.schema) if isinstance(given, AnyJson) else _schema(given, "validation", schemas)
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def _status(code: Code) -> int:
    return STATUS[code]


def _words(route: Route) -> str:
    text = inspect.getdoc(route.handler) or route.name
    return text.replace("``", "`")


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    if parameter.many:
        schema = {"type": "array", "items": schema}
    found = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.doc,
        "schema": schema,
    }
    if parameter.example is not None:
        found["example"] = [parameter.example] if parameter.many else parameter.example
    return found


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema(of: Any, mode: Mode, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; the types that it is made of go into the components, each under its own name."""
    adapter: TypeAdapter[Any] = TypeAdapter(of)
    found = adapter.json_schema(mode=mode, ref_template=_REF, schema_generator=_Untitled)
    for name, each in found.pop("$defs", {}).items():
        _keep(name, _plain(each), schemas)
    whole: dict[str, Any] = _plain(found)
    if whole.get("type") != "object":
        return whole
    parts = "".join(each.__name__ for each in get_args(of))
    return _keep(f"{parts}{whole['title']}", whole | {"title": f"{parts}{whole['title']}"}, schemas)


def _keep(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if schemas.setdefault(name, schema) != schema:
        raise ValueError(f"two types of the API are called {name}")
    return {"$ref": _REF.format(model=name)}


def _plain(schema: Any) -> Any:
    """A schema whose descriptions are Markdown."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if isinstance(schema, str):
        return schema.replace("``", "`")
    return {key: _plain(value) for key, value in schema.items()} if isinstance(schema, dict) else schema


class _Untitled(GenerateJsonSchema):
    """Without titles that repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature of the library
        return False
