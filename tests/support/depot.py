# SPDX-License-Identifier: Apache-2.0
"""A mesh over SQLite whose two products hold a value of every kind, for what is said of an entity as served."""

import sqlite3
from contextlib import closing
from pathlib import Path

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: depot
description: "What a depot holds."
include: [taxonomy.yaml, goods.yaml, makers.yaml, policies.yaml]
servers:
  db: {type: sqlite, path: depot.sqlite}
roles: [clerk]
security:
  anonymous: {sees: public}
"""
TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags: {pii: {pii: true, description: personal}, money: {description: an amount}}
"""
GOODS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: goods
name: goods
version: 1.0.0
status: active
domain: depot
schema:
  - name: Good
    physicalName: goods
    description: "A thing in the depot; it's */ any thing."
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: label, logicalType: string, required: true, unique: true, classification: public,
         description: "What's on it."}
      - {name: seen, logicalType: integer, logicalTypeOptions: {format: i64}, classification: public}
      - {name: weight, logicalType: number, classification: public}
      - {name: price, logicalType: number, physicalType: "decimal(12,2)", classification: internal, tags: [money]}
      - {name: amount, logicalType: number, physicalType: decimal, classification: public}
      - {name: fragile, logicalType: boolean, classification: public}
      - {name: made, logicalType: date, classification: public}
      - {name: opens, logicalType: time, classification: public}
      - {name: movedAt, physicalName: moved_at, logicalType: timestamp, partitioned: true, classification: public}
      - name: size
        logicalType: object
        classification: public
        properties:
          - {name: wide, logicalType: integer}
          - {name: deep, logicalType: number, physicalType: "decimal(6,3)"}
      - {name: raw, logicalType: string, logicalTypeOptions: {format: binary}, classification: public}
      - {name: extra, logicalType: object, classification: public}
      - {name: words, logicalType: array, items: {logicalType: string}, classification: public}
      - name: state
        logicalType: string
        classification: public
        quality:
          - {type: library, metric: invalidValues, arguments: {validValues: [in stock, "lent", "2nd"]}, mustBe: 0}
      - {name: keeper, logicalType: string, encryptedName: keeper_enc, classification: restricted, tags: [pii]}
      - {name: total, logicalType: number, physicalType: "decimal(12,2)", transformLogic: "price * 2",
         classification: internal, tags: [money]}
      - {name: makerId, physicalName: maker_id, logicalType: string, classification: public}
source:
  server: db
relations:
  - {name: maker, from: Good.makerId, to: makers#Maker.id, cardinality: many-to-one, inverse: goods}
"""
MAKERS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: makers
name: makers
version: 1.0.0
status: active
domain: depot
schema:
  - name: Maker
    physicalName: makers
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: name, logicalType: string, classification: public}
  - name: Site
    physicalName: sites
    properties:
      - {name: maker, logicalType: string, primaryKey: true, primaryKeyPosition: 1, classification: public}
      - {name: number, logicalType: integer, primaryKey: true, primaryKeyPosition: 2, classification: public}
      - {name: city, logicalType: string, classification: public}
source:
  server: db
  Site: {query: "SELECT maker, number, city FROM sites WHERE number > 0"}
output: {Maker: {topic: makers.changed, retention: 7d, partitions: 3}}
relations:
  - {name: sites, from: Maker.id, to: Site.maker, cardinality: one-to-many}
"""
POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: keepers
owner: office
match: {tags: [pii]}
rules:
  - {name: clerks, roles: [clerk], effect: allow}
  - {name: others, effect: mask, mask: {kind: redact}}
"""
FILES = {
    "mesh.yaml": MESH,
    "taxonomy.yaml": TAXONOMY,
    "goods.yaml": GOODS,
    "makers.yaml": MAKERS,
    "policies.yaml": POLICIES,
}
ROWS = """
CREATE TABLE goods (id INTEGER PRIMARY KEY, label, seen, weight, price, amount, fragile, made, opens, moved_at, raw,
                    extra, words, state, keeper, maker_id, size);
INSERT INTO goods VALUES
  (1, 'saw', 9007199254740993, 1.5, '19.99', '0.1234567890123456789', 1, '2026-01-31', '08:30:00.250',
   '2026-01-31T10:00:00.120+02:00', x'00ff', '{"a": [1, null]}', '["sharp", null]', 'in stock', 'ann', 'm-1',
   '{"wide": 3, "deep": 1.5}'),
  (2, 'nail', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (-3, '', -1, 0, '-0.01', '5', 0, '0001-01-01', '00:00:00', '1969-12-31T23:59:59Z', x'', '7', '[]', '2nd', 'bob',
   'm-9', '{"deep": null}');
CREATE TABLE makers (id TEXT PRIMARY KEY, name TEXT);
INSERT INTO makers VALUES ('m-1', 'Acme');
CREATE TABLE sites (maker TEXT, number INTEGER, city TEXT, PRIMARY KEY (maker, number));
INSERT INTO sites VALUES ('m-1', 1, 'Berlin'), ('m-1', -1, 'nowhere');
"""


def fill(path: Path) -> None:
    """Make the database."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(ROWS)
