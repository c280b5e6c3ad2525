# SPDX-License-Identifier: Apache-2.0
"""A mesh of many products, deterministic: what a large company's tree could look like."""

from collections.abc import Iterator

FIELDS = 12
MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: large
include: [taxonomy.yaml, policies.yaml, products/*.yaml]
servers:
  erp: {type: postgres, dsn: "${env:ERP_DSN}"}
  crm: {type: rest, url: "${env:CRM_URL:-http://127.0.0.1:8055}", auth: {kind: bearer, token: "${file:keys/crm}"}}
  lake: {type: file, path: lake}
roles: [support, analyst, steward]
purposes: [service, analytics]
security:
  claims: {regions: [string]}
  keys: {pepper: "${env:PEPPER}"}
"""
TAXONOMY = """\
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii.direct: {pii: true, description: identifies a person, children: [email, name, phone]}
  pii.indirect: {pii: true, description: identifies together with other data, children: [birthdate]}
  finance: {description: money}
"""
POLICIES = """\
apiVersion: dictamesh/v1
kind: Policy
name: direct
owner: privacy-office
match: {tags: [pii.direct]}
rules:
  - {name: support, roles: [support], purposes: [service], effect: allow}
  - {name: analysts, roles: [analyst], effect: mask, mask: {kind: hmac, key: pepper}}
  - {name: others, effect: mask, mask: {kind: redact}}
---
apiVersion: dictamesh/v1
kind: Policy
name: indirect
owner: privacy-office
match: {tags: [pii.indirect], except: {tags: [pii.direct]}}
rules:
  - {name: support, roles: [support], effect: allow}
  - {name: others, effect: mask, mask: {kind: nullify}}
---
apiVersion: dictamesh/v1
kind: Policy
name: money
owner: finance-office
match: {tags: [finance]}
rules:
  - {name: open, roles: [support, analyst], where: "region = ANY(principal.regions)", effect: allow}
  - {name: others, effect: mask, mask: {kind: redact}}
---
apiVersion: dictamesh/v1
kind: Policy
name: secrets
owner: privacy-office
match: {tiers: [restricted], products: ["product-*"]}
rules:
  - {name: stewards, roles: [steward], effect: allow}
---
apiVersion: dictamesh/v1
kind: Policy
name: regions
owner: privacy-office
match: {products: ["product-*"]}
rows:
  - {name: own-region, roles: [analyst], keep: "region = ANY(principal.regions)"}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: product-{n}
name: product-{n}
version: 1.{minor}.0
status: active
domain: domain-{n}
description: {{purpose: "Records of kind {n}."}}
team: {{name: team-{domain}, members: [{{username: user-{n}, role: owner}}]}}
schema:
  - name: Record{n}
    physicalName: records_{n}
    description: A record of kind {n}.
    properties:
      - {{name: id, logicalType: string, primaryKey: true, required: true, classification: public}}
      - {{name: number, physicalName: record_no, logicalType: string, required: true, classification: internal}}
      - {{name: parentId, physicalName: parent_id, logicalType: string, classification: public}}
      - {{name: region, logicalType: string, classification: public}}
      - {{name: email, logicalType: string, classification: restricted, tags: [pii.direct.email]}}
      - name: fullName
        logicalType: string
        transformLogic: "first_name || ' ' || last_name"
        classification: confidential
        tags: [pii.direct.name]
      - {{name: born, logicalType: date, classification: confidential, tags: [pii.indirect.birthdate]}}
      - name: total
        logicalType: number
        physicalType: decimal(12,2)
        transformLogic: total_cents / 100.0
        classification: confidential
        tags: [finance]
      - name: overdue
        logicalType: boolean
        transformLogic: status = 'open{own}' AND due_on < CURRENT_DATE
        classification: internal
      - name: status
        logicalType: string
        classification: public
        quality: [{{type: library, metric: invalidValues, arguments: {{validValues: [open, closed, lost]}}, mustBe: 0}}]
      - {{name: quantity, logicalType: integer, classification: public}}
      - {{name: createdAt, physicalName: created_at, logicalType: timestamp, classification: public}}
slaProperties:
  - {{property: availability, value: 99.9, unit: percent}}
  - {{property: latency, value: 5, unit: s}}
  - {{property: responseTime, value: 500, unit: ms}}
  - {{property: retention, value: 365, unit: d}}
source:
  server: {server}
  Record{n}:
    columns: {{first_name: string, last_name: string, total_cents: integer, due_on: date}}
"""
REST = """\
    list:
      path: /items/records-{n}
      records: data
      paginate: {{kind: offset, limit: limit, offset: offset}}
      filters: {{region: {{eq: "filter[region][_eq]"}}}}
    get: {{path: "/items/records-{n}/{{id}}", record: data}}
    batch: {{path: /items/records-{n}, query: {{"filter[id][_in]": "{{ids}}"}}, style: csv, records: data}}
    lookup: {{parent_id: {{path: /items/records-{n}, query: {{parent: "{{values}}"}}, records: data}}}}
"""
FILE = """\
    format: csv
"""
RELATIONS = """\
relations:
  - name: parent
    from: Record{n}.parentId
    to: product-{parent}#Record{parent}.id
    cardinality: many-to-one
    inverse: children{n}
"""
SERVERS = (("erp", ""), ("erp", ""), ("crm", REST), ("lake", FILE))


def files(products: int, salt: int | None = None) -> dict[str, str]:
    """The tree by path: one file per product, of 12 fields each (three computed), half with a relation, 5 policies.

    Products compute alike; with a `salt` one expression of three is the product's own, and another one for each salt.
    """
    found = {"mesh.yaml": MESH, "taxonomy.yaml": TAXONOMY, "policies.yaml": POLICIES}
    return found | dict(_products(products, salt))


def _products(count: int, salt: int | None) -> Iterator[tuple[str, str]]:
    for n in range(count):
        server, options = SERVERS[n % len(SERVERS)]
        own = "" if salt is None else f" {n} {salt}"
        text = PRODUCT.format(n=n, minor=n % 7, domain=n % 25, server=server, own=own) + options.format(n=n)
        if n % 2:
            text += RELATIONS.format(n=n, parent=n // 2)
        yield f"products/product-{n:05}.yaml", text
