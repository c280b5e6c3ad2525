# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of spec files, for editors; generated from the models and the connectors' manifests (SR-7)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from dictamesh.specs.manifest import Manifest
from dictamesh.specs.model import Agreement, Contract, Mesh, Policy, Product, Taxonomy
from dictamesh.specs.model.docs import described

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS: Mapping[str, type[BaseModel]] = {
    "Mesh": Mesh,
    "DataProduct": Product,
    "Policy": Policy,
    "Taxonomy": Taxonomy,
    "Agreement": Agreement,
}


def document_schema(manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """Return one schema for a document of any kind; options of servers and entities follow the connectors given."""
    definitions: dict[str, Any] = {}
    for kind, model in KINDS.items():
        schema = model_schema(model)
        definitions |= schema.pop("$defs", {})
        definitions[kind] = schema
    _connectors(definitions, manifests)
    _unserved(definitions)
    return {
        "$schema": DIALECT,
        "title": "DictaMesh spec",
        "description": "A document of a DictaMesh tree; `kind` says which.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}} for kind in KINDS
        ],
        "$defs": dict(sorted(definitions.items())),
    }


def _unserved(definitions: dict[str, Any]) -> None:
    """Let a data product without `source` be a contract, which takes any name and server."""
    contract = model_schema(Contract)
    definitions |= {name: value for name, value in contract.pop("$defs").items() if name not in definitions}
    definitions |= {"Contract": contract, "Product": definitions["DataProduct"]}
    definitions["DataProduct"] = {
        "if": {"required": ["source"]},
        "then": {"$ref": "#/$defs/Product"},
        "else": {"$ref": "#/$defs/Contract"},
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without the titles that it makes of names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model, each key of ours with its sentence."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    for name, each in {model.__name__: schema, **schema.get("$defs", {})}.items():
        for key, value in each.get("properties", {}).items():
            text = described(name, key)
            if text is not None and isinstance(value, dict):
                value.setdefault("description", text)
    return schema


def _connectors(definitions: dict[str, Any], manifests: Mapping[str, Manifest]) -> None:
    """Let `type` of a server choose its options, and let an entity's source take those of any connector."""
    entity = definitions["EntitySource"]
    own = entity["properties"]
    for name, manifest in sorted(manifests.items()):
        server = _named(definitions, manifest.server, f"{name}.server")
        for holder in ("Server", "ProductServer"):
            _choose(definitions[holder], name, server, keep=("type", "server"))
        options = _named(definitions, manifest.entity, f"{name}.entity")
        for key, value in options.get("properties", {}).items():
            _merge(own, key, value)
    entity["additionalProperties"] = False


def _named(definitions: dict[str, Any], model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Return a model's schema with its definitions put among ours under names of their own."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    inner = schema.pop("$defs", {})
    for name, value in inner.items():
        definitions[f"{prefix}.{name}"] = _moved(value, prefix)
    moved: dict[str, Any] = _moved(schema, prefix)
    return moved


def _moved(value: Any, prefix: str) -> Any:
    if isinstance(value, dict):
        return {
            key: each.replace("#/$defs/", f"#/$defs/{prefix}.") if key == "$ref" else _moved(each, prefix)
            for key, each in value.items()
        }
    return [_moved(each, prefix) for each in value] if isinstance(value, list) else value


def _choose(holder: dict[str, Any], connector: str, options: dict[str, Any], keep: tuple[str, ...]) -> None:
    then = {key: value for key, value in options.items() if key not in {"title", "description"}}
    then["properties"] = {**dict.fromkeys(keep, True), **then.get("properties", {})}
    condition = {"properties": {"type": {"const": connector}}, "required": ["type"]}
    holder.setdefault("allOf", []).append({"if": condition, "then": then})
    kinds = holder["properties"]["type"].setdefault("examples", [])
    kinds.append(connector)


def _merge(own: dict[str, Any], key: str, value: Any) -> None:
    known = own.get(key)
    if known is None:
        own[key] = value
    elif known != value:
        own[key] = {"anyOf": [*(known["anyOf"] if set(known) == {"anyOf"} else [known]), value]}
