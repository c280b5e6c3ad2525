# SPDX-License-Identifier: Apache-2.0
"""Ways to learn a value that one may not see: each an operation whose answer depends on the value."""

OPERATORS = {
    "eq": '{email: {eq: "ann@x.example"}}',
    "ne": '{email: {ne: "ann@x.example"}}',
    "in": '{email: {in: ["ann@x.example", "bob@x.example"]}}',
    "lt": '{email: {lt: "m"}}',
    "lte": '{email: {lte: "bob@x.example"}}',
    "gt": '{email: {gt: "m"}}',
    "gte": '{email: {gte: "cid@x.example"}}',
    "like, first letter": '{email: {like: "a%"}}',
    "like, any letter": '{email: {like: "%y.example"}}',
    "is null": "{phone: {isNull: true}}",
    "is not null": "{secret: {isNull: false}}",
    "number eq": "{pay: {eq: 3100}}",
    "number gt": "{pay: {gt: 3500}}",
    "number in": "{pay: {in: [3300, 3900]}}",
    "date lt": '{born: {lt: "1990-06-01"}}',
    "partial gt": '{iban: {gt: "E"}}',
    "some rows eq": '{note: {eq: "mild"}}',
    "computed eq": '{initial: {eq: "a"}}',
    "computed boolean": "{rich: {eq: true}}",
    "key of a relation": "{bossId: {eq: 3}}",
    "not": '{not: {email: {like: "a%"}}}',
    "or beside a public field": '{or: [{team: {eq: "none"}}, {email: {like: "a%"}}]}',
    "and beside a public field": '{and: [{team: {eq: "a"}}, {not: {phone: {isNull: true}}}]}',
    "deep below and, or, not": '{and: [{or: [{not: {and: [{secret: {eq: "indigo"}}]}}]}]}',
    "several keys of one filter": '{level: {gt: 0}, email: {gt: "m"}}',
    "several operators of one field": "{pay: {gte: 3100, lt: 3300}}",
    "over a relation": '{boss: {email: {like: "c%"}}}',
    "over a relation by a public field": '{boss: {team: {eq: "b"}}}',
}
FILTERS = {f"filter: {name}": f"{{ people(filter: {given}) {{ id }} }}" for name, given in OPERATORS.items()}
COUNTS = {
    "count of equals": '{ peopleCount(filter: {email: {eq: "bob@x.example"}}) }',
    "count above": "{ peopleCount(filter: {pay: {gt: 3500}}) }",
    "count of nulls": "{ peopleCount(filter: {phone: {isNull: true}}) }",
    "count over a relation": '{ peopleCount(filter: {boss: {secret: {eq: "crimson"}}}) }',
    "count by an alias": '{ n: peopleCount(filter: {or: [{alias: {like: "b%"}}]}) }',
}
ORDERS = {
    "order ascending": "{ people(orderBy: [{email: ASC}]) { id } }",
    "order descending": "{ people(orderBy: [{pay: DESC}]) { id } }",
    "order, second key": "{ people(orderBy: [{team: ASC}, {email: DESC}]) { id } }",
    "order by a computed field": "{ people(orderBy: [{initial: ASC}]) { id } }",
    "order by a partial mask": "{ people(orderBy: [{iban: ASC}]) { id } }",
    "order by a truncated date": "{ people(orderBy: [{born: DESC}]) { id } }",
    "the first by order": "{ people(orderBy: [{email: ASC}], limit: 1) { id } }",
    "cursor: the second by order": "{ people(orderBy: [{pay: ASC}], limit: 1, offset: 1) { id } }",
    "order of a relation's list": "{ people { id staff(orderBy: [{email: ASC}]) { id } } }",
    "order at another source": "{ guests(orderBy: [{email: ASC}]) { id } }",
}
# A relation may run over a key that neither end shows (S20): that two hidden values are equal is no secret there.
RELATIONS = {
    "relation over a hidden key": "{ people { id boss { id team } } }",
    "its inverse": "{ people { id staff { id } } }",
    "filter within a relation": '{ people { id staff(filter: {email: {like: "a%"}}) { id } } }',
    "relations nested": "{ people { staff { boss { staff { id } } } } }",
    "one row and its relation": "{ person(id: 1) { boss { team } } }",
}
READS = {
    "the value itself": "{ people { id email } }",
    "the value by an alias": "{ people { id x: email y: secret } }",
    "the value in a fragment": "{ people { ...F } } fragment F on Person { id iban note }",
    "the value in an inline fragment": "{ people { id ... on Person { born pay } } }",
    "the column under another name": "{ people { id alias } }",
    "what is computed of it": "{ people { id initial rich } }",
    "whether it can be computed": "{ people { id share } }",
    "whether it is there": "{ people { id phone secret } }",
    "the key of a relation": "{ people { id bossId } }",
    "one row": "{ person(id: 3) { email secret pay } }",
    "one row of another source": "{ guest(id: 3) { email secret pay } }",
    "a list of another source": "{ guests { id email phone iban born pay share note } }",
    "some rows": "{ people { id level note } }",
    "the same field twice": "{ people { id } more: people { id email } one: person(id: 1) { email } }",
    "under a directive": "query Q($on: Boolean = true) { people { id email @include(if: $on) } }",
}
OPERATIONS = {**FILTERS, **COUNTS, **ORDERS, **RELATIONS, **READS}
