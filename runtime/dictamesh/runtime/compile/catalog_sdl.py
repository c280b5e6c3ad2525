# SPDX-License-Identifier: Apache-2.0
"""The part of the GraphQL schema that tells of the mesh itself: the root field `catalog` and the types `Catalog...`."""

from collections.abc import Mapping
from dataclasses import dataclass

ROOT = "catalog"
ROOT_FIELD = '  """What the mesh knows of itself; for authenticated callers."""\n  catalog: Catalog'


@dataclass(frozen=True, slots=True)
class Paging:
    """How many entries a field may hold: its `limit`, `default` without one; `largest` None: it takes no `limit`.

    `furthest` is the largest `offset`.
    """

    default: int
    largest: int | None = None
    furthest: int = 1_000_000


PAGING: Mapping[tuple[str, str], Paging] = {
    **{("Catalog", name): Paging(1) for name in ("productsCount", "product", "entitiesCount", "entity", "locate")},
    ("Catalog", "products"): Paging(20, 100),
    ("Catalog", "entities"): Paging(20, 100),
    ("Catalog", "search"): Paging(20, 100, 10_000),
    ("Catalog", "graph"): Paging(1000, 10_000),
    ("CatalogProduct", "entities"): Paging(5),
    ("CatalogProduct", "serviceLevels"): Paging(3),
    ("CatalogProduct", "consumers"): Paging(20),
    ("CatalogProduct", "quality"): Paging(20),
    ("CatalogEntity", "fields"): Paging(20),
    ("CatalogEntity", "relations"): Paging(5),
    ("CatalogField", "fields"): Paging(5),
    ("CatalogLineage", "nodes"): Paging(50),
    ("CatalogLineage", "edges"): Paging(50),
}
"""Fields whose entries count as rows of the cost; what takes no `limit` counts as so many as are usual."""

SDL = '''\
"""What the mesh knows of its products, entities and relations. What a caller may not know of is not there."""
type Catalog {
  """Data products by name."""
  products(filter: CatalogProductFilter, limit: Int, offset: Int): [CatalogProduct!]
  productsCount(filter: CatalogProductFilter): Long
  product(name: String!): CatalogProduct
  """Entity types by name, those that editors registered and those that left the specs included."""
  entities(filter: CatalogEntityFilter, limit: Int, offset: Int): [CatalogEntity!]
  entitiesCount(filter: CatalogEntityFilter): Long
  entity(type: String!): CatalogEntity
  """Full-text search over metadata; without q everything is found."""
  search(q: String, filter: CatalogSearchFilter, limit: Int, offset: Int): CatalogSearch
  """What lies within some relations of a record, or of a type where id is left out; limit counts its nodes."""
  graph(
    type: String!
    id: String
    direction: CatalogDirection
    relations: [String!]
    depth: Int
    asOf: DateTime
    limit: Int
  ): CatalogGraph
  """Where a record is, by its canonical key."""
  locate(type: String!, id: String!): CatalogLocation
}

enum CatalogDirection {
  """From subject to object."""
  OUT
  """From object to subject."""
  IN
  BOTH
}

enum CatalogKind {
  PRODUCT
  ENTITY
  FIELD
  RELATION
}

enum CatalogLineageDirection {
  UPSTREAM
  DOWNSTREAM
  BOTH
}

"""Keys that are left out do not filter; a tag covers those below it."""
input CatalogProductFilter {
  domain: String
  owner: String
  status: String
  tag: String
  containsPii: Boolean
}

"""Keys that are left out do not filter."""
input CatalogEntityFilter {
  entityType: String
  domain: String
  sourceSystem: String
  status: String
  containsPii: Boolean
}

"""Of each key one of the values must fit; keys that are left out do not filter."""
input CatalogSearchFilter {
  kind: [CatalogKind!]
  domain: [String!]
  owner: [String!]
  classification: [String!]
  status: [String!]
  pii: [Boolean!]
  tag: [String!]
  regime: [String!]
}

type CatalogProduct {
  name: String
  id: String
  version: String
  status: String
  domain: String
  owner: String
  description: String
  containsPii: Boolean
  classification: String
  entities: [CatalogEntity!]
  """Promises of the contract, and what was measured of them within the last hours, 24 by default."""
  serviceLevels(hours: Int): [CatalogServiceLevel!]
  """Who used it within the last 30 days; null for callers who may not see that."""
  consumers: [CatalogConsumer!]
  """The last results of its quality rules; null where none are run."""
  quality: [CatalogQualityResult!]
  lineage(direction: CatalogLineageDirection, depth: Int, asOf: DateTime): CatalogLineage
}

type CatalogServiceLevel {
  property: String
  promised: Float
  measured: Float
  """met, missed or unknown."""
  state: String
  samples: Long
}

type CatalogConsumer {
  """null: everybody who is anonymous."""
  principal: String
  purpose: String
  operations: Long
  lastUsed: DateTime
}

type CatalogQualityResult {
  address: String
  rule: String
  passed: Boolean
  rate: Float
  checkedAt: DateTime
}

type CatalogEntity {
  entityType: String
  """product#Entity; null for entities outside the specs."""
  address: String
  product: CatalogProduct
  productId: String
  owner: String
  domain: String
  sourceSystem: String
  keyFields: [String!]
  status: String
  """Registered by an editor, not by a spec."""
  external: Boolean
  description: String
  dataClassification: String
  containsPii: Boolean
  schemaVersion: String
  """Its topic on the bus, and its root fields in this schema."""
  topic: String
  one: String
  many: String
  createdAt: DateTime
  lastSeenAt: DateTime
  fields: [CatalogField!]
  relations: [CatalogRelation!]
  lineage(direction: CatalogLineageDirection, depth: Int, asOf: DateTime): CatalogLineage
}

type CatalogField {
  address: String
  name: String
  type: String
  graphql: String
  required: Boolean
  key: Boolean
  classification: String
  tags: [String!]
  pii: Boolean
  description: String
  """What the caller gets of it: allow, mask or deny."""
  access: String
  """How often it was used within the last 30 days; null for callers who may not see that."""
  operations: Long
  fields: [CatalogField!]
  lineage(direction: CatalogLineageDirection, depth: Int, asOf: DateTime): CatalogLineage
}

type CatalogRelation {
  name: String
  to: String
  many: Boolean
  inverse: String
  description: String
  entity: CatalogEntity
}

type CatalogSearch {
  total: Long
  items: [CatalogHit!]
  facets: [CatalogFacet!]
}

type CatalogHit {
  kind: String
  address: String
  name: String
  product: String
  domain: String
  owner: String
  classification: String
  status: String
  pii: Boolean
  tags: [String!]
  """Regimes of law or audit that it falls under."""
  regimes: [String!]
  description: String
  score: Float
  highlights: [CatalogHighlight!]
}

type CatalogHighlight {
  """name or description."""
  part: String
  """HTML, with matching words within mark."""
  html: String
}

type CatalogFacet {
  name: String
  values: [CatalogFacetValue!]
}

type CatalogFacetValue {
  value: String
  count: Long
}

type CatalogGraph {
  start: CatalogNode
  """In order of depth, type and id."""
  nodes: [CatalogNode!]
  edges: [CatalogEdge!]
  """What a bound cut off: nodes, edges or time."""
  truncated: String
  """Types whose source could not be asked which records exist for the caller."""
  unchecked: [String!]
}

type CatalogNode {
  depth: Int
  entityType: String
  id: String
}

type CatalogEdge {
  depth: Int
  subjectType: String
  subjectId: String
  relation: String
  inverse: String
  objectType: String
  objectId: String
  validFrom: DateTime
  provenance: String
}

type CatalogLocation {
  entityType: String
  id: String
  sourceSystem: String
  url: String
  method: String
  authType: String
  schemaVersion: String
  containsPii: Boolean
  dataClassification: String
}

type CatalogLineage {
  address: String
  direction: String
  depth: Int
  asOf: DateTime
  nodes: [CatalogLineageNode!]
  edges: [CatalogLineageEdge!]
  truncated: Boolean
}

type CatalogLineageNode {
  address: String
  kind: String
  namespace: String
  name: String
  field: String
  entity: String
  external: Boolean
  depth: Int
}

type CatalogLineageEdge {
  from: String
  to: String
  type: String
  subtype: String
  kind: String
  description: String
  masking: Boolean
  clearFor: String
  provenance: String
  job: String
  dataFlowActive: Boolean
  lastFlowAt: DateTime
  averageLatencyMs: Float
  validFrom: DateTime
  validTo: DateTime
}
'''
