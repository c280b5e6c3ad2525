# SPDX-License-Identifier: Apache-2.0
"""A small mesh over REST alone: authors, their books, and the loans of these."""

from typing import Any

TAXONOMY = """
apiVersion: dictamesh/v1
kind: Taxonomy
tiers: [public, internal, confidential, restricted]
tags:
  pii.direct: {pii: true, description: identifies a person, children: [email, name]}
"""

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: library
include: [taxonomy.yaml, authors.yaml, books.yaml, policies.yaml]
servers:
  people: {type: rest, url: "http://127.0.0.1:1"}
  shelf: {type: rest, url: "http://127.0.0.1:2"}
roles: [reader, librarian]
purposes: [service]
security:
  anonymous: {sees: public}
  claims: {regions: [string], vip: boolean}
  keys: {pepper: "${env:PEPPER}"}
"""

AUTHORS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: authors
name: authors
version: 1.0.0
status: active
domain: people
schema:
  - name: Author
    physicalName: authors
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: name, logicalType: string, required: true, classification: public}
      - {name: region, logicalType: string, classification: public}
      - {name: email, logicalType: string, classification: restricted, tags: [pii.direct.email]}
      - {name: born, logicalType: date, classification: public}
      - {name: worth, logicalType: number, physicalType: "decimal(10,2)", classification: public}
      - {name: share, logicalType: number, transformLogic: "100 / parts", classification: public}
      - name: home
        logicalType: object
        classification: internal
        properties:
          - {name: city, logicalType: string}
          - {name: street, logicalType: string, classification: restricted, tags: [pii.direct]}
      - {name: prizes, logicalType: array, items: {logicalType: integer}, classification: public}
slaProperties: [{property: latency, value: 60, unit: s}]
source:
  server: people
  Author:
    columns: {parts: integer}
    list: {path: /authors, records: items, paginate: {kind: offset, maxLimit: 1000}}
    get: {path: "/authors/{id}"}
    batch: {path: /authors, query: {ids: "{ids}"}, records: items}
"""

BOOKS = """
apiVersion: dictamesh/v1
kind: DataProduct
id: books
name: books
version: 1.0.0
status: active
domain: shelf
schema:
  - name: Book
    physicalName: books
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: authorId, physicalName: author_id, logicalType: integer, classification: public}
      - {name: title, logicalType: string, classification: public}
      - {name: pages, logicalType: integer, classification: public}
      - name: state
        logicalType: string
        classification: public
        quality: [{type: library, metric: invalidValues, arguments: {validValues: [in stock, lent]}, mustBe: 0}]
  - name: Loan
    physicalName: loans
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: bookId, physicalName: book_id, logicalType: string, classification: public}
      - {name: days, logicalType: integer, classification: public}
slaProperties: [{property: latency, value: 60, unit: s}]
source:
  server: shelf
  Book:
    list:
      path: /books
      records: items
      paginate: {kind: offset, maxLimit: 1000}
      filters: {title: {eq: eq.title}, id: {in: in.id}}
    lookup: {author_id: {path: /books, query: {by: author_id, values: "{values}"}, records: items}}
  Loan:
    list: {path: /loans, records: items, filters: {book_id: {eq: eq.book_id}}}
    get: {path: "/loans/{id}"}
relations:
  - {name: author, from: Book.authorId, to: authors#Author.id, cardinality: many-to-one, inverse: books}
  - {name: loans, from: Book.id, to: Loan.bookId, cardinality: one-to-many, inverse: book}
"""

POLICIES = """
apiVersion: dictamesh/v1
kind: Policy
name: direct
owner: office
match: {tags: [pii.direct]}
rules:
  - {name: librarians, roles: [librarian], effect: allow}
  - {name: others, effect: deny}
"""


def authors(count: int = 5) -> list[dict[str, Any]]:
    regions = ["north", "south", None]
    return [
        {
            "id": n,
            "name": f"Author {n}",
            "region": regions[n % 3],
            "email": f"author{n}@example.com",
            "born": f"19{n % 90 + 10}-01-31",
            "worth": f"{n}.005",
            "parts": n % 4,
            "home": {"city": f"City {n % 2}", "street": f"Street {n}"},
            "prizes": list(range(n % 3)),
        }
        for n in range(1, count + 1)
    ]


def books(count: int = 12, authors: int = 5) -> list[dict[str, Any]]:
    return [
        {
            "id": f"b{n:03}",
            "author_id": n % authors + 1 if n % 7 else None,
            "title": f"Title {n % 5}",
            "pages": n * 10 % 70,
            "state": ["in stock", "lent"][n % 2],
        }
        for n in range(count)
    ]


def loans(count: int = 20, books: int = 12) -> list[dict[str, Any]]:
    return [{"id": f"l{n}", "book_id": f"b{n % books:03}", "days": n} for n in range(count)]
