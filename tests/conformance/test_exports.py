# SPDX-License-Identifier: Apache-2.0
"""Exports as the tools that read them see them: their own schemas, their own parsers, real databases."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import avro.schema
import fastavro
import jsonschema
import pytest
import sqlglot
from sqlglot import exp

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.exports.asyncapi import events
from dictamesh.runtime.exports.dbt import properties
from dictamesh.runtime.exports.ddl import ddl
from dictamesh.runtime.exports.dialects import DIALECTS
from dictamesh.runtime.exports.json_schema import bundle, row_schema
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Folder, Memory
from tests.support.depot import FILES
from tests.support.example import files
from tests.support.example import plan as example
from tests.support.golden import cases
from tests.support.running import ROOT

SCHEMAS = Path(__file__).parent / "schemas"


def plans() -> list[Any]:
    """The plan of every mesh in the repository that is accepted: examples, fixtures, golden cases."""
    found = [(name, build(Folder(ROOT / name), "mesh.yaml").plan) for name in ("examples", "tests/e2e/canaries")]
    found.append(("depot", build(Memory(FILES), "mesh.yaml").plan))
    for case in cases("*.md"):
        given = case.values[0]
        if given.runner == "validate" and " error: " not in (given.expected or ""):
            found.append((str(case.id), build(Memory(given.files), given.options.get("main", "mesh.yaml")).plan))
    return [pytest.param(plan, id=name) for name, plan in found if plan is not None and plan.entities]


PLANS = plans()


@cache
def validator(name: str) -> Any:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def complaints(name: str, document: Any) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator(name).iter_errors(document)]


@pytest.mark.parametrize("plan", PLANS)
def test_asyncapi_is_valid(plan: Plan) -> None:
    document = events(plan, plan.entities.values())
    assert complaints("asyncapi-3.0.0.json", json.loads(json.dumps(document))) == []
    assert len(document["channels"]) == len(document["operations"]) == len(plan.entities)
    whole = events(plan, plan.entities.values(), system=True)
    assert complaints("asyncapi-3.0.0.json", json.loads(json.dumps(whole))) == []
    assert len(whole["channels"]) == len(whole["operations"]) == len(plan.entities) + 3


SECURE = """
events:
  kafka:
    bootstrap: "b1.example.com:9093, ${env:BROKER:-b2:9093}"
    sasl: {username: us, password: "${env:SECRET}"}
    tls: {ca: ca.pem, certificate: own.pem, key: "${env:KEY}"}
  registry: {url: "https://us:${env:SECRET}@registry.example.com/api", password: "${env:SECRET}"}
"""


def test_asyncapi_names_brokers_and_how_they_are_entered_and_no_secret() -> None:
    tree = files()
    made = example({**tree, "mesh.yaml": tree["mesh.yaml"] + SECURE})
    document = json.loads(json.dumps(events(made, made.entities.values(), system=True)))
    assert complaints("asyncapi-3.0.0.json", document) == []
    assert document["servers"]["kafka"]["host"] == "b1.example.com:9093"
    second = document["servers"]["kafka2"]
    assert (second["host"], second["variables"]["BROKER"]["default"]) == ("{BROKER}", "b2:9093")
    assert second["protocol"] == "kafka-secure"
    assert second["bindings"]["kafka"]["schemaRegistryUrl"] == "https://registry.example.com/api"
    kinds = {each["type"] for each in document["components"]["securitySchemes"].values()}
    assert kinds == {"scramSha512", "X509"}
    assert "SECRET" not in json.dumps(document)
    assert document["channels"]["system.dead_letter"]["messages"]["SystemEvent"]


def test_asyncapi_that_is_wrong_is_found() -> None:
    plan = PLANS[0].values[0]
    document = events(plan, plan.entities.values())
    next(iter(document["operations"].values()))["action"] = "shout"
    next(iter(document["channels"].values()))["bindings"]["kafka"]["partitions"] = "many"
    assert len(complaints("asyncapi-3.0.0.json", document)) >= 2


@pytest.mark.parametrize("dialect", ["postgres", "bigquery"])
@pytest.mark.parametrize("plan", PLANS)
def test_dbt_properties_are_valid(plan: Plan, dialect: str) -> None:
    document = properties(plan.entities.values(), plan.entities, DIALECTS[dialect])
    assert complaints("dbt-resources.json", document) == []


def test_dbt_properties_that_are_wrong_are_found() -> None:
    plan = PLANS[0].values[0]
    document = properties(plan.entities.values(), plan.entities, DIALECTS["postgres"])
    document["models"][0]["columns"] = {"id": {}}
    assert complaints("dbt-resources.json", document)


@pytest.mark.parametrize("plan", PLANS)
def test_json_schemas_are_schemas(plan: Plan) -> None:
    for entity in plan.entities.values():
        jsonschema.Draft202012Validator.check_schema(row_schema(entity))
    jsonschema.Draft202012Validator.check_schema(bundle(plan.entities.values()))


@pytest.mark.parametrize("plan", PLANS)
def test_avro_schemas_are_read_by_two_libraries(plan: Plan) -> None:
    for entity in plan.entities.values():
        avro.schema.parse(json.dumps(entity.avro))
        fastavro.parse_schema(json.loads(json.dumps(entity.avro)))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("plan", PLANS)
def test_ddl_reads_back_as_one_table(plan: Plan, dialect: str) -> None:
    for entity in plan.entities.values():
        first, *more = [each for each in sqlglot.parse(ddl(entity, DIALECTS[dialect]), dialect=dialect) if each]
        assert isinstance(first, exp.Create)
        assert first.find(exp.Table).name == entity.plural
        assert [each.name for each in first.find_all(exp.ColumnDef)] == [each.name for each in entity.fields]
        assert all(isinstance(each, exp.Comment) for each in more)
        assert not list(first.find_all(exp.Command))
