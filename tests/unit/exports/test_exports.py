# SPDX-License-Identifier: Apache-2.0
"""What is said outside of an entity does not depend on where its rows are (MI-4), and texts stay texts."""

import dataclasses
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.exports.asyncapi import events
from dictamesh.runtime.exports.dbt import properties, source_of
from dictamesh.runtime.exports.ddl import ddl
from dictamesh.runtime.exports.dialects import DIALECTS
from dictamesh.runtime.exports.json_schema import bundle
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from dictamesh.specs.odcs.exporting import to_contract
from tests.support.plans import entity, field

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: sales.yaml
servers: {erp: SERVER}
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: sales
name: sales
version: 1.0.0
status: active
schema:
  - name: Customer
    physicalName: customers
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: name, logicalType: string, unique: true, classification: public}
  - name: Order
    physicalName: orders
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: customerId, logicalType: string, classification: public}
      - {name: total, logicalType: number, physicalType: "decimal(12,2)", classification: public}
source: SOURCE
relations:
  - {name: orders, from: Customer.id, to: Order.customerId, cardinality: one-to-many, inverse: customer}
"""
REST = (
    "{server: erp, Customer: {list: {path: /customers}}, Order: {list: {path: /orders}, get: {path: '/orders/{id}'}}}"
)
HOMES = {
    "sqlite": ("{type: sqlite, path: erp.sqlite}", "{server: erp}"),
    "postgres": ('{type: postgres, dsn: "${env:ERP_DSN}"}', "{server: erp}"),
    "rest": ("{type: rest, url: https://erp.example.com}", REST),
    "file": ("{type: file, path: data}", "{server: erp, Customer: {format: csv}, Order: {format: csv}}"),
}


def plan(home: str) -> Plan:
    server, source = HOMES[home]
    made = build(
        Memory({"mesh.yaml": MESH.replace("SERVER", server), "sales.yaml": PRODUCT.replace("SOURCE", source)}),
        "mesh.yaml",
    )
    assert made.plan is not None, render(made.diagnostics, made.sources)
    return made.plan


def outward(made: Plan) -> dict[str, Any]:
    """Everything that a consumer can see or rely on."""
    entities = list(made.entities.values())
    contract = dict(to_contract(made.products["sales"].document).contract)
    kept = [each for each in contract.pop("customProperties") if each["property"] != "dictamesh"]
    return {
        "graphql": made.sdl,
        "topics": [each.topic for each in entities],
        "avro": [each.avro for each in entities],
        "jsonschema": bundle(entities),
        "asyncapi": events(made, entities),
        "odcs": (contract, kept),
        "sql": [ddl(each, DIALECTS["postgres"]) for each in entities],
        "dbt": properties(entities, made.entities, DIALECTS["postgres"])["models"],
    }


@pytest.mark.parametrize("home", [name for name in HOMES if name != "sqlite"])
def test_another_connector_changes_nothing_outside(home: str) -> None:
    before, after = plan("sqlite"), plan(home)
    assert [each.mapping_hash for each in before.entities.values()] != [
        each.mapping_hash for each in after.entities.values()
    ]
    assert outward(before) == outward(after)


def test_only_tables_of_databases_are_sources_of_dbt() -> None:
    assert {home: source_of(plan(home).entities["sales#Order"]) for home in HOMES} == {
        "sqlite": ("erp", "orders"),
        "postgres": ("erp", "orders"),
        "rest": None,
        "file": None,
    }


def test_texts_are_no_templates_of_dbt() -> None:
    given = entity("Thing", field("id", description="{{ env_var('HOME') }} and {% do %} and {# it #}"))
    (model,) = properties([given], {given.address: given}, DIALECTS["postgres"])["models"]
    (column,) = model["columns"]
    assert column["description"] == "{{ '{{' }} env_var('HOME') }} and {{ '{%' }} do %} and {{ '{#' }} it #}"


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=str)
@pytest.mark.parametrize("text", ["it's", "a */ DROP TABLE x; /*", "a\n-- b", "\\'; DROP TABLE x; --", 'a"b`c]d'])
def test_texts_and_names_stay_inside(dialect: Any, text: str) -> None:
    """However a name or description is written, the statement is one table with the same parts."""

    def parsed(given: EntityPlan) -> list[exp.Expr]:
        return [each for each in sqlglot.parse(ddl(given, dialect), dialect=dialect.name) if each is not None]

    plain = parsed(entity("Thing", field("id", description="x"), field("b"), description="y"))
    given = entity("Thing", field("id", description=text), field("b"), description=text)
    found = parsed(dataclasses.replace(given, plural=text))
    assert [type(each) for each in found] == [type(each) for each in plain]
    assert found[0].find(exp.Table).name == text  # type: ignore[union-attr]
    assert [each.name for each in found[0].find_all(exp.ColumnDef)] == ["id", "b"]
