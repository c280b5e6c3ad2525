# SPDX-License-Identifier: Apache-2.0
"""A mesh that uses everything the language has compiles without a finding, to artefacts that others accept."""

import json

import fastavro
import graphql
import pytest

from dictamesh.runtime.compile.artefacts import artefacts
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.schema import build_schema
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from dictamesh.specs.types import Kind

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: wide
include: ["**/*.yaml"]
servers:
  pg: {type: postgres, dsn: "${env:PG}"}
  api: {type: rest, url: "https://api.example.com/${env:TENANT:-main}", headers: {X-Tenant: a, X-Key: "${env:K}"}}
roles: [support, analyst]
purposes: [service]
security:
  anonymous: false
  claims: {stores: [integer], level: integer, name: string, vip: boolean}
  keys: {pepper: "${env:PEPPER}"}
  jwt: {issuer: https://id.example.com, audience: mesh, rolesClaim: realm_access.roles, leeway: 1m}
gateway: {limits: {limit: 10, maxLimit: 50, relationLimit: 5}, cors: {origins: ["https://app.example.com"], maxAge: 1h}}
catalog: {dsn: "${env:CATALOG}", pool: {max: 5, idle: 5}}
audit: {key: pepper, onFailure: allow}
cache: {staleFor: 0s}
resilience:
  default: {timeout: 500ms, rateLimit: {perMinute: 60, maxWait: 0}}
  pg: {retry: {initial: 0s, max: 0s}, breaker: {openFor: 1s}}
"""
TAXONOMY = """\
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, children: [mail]}
  pii.name: {}
  money: {}
"""
PEOPLE = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: "1"
status: draft
tags: [money]
schema:
  - name: Person
    physicalName: Personen
    tags: [money]
    properties:
      - {name: tenant, logicalType: integer, primaryKey: true, primaryKeyPosition: 2, classification: public}
      - name: number
        physicalName: "Nr."
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        classification: public
      - {name: bossTenant, logicalType: integer, classification: public}
      - {name: bossNumber, logicalType: string, classification: public}
      - {name: order, physicalName: group, logicalType: string, classification: public}
      - name: size
        physicalName: Größe
        logicalType: integer
        logicalTypeOptions: {format: i64}
        classification: public
      - {name: photo, logicalType: string, logicalTypeOptions: {format: binary}, classification: internal}
      - {name: wakes, logicalType: time, classification: internal}
      - {name: weight, logicalType: number, classification: internal}
      - {name: salary, logicalType: number, physicalType: "NUMERIC(20)", classification: restricted, tags: [pii]}
      - {name: extra, logicalType: object, classification: internal}
      - name: state
        logicalType: string
        classification: internal
        quality: [{metric: invalidValues, arguments: {validValues: [new, in work, "1st", "true"]}}]
      - name: labels
        logicalType: array
        items:
          logicalType: string
          quality: [{metric: invalidValues, arguments: {validValues: [red, blue]}}]
        classification: internal
      - name: homes
        logicalType: array
        classification: confidential
        tags: [pii]
        items:
          logicalType: object
          properties:
            - {name: street, logicalType: string}
            - {name: floors, logicalType: array, items: {logicalType: integer}}
            - name: geo
              logicalType: object
              properties: [{name: lat, logicalType: number}, {name: lon, logicalType: number}]
      - name: matrix
        logicalType: array
        items: {logicalType: array, items: {logicalType: integer}}
        classification: public
      - name: tall
        logicalType: boolean
        transformLogic: '"Größe" > 180 AND self.weightInTons IS NOT NULL'
        classification: internal
      - {name: weightInTons, logicalType: number, transformLogic: weight / 1000, classification: internal}
      - name: raw
        logicalType: object
        transformLogic: json_text
        classification: internal
  - name: Mail
    properties:
      - {name: address, logicalType: string, primaryKey: true, classification: restricted, tags: [pii.mail]}
      - {name: owner, logicalType: string, classification: public}
      - {name: sent, logicalType: timestamp, classification: internal}
source:
  server: pg
  Person:
    columns: {json_text: {type: json, tags: [money]}}
    defaultTimezone: Europe/Berlin
    coerce: true
  Mail: {surrogate: {hmac: pepper}, query: "SELECT * FROM mails WHERE NOT deleted"}
relations:
  - name: boss
    from: [Person.bossNumber, Person.bossTenant]
    to: [Person.number, Person.tenant]
    cardinality: many-to-one
    inverse: staff
  - {name: mail, from: Mail.owner, to: Person.number, cardinality: one-to-one, restrict: true}
graphql: {Person: {plural: people}, Mail: {singular: letter}}
output: {Person: {topic: people.changed, partitions: 1, replication: 1, retention: 7d}}
cache: {ttl: 1s, staleFor: 0s}
servers:
  - {server: lake, type: file, path: "${env:LAKE}"}
"""
POLICIES = """\
apiVersion: dictamesh/v1
kind: Policy
name: people
owner: somebody
match: {tags: [pii], entities: [Mail], except: {fields: ["*.salary"]}}
rules:
  - {name: vip, claims: {level: [3, 4], vip: [true]}, where: "owner = principal.name", effect: allow}
  - {name: others, effect: mask, mask: {kind: partial, keepFirst: 1, keepLast: 0, char: x, otherwise: nullify}}
onUse: {sort: allow, group: allow, relation: allow}
---
apiVersion: dictamesh/v1
kind: Policy
name: homes
owner: somebody
match: {fields: [Person.homes]}
rules: [{name: nobody, effect: deny}]
tests:
  - {as: {roles: []}, field: people#Person.homes.geo.lat, expect: {effect: deny, rule: nobody}}
---
apiVersion: dictamesh/v1
kind: Policy
name: rows
owner: somebody
match: {entities: ["people#M*"]}
rows:
  - {name: support, roles: [support], keep: all}
  - {name: own, keep: "mail.tenant = ANY(principal.stores) OR 'support' = ANY(principal.roles)"}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    files = {"mesh.yaml": MESH, "a/taxonomy.yaml": TAXONOMY, "a/b/people.yaml": PEOPLE, "policies.yaml": POLICIES}
    found = build(Memory(files), "mesh.yaml")
    assert [f"{each.line}: {each.code} {each.message}" for each in found.diagnostics] == []
    assert found.plan is not None
    return found.plan


def test_the_graphql_schema_is_valid(plan: Plan) -> None:
    assert graphql.validate_schema(build_schema(plan)) == []
    again = graphql.build_schema(plan.sdl)
    assert graphql.validate_schema(again) == []


def test_avro_takes_every_topic(plan: Plan) -> None:
    for entity in plan.entities.values():
        fastavro.parse_schema(json.loads(json.dumps(entity.avro)))


def test_the_artefacts_are_json(plan: Plan) -> None:
    assert json.loads(json.dumps(artefacts(plan)))["mesh"] == "wide"


def test_keys_follow_their_positions(plan: Plan) -> None:
    person = plan.entities["people#Person"]
    assert person.key == ("number", "tenant")
    assert person.source.key == ("Nr.", "tenant")
    boss = person.link("boss")
    assert boss is not None
    assert boss.by_key
    assert not boss.many


def test_tags_of_product_and_entity_hold_for_every_field(plan: Plan) -> None:
    fields = [field for entity in plan.entities.values() for field in entity.fields]
    assert all("money" in field.tags for field in fields)


def test_a_policy_on_an_object_binds_its_parts(plan: Plan) -> None:
    bound = {address for address, found in plan.rules.fields.items() if any(each.policy == "homes" for each in found)}
    assert "people#Person.homes.geo.lat" in bound
    assert "people#Person.salary" not in bound


def test_types(plan: Plan) -> None:
    kinds = {field.name: field.type for field in plan.entities["people#Person"].fields}
    assert (kinds["salary"].kind, kinds["salary"].precision, kinds["salary"].scale) == (Kind.DECIMAL, 20, 0)
    assert (kinds["size"].kind, kinds["weight"].kind, kinds["photo"].kind) == (Kind.LONG, Kind.FLOAT, Kind.BYTES)
    assert str(kinds["matrix"]) == "[[int]]"
