# SPDX-License-Identifier: Apache-2.0
"""One sentence for each key, for editors and the reference; apart from the models, which every start loads."""

from collections.abc import Mapping

from dictamesh.specs.model.docs_contract import CONTRACTS, ODCS

OPEN = {
    "id": "A stable identifier, for tools.",
    "description": "What it is, in words.",
    "authoritativeDefinitions": ODCS,
    "customProperties": ODCS,
    "businessName": "The name that people use.",
    "apiVersion": "The version of the language.",
    "kind": "What the document declares.",
    "tags": "What the data is, by tags of the taxonomy; policies bind by them.",
}
"""What a key means wherever a model says nothing else of it."""

_CONDITION = {
    "name": "What audit and `policy explain` call the rule; unique in its policy.",
    "roles": "Roles of which the caller has one; absent: any caller.",
    "purposes": "Purposes of which the caller states one; absent: any or none.",
}
_PARTIES = {
    "roles": "Roles of which the consumer has one; absent: any caller.",
    "purposes": "Purposes of which the consumer states one; absent: any or none.",
    "claims": "Values of which the consumer's claim has one.",
}
_FLOWING = {
    "through": "What breaks the flow of tags: hmac by a key that this mesh does not hold, or count.",
    "key": "hmac: the name of the key, which must not be one of `security.keys`.",
    "description": "What happens on the way, in words.",
    "declassify": "Why the field is protected less than what it is made of; `diff` tells the privacy office.",
}
_SELECTOR = {"tiers": "Tiers of fields."}

DOCS: Mapping[str, Mapping[str, str]] = {
    "Mesh": {
        "name": "The name of the mesh; the scope of pseudonyms and cache keys.",
        "include": "Files and globs of the documents, relative to this file; one that matches nothing is an error.",
        "servers": "Where data is, by name: a product's `source.server` says one.",
        "roles": "The roles that policies and callers may name.",
        "purposes": "The purposes that policies and callers may name.",
        "security": "Who may call. Absent: strangers on loopback, who see what is public.",
        "gateway": "The GraphQL endpoint and its limits.",
        "catalog": "The database of metadata and audit.",
        "audit": "How reads of personal data are recorded.",
        "retention": "How often what is too old is taken out.",
        "erasure": "How data subjects are erased.",
        "usage": "How the use of fields is counted.",
        "cache": "The cache of rows in the process.",
        "quality": "How the quality rules of the products are checked while the mesh runs.",
        "lineage": "Lineage events, sent and taken in.",
        "events": "Where events of changes go.",
        "runtime": "Settings of the process.",
    },
    "Anonymous": {"sees": "The highest tier that strangers see in clear where no policy speaks."},
    "Security": {"apiKeys": "Callers that show a key in X-API-Key.", "jwt": "Callers that show a bearer token."},
    "ApiKey": {
        "name": "The caller's name in the audit.",
        "roles": "The caller's roles.",
        "purposes": "Purposes that the caller may state; a single one need not be stated.",
        "claims": "What policies may ask of the caller, as declared under `security.claims`.",
    },
    "Jwt": {
        "issuer": "The issuer that a token must name (`iss`).",
        "audience": "The audience that a token must name (`aud`).",
        "jwksFile": "The issuer's keys in a file, relative to the mesh file.",
        "rolesClaim": "Where a token holds roles; dots lead through objects.",
        "purposesClaim": "Where a token holds the purposes that its caller may state.",
        "purposeClaim": "Where a token states its purpose.",
        "leeway": "How far the clocks of issuer and mesh may differ.",
    },
    "Gateway": {
        "engine": "What parses and validates operations.",
        "introspection": "Whether clients may read the schema.",
        "limits": "What one operation may ask for.",
        "cors": "Web origins that may call.",
        "subscriptions": "Bounds of subscriptions.",
    },
    "Limits": {
        "maxLimit": "The highest `limit` that may be asked for.",
        "maxOffset": "The highest `offset` that may be asked for.",
        "depth": "Levels of nested fields.",
        "tokens": "Words and signs of an operation's text.",
        "inList": "Values of one `in` filter.",
    },
    "Cors": {
        "origins": "Origins such as `https://app.example.com`.",
        "credentials": "Whether cookies and authorization may be sent along.",
        "maxAge": "How long a browser may keep the answer to a preflight.",
    },
    "Catalog": {
        "dsn": "postgresql://... by reference; absent: an embedded PostgreSQL under the data folder.",
        "autoMigrate": "Whether the tables are brought up to date at start.",
        "pool": "Connections to the database.",
        "editors": "Roles that may register entities of others in the catalog; absent: none.",
        "observe": "Whether the relations that queries follow enter the graph of the catalog.",
        "writeEvery": "How often counts of usage, service levels and relations are written; a crash loses as much.",
    },
    "Usage": {
        "days": "How long counts are kept, in days; 0 counts nothing.",
        "readers": "Roles that may see who uses what; absent: every authenticated caller.",
    },
    "Retention": {
        "enabled": "Whether a running mesh does it by itself; `retention run` does it at any time.",
        "every": "How often; one replica at a time does it.",
    },
    "Pool": {"max": "Connections at most.", "idle": "Connections kept open without work, at most."},
    "QualityChecks": {
        "enabled": "Whether a running mesh checks rules at all; `quality run` does so in any case.",
        "every": "How often a rule without a `schedule` is checked; the first time within an hour of the start.",
        "maxScan": "Rows of an entity that are read at most for the rules that its source cannot answer by a count.",
        "keep": "How long results are kept in the catalog.",
    },
    "CacheSettings": {
        "enabled": "Whether rows are kept at all.",
        "size": "Rows kept of each entity.",
        "staleFor": "How long an expired row may stand in for a source that fails (last known good).",
    },
    "Lineage": {"openlineage": "Where events of the mesh are sent."},
    "OpenLineage": {"apiKey": "The bearer token for the collector, by reference."},
    "Resilience": {
        "timeout": "The longest that one attempt may take.",
        "rateLimit": "Calls per time; absent: no limit.",
        "bulkhead": "Calls at once.",
        "breaker": "When calls stop for a while.",
        "retry": "When a failed call is tried again.",
    },
    "RateLimit": {
        "perSecond": "Calls per second.",
        "perMinute": "Calls per minute; the slower of the two counts.",
        "burst": "Calls at once after a rest.",
        "maxWait": "How long a call waits for its turn; 0 refuses at once.",
    },
    "Bulkhead": {"maxConcurrent": "Calls under way at once.", "queue": "Calls that wait for one of them to end."},
    "Breaker": {
        "failures": "Failed calls in a row that open the breaker.",
        "openFor": "How long it stays open.",
        "halfOpen": "Trials that must succeed before it closes.",
    },
    "Retry": {
        "attempts": "Attempts in all.",
        "initial": "The wait before the second attempt.",
        "max": "The longest wait.",
        "multiplier": "How much longer each wait is than the one before.",
        "jitter": "Whether waits are shortened at random, so that callers do not come at once.",
    },
    "Runtime": {
        "host": "The address to listen on.",
        "port": "The port of GraphQL, health and catalog; 0 picks a free one.",
        "metricsPort": "The port of `/metrics`; 0 picks a free one.",
        "dataDir": "Where the mesh keeps what it owns, relative to the working folder.",
        "shutdownTimeout": "How long operations under way may take to end.",
        "logLevel": "The least weight of a log line.",
        "logFormat": "How log lines are written.",
    },
    **CONTRACTS,
    "EntitySource": {"columns": "Source columns that only expressions read, by name: a type, or a mapping."},
    "SourceColumnSpec": {
        "type": "string, integer, number, decimal(p,s), boolean, date, time, timestamp, bytes or json.",
        "classification": "Its tier; absent: the highest of the fields that read it.",
    },
    "Relation": {
        "name": "The field that leads from the entity of `from`.",
        "cardinality": "How many rows are at each end; many-to-many is two relations.",
        "inverse": "The field that leads back.",
    },
    "Declassify": {
        "reason": "Why less protection is enough, for whoever reviews it.",
        "approver": "Who approved it.",
    },
    "Input": _FLOWING,
    "LineageEntry": {
        **_FLOWING,
        "kind": "What happens on the way, in the catalog's words.",
        "expression": "What makes the value, in the language of whoever does it; told, never run.",
    },
    "LineageSource": {
        "table": "Another table of the server that the entity is read from, by its physical name.",
        "namespace": "The namespace of the dataset, as OpenLineage names it: `s3://lake`.",
        "name": "The name of the dataset in its namespace: `raw/invoices`.",
        "field": "A field of it; absent: the dataset as a whole.",
        "classification": "The tier that it is known to have; absent: public.",
        "tags": "What it is known to hold, by tags of the taxonomy.",
    },
    "GraphqlNames": {"plural": "The root field of many rows.", "singular": "The root field of one row."},
    "Changes": {
        "poll": "Rows whose cursor grew are read at intervals.",
        "snapshot": "All rows are read at intervals.",
        "webhook": "The source tells of changes itself.",
        "postgres": "Commits of a PostgreSQL server are streamed.",
        "kafka": "A topic of somebody else is read.",
    },
    "WebhookChanges": {
        "signature": "What makes a delivery genuine.",
        "event": "What the sender calls a change.",
    },
    "Signature": {
        "algorithm": "The hash of the HMAC.",
        "encoding": "How the signature is written.",
    },
    "EventTypes": {
        "created": "Words for a new row.",
        "updated": "Words for a changed row.",
        "deleted": "Words for a row that is gone.",
    },
    "KafkaChanges": {
        "topic": "The topic that is read.",
        "sasl": "Credentials for brokers that `bootstrap` names; those of `events.kafka` have their own.",
        "tls": "Files of TLS for brokers that `bootstrap` names.",
        "format": "How values are written; `avro` is in the wire format of a registry.",
    },
    "Events": {
        "kafka": "Brokers for everybody else; absent: the event log is the bus.",
        "registry": "The registry that knows the schemas of topics.",
        "deadLetters": "Records that cannot be read or handled.",
        "hooks": "Signed HTTP POSTs of events, by name.",
    },
    "Kafka": {
        "sasl": "Credentials.",
        "tls": "Encryption of the connection.",
        "producer": "Settings of the producer.",
    },
    "KafkaProducer": {
        "linger": "How long a batch waits for more.",
        "requestTimeout": "How long a broker may take.",
    },
    "Sasl": {
        "mechanism": "How they are shown.",
        "username": "Whose they are.",
    },
    "Tls": {
        "ca": "Certificates that are trusted, in PEM; absent: those of the system.",
        "certificate": "The client's certificate, in PEM.",
        "key": "The client's key, in PEM.",
        "keyPassword": "What the key is encrypted with, by reference.",
    },
    "Registry": {
        "url": "Its address.",
        "username": "A user, where it asks for one.",
        "password": "The user's password, by reference.",
        "tls": "How its certificate is verified, and ours where it asks for one; absent: authorities of the system.",
        "compatibility": "What a new schema of a topic is held against.",
        "timeout": "How long it may take to answer.",
    },
    "DeadLetters": {"topic": "The topic that tells of them, without values."},
    "Hook": {
        "url": "Where events are sent.",
        "timeout": "How long the receiver may take.",
    },
    "Output": {
        "topic": "The topic; absent: `<domain>.<server>[.<entity>].entity_changed`.",
        "partitions": "Partitions of the topic.",
        "replication": "Copies of the topic.",
        "retention": "How long events are kept.",
        "cleanup": "`delete`: old events go; `compact`: those that a newer one of the same key follows.",
    },
    "ProductCache": {
        "enabled": "Whether rows of this product are kept.",
        "ttl": "How long a row is fresh; at most the latency of the contract (S25).",
        "staleFor": "How long an expired row may stand in for a failing source; absent: as the mesh says.",
    },
    "Policy": {
        "name": "The policy's name; unique in the mesh.",
        "owner": "Who answers for it.",
        "match": "What it binds to.",
        "rules": "Rules for fields; the first that applies to the caller speaks.",
        "rows": "Rules for rows; the first that applies says which exist for the caller.",
        "engine": "Who decides on fields: the rules, or an engine by its text (allow and deny only).",
        "text": "What the engine decides by, in its own language; where nothing in it applies the policy is silent.",
        "cedar": "An older word for `text` with `engine: cedar`: permit and forbid policies in Cedar.",
        "onUse": "What callers for whom a field is not clear may still do with it.",
        "tests": "Tests that `validate` runs.",
    },
    "Match": {**_SELECTOR, "except": "What is taken away again: what all its keys name."},
    "Selector": _SELECTOR,
    "Rule": {
        **_CONDITION,
        "effect": "What happens to the value.",
        "mask": "How it is masked, with `effect: mask`.",
        "where": "An SQL condition over the entity's fields; the rule speaks on the rows that it holds for.",
    },
    "Mask": {
        "kind": "redact: `***REDACTED***`; nullify: null; partial: a few characters; hmac: a pseudonym; token: one that"
        " leads back to the value for whoever may see it; generalise: the group or multiple that a value belongs to;"
        " truncate-date: its year, month or the like.",
        "keepFirst": "partial: characters left at the beginning (0).",
        "keepLast": "partial: characters left at the end (4).",
        "char": "partial: what stands for the others (`*`).",
        "step": "generalise: numbers fall to a multiple of it, 37 to 30 by 10.",
        "groups": "generalise: texts by the group that is served in their place.",
        "other": "generalise: what a text of no group becomes; absent: null.",
        "to": "truncate-date: the unit that stays; what is smaller becomes its beginning, in UTC.",
    },
    "Row": _CONDITION,
    "OnUse": {
        "filter": "Filtering and looking up; never allowed.",
        "sort": "Sorting.",
        "group": "Grouping.",
        "relation": "Relating.",
        "cursor": "Leafing through a list ordered by the field (`offset`), where sorting is allowed.",
    },
    "Agreement": {
        "name": "What rules of policies ask for under `agreements`.",
        "owner": "Who answers for the products that may be used.",
        "description": "What is agreed, in words.",
        "consumer": "Who may use them; absent: whoever the rule is for.",
        "status": "Whether it is approved; only then it is ever in force.",
        "approver": "Who approved it; needed once it is.",
        "startDate": "The first day on which it is in force (UTC); absent: from ever.",
        "endDate": "The last day on which it is in force (UTC); absent: for ever.",
    },
    "Consumer": _PARTIES,
    "PolicyTest": {
        "as": "The caller; `{}` is anonymous.",
        "field": "The field under test: `product#Entity.field`.",
        "value": "The field's stored value.",
        "record": "A row, by fields.",
        "expect": "What must come out.",
    },
    "TestPrincipal": {
        "roles": "The caller's roles.",
        "purpose": "The stated purpose.",
        "claims": "The caller's claims.",
        "date": "The day of the call, for agreements; absent: no agreement is in force.",
    },
    "Expectation": {
        "effect": "What happens to the value.",
        "mask": "The kind of mask.",
        "rule": "The rule that speaks; `tier` where none does.",
        "value": "What is served.",
        "row": "Whether the row exists for the caller.",
    },
    "Taxonomy": {"regimes": "Further regimes that tags and products may name."},
    "Tag": {
        "description": "What the tag means.",
        "children": "Tags below this one.",
        "regimes": "Regimes that data under this tag falls under: GDPR, CCPA, HIPAA, SOC2, PCI, or one of yours.",
        "names": "Names of columns that this tag is for: `patient no` is `patient_no`, `patientNo` and `PATIENT-NO`.",
        "patterns": "RE2 patterns of values that this tag is for; one has to match a value as a whole.",
    },
}


def described(model: str, key: str) -> str | None:
    """The sentence for a key of a model, by the names that the JSON Schema has; None where there is none."""
    return DOCS.get(model, {}).get(key) or OPEN.get(key)


EXAMPLES: Mapping[str, str] = {
    "Mesh": """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: [taxonomy.yaml, products/*.yaml, policies/*.yaml]
servers:
  erp: {type: postgres, dsn: "${env:ERP_DSN}"}
roles: [support, analyst]
purposes: [service]
security:
  claims: {countries: [string]}
  keys: {pepper: "${file:keys/pepper}"}
  apiKeys:
    - {name: desk, key: "${env:DESK_KEY}", roles: [support], purposes: [service]}
resilience:
  default: {timeout: 2s}
""",
    "DataProduct": """\
apiVersion: dictamesh/v1
kind: DataProduct
id: sales
name: sales
version: 1.0.0
status: active
domain: trade
schema:
  - name: Customer
    physicalName: customers
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: email, logicalType: string, classification: restricted, tags: [pii.email]}
      - {name: country, logicalType: string, classification: public}
  - name: Order
    physicalName: orders
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: customerId, physicalName: customer_id, logicalType: string, classification: public}
      - name: total
        logicalType: number
        physicalType: decimal(12,2)
        transformLogic: cents / 100.0
        classification: internal
source:
  server: erp
  Order: {columns: {cents: integer}}
relations:
  - {name: customer, from: Order.customerId, to: Customer.id, cardinality: many-to-one, inverse: orders}
""",
    "Policy": """\
apiVersion: dictamesh/v1
kind: Policy
name: personal-data
owner: privacy-office
match: {tags: [pii]}
rules:
  - {name: desk, roles: [support], purposes: [service], effect: allow}
  - {name: reports, agreements: [reports-of-sales], effect: mask, mask: {kind: token, key: pepper}}
  - {name: others, effect: mask, mask: {kind: hmac, key: pepper}}
tests:
  - {as: {}, field: sales#Customer.email, value: ana@example.com, expect: {effect: mask, rule: others}}
---
apiVersion: dictamesh/v1
kind: Policy
name: own-countries
owner: privacy-office
match: {entities: [Customer]}
rows:
  - {name: analysts, roles: [analyst], keep: "country = ANY(principal.countries)"}
""",
    "Taxonomy": """\
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, description: identifies a person, children: [email, phone]}
""",
    "Agreement": """\
apiVersion: dictamesh/v1
kind: Agreement
name: reports-of-sales
owner: sales-data
description: Monthly reports.
products: [sales]
consumer: {roles: [analyst], purposes: [service]}
status: approved
approver: ana
startDate: "2026-01-01"
endDate: "2026-12-31"
""",
}
"""A small tree, one text per kind; together they are a mesh without a finding."""
