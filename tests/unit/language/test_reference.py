# SPDX-License-Identifier: Apache-2.0
"""What editors and readers are told of the language is whole, and true."""

from typing import Any

import jsonschema
import pytest
import yaml

from dictamesh.connectors.registry import BUILT_IN, manifests
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from dictamesh.specs.jsonschema import KINDS, document_schema, model_schema
from dictamesh.specs.model import Contract
from dictamesh.specs.model.docs import DOCS, EXAMPLES
from dictamesh.specs.reference import language

FILES = {
    "Mesh": "mesh.yaml",
    "Taxonomy": "taxonomy.yaml",
    "DataProduct": "products/a.yaml",
    "Policy": "policies/a.yaml",
    "Agreement": "policies/agreements.yaml",
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = document_schema({name: manifests()[name] for name in sorted(BUILT_IN)})
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def parts() -> dict[str, dict[str, Any]]:
    """The schema of every model of the language by its name."""
    found: dict[str, dict[str, Any]] = {}
    for model in (*KINDS.values(), Contract):
        schema = model_schema(model)
        found |= {model.__name__: schema, **schema["$defs"]}
    return found


@pytest.mark.parametrize("name", sorted(parts()))
def test_every_model_and_key_is_explained(name: str) -> None:
    schema = parts()[name]
    assert schema.get("description"), f"{name} has no docstring"
    silent = [key for key, value in schema.get("properties", {}).items() if not value.get("description")]
    assert not silent, f"{name}: {', '.join(silent)}"


def test_nothing_is_explained_that_is_not_there() -> None:
    known = parts()
    unknown = [
        f"{model}.{key}"
        for model, keys in DOCS.items()
        for key in keys
        if key not in known.get(model, {}).get("properties", {})
    ]
    assert unknown == []


def test_the_examples_of_the_reference_are_a_mesh_without_a_finding() -> None:
    found = build(Memory({FILES[kind]: text for kind, text in EXAMPLES.items()}), "mesh.yaml")
    assert found.diagnostics == ()
    assert found.plan is not None
    assert all(text in language() for text in EXAMPLES.values())


def test_the_examples_fit_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    documents = [each for text in EXAMPLES.values() for each in yaml.safe_load_all(text)]
    assert len(documents) == 6
    for document in documents:
        assert [error.message for error in validator.iter_errors(document)] == []


WRONG = [
    ("Mesh", "name: acme", "nmae: acme"),
    ("Mesh", "type: postgres", "type: sqlite"),
    ("Mesh", "dsn:", "dns:"),
    ("Mesh", '"${env:DESK_KEY}"', "hunter2"),
    ("Mesh", '"${env:ERP_DSN}"', '"host=db password=hunter2"'),
    ("Mesh", "timeout: 2s", "timeout: 2 seconds"),
    ("DataProduct", "status: active", "status: on"),
    ("DataProduct", "name: country", "name: the country"),
    ("DataProduct", "logicalType: number", "logicalType: money"),
    ("DataProduct", "many-to-one", "many-to-many"),
    ("DataProduct", "columns:", "colums:"),
    ("Policy", "effect: allow", "effect: permit"),
    ("Policy", "kind: hmac", "kind: blur"),
    ("Taxonomy", "pii: true", "pii: yes please"),
]


@pytest.mark.parametrize(("kind", "old", "new"), WRONG)
def test_the_schema_refuses_what_an_editor_can_know(
    validator: jsonschema.Draft202012Validator, kind: str, old: str, new: str
) -> None:
    text = EXAMPLES[kind]
    assert old in text
    first = next(iter(yaml.safe_load_all(text.replace(old, new, 1))))
    assert list(validator.iter_errors(first))
