# SPDX-License-Identifier: Apache-2.0
"""DM2xx: references between documents and the meaning of fields: servers, tags, tiers, roles, relations, keys."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM201",
        "name of a server",
        "A server's name becomes part of addresses and topics: letters, digits, dot, dash and underscore.",
        "Choose another name.",
    ),
    Code(
        "DM202",
        "unknown server",
        "A server that neither the mesh file nor the product declares.",
        "Declare the server, or correct the name.",
    ),
    Code(
        "DM203",
        "unknown entity in a runtime key",
        "An entry under source, graphql or output that names no entity of the product would have no effect.",
        "Correct or remove the entry.",
    ),
    Code(
        "DM204",
        "unknown tag",
        "A tag that the taxonomy does not declare. A mistyped PII tag would leave the field without its policy.",
        "Use a declared tag, or declare this one in the Taxonomy document.",
    ),
    Code(
        "DM205",
        "unknown tier",
        "A tier that is none of the four. A field with an unknown tier is served as restricted.",
        "Write public, internal, confidential or restricted.",
    ),
    Code(
        "DM206",
        "tier declared too low",
        "A field is declared less sensitive than what it is made of (S2).",
        "Raise the classification, or read less.",
    ),
    Code(
        "DM207",
        "tags missing",
        "A field lacks tags of the columns that it reads, so that their policies would not bind (S2).",
        "Add the tags.",
    ),
    Code(
        "DM208",
        "unknown role, purpose or claim",
        "Roles, purposes and claims are declared in the mesh file; an undeclared one would never match (S21).",
        "Declare it in the mesh file, or correct the name.",
    ),
    Code(
        "DM209",
        "unknown key",
        "A mask or surrogate names a key that security.keys does not declare.",
        "Declare the key under security.keys, by reference.",
    ),
    Code(
        "DM210",
        "unknown end of a relation",
        "A relation names an entity that does not exist.",
        "Write Entity.field, or product#Entity.field.",
    ),
    Code(
        "DM211",
        "unknown field of a relation",
        "A relation names a field that its entity does not have.",
        "Correct the field.",
    ),
    Code(
        "DM212",
        "contradiction",
        "Two statements that cannot hold together, such as relation ends of different length.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM213",
        "relation between different types",
        "The two ends of a relation have different logical types and would never be equal (S11).",
        "Give both ends the same logicalType.",
    ),
    Code(
        "DM214",
        "restricted relation without a name",
        "A relation with restrict needs a name for the direction from the holding entity (S18).",
        "Add an inverse name.",
    ),
    Code(
        "DM215",
        "relation declared twice",
        "A second declaration over the same ends (S11).",
        "Declare a relation once; its inverse names the way back.",
    ),
    Code(
        "DM216",
        "circle of restricted relations",
        "Relations with restrict lead back to where they began: whether a row exists would depend on itself (S18).",
        "Take restrict from one of them.",
    ),
    Code(
        "DM217",
        "unknown regime",
        "A tag, or a custom property 'regimes', names a regime of law or audit that is neither built in nor declared.",
        "Correct the name, or declare it under 'regimes' of the taxonomy.",
    ),
    Code(
        "DM220",
        "column with two types",
        "Two properties read one column as different types.",
        "Give them the same logicalType.",
    ),
    Code(
        "DM221",
        "column declared twice",
        "An entry under columns repeats the column of a property.",
        "Remove the entry.",
    ),
    Code(
        "DM222",
        "unsuitable key or member",
        "An entity needs a primary key of plain scalar columns, in positions; members of objects are plain.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM223",
        "personal data as a key",
        "Keys stand in catalog, cache, audit and topics; a key with a pii tag needs a surrogate or a reason (S6).",
        "Add surrogate or allowPiiKey under the entity's source.",
    ),
    Code(
        "DM230",
        "less protected than its input",
        "A field has a lower tier or fewer tags than a field of another product that it is made of.",
        "Raise the classification, add the tags, or give declassify with a reason and an approver.",
    ),
    Code(
        "DM231",
        "input that breaks nothing",
        "An input says that something breaks the flow of tags, and it does not: the mesh holds the key of the hmac.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM232",
        "unknown end of an input",
        "An input, or an entry of lineage, names what does not exist, or what cannot be its end.",
        "Write product#Entity.field for 'from', and Entity.field of this product for 'to'.",
    ),
    Code(
        "DM233",
        "dataset without a name",
        "An entry of lineage comes from a dataset named by half, by two names, or as a table where there is none.",
        "Write 'table', or both 'namespace' and 'name' as OpenLineage has them.",
    ),
    Code(
        "DM234",
        "lineage that contradicts itself",
        "An entry of lineage leads from a field to the same field, or calls a direct copy what is none.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM240",
        "unknown field of a data subject",
        "An entry under subjects names no field of this product; whoever is erased would be overlooked there.",
        "Write Entity.field of this product.",
    ),
    Code(
        "DM241",
        "data subject that is no scalar",
        "A field under subjects holds one id of a data subject; an object or a list does not.",
        "Name a scalar field.",
    ),
    Code(
        "DM242",
        "data subject of two types",
        "All products that name a kind of data subject hold its ids as one type, so that one id finds them all.",
        "Give the fields the same logicalType, or the kinds different names.",
    ),
    Code(
        "DM243",
        "name of a kind of data subject",
        "The name stands in 'erase --subject kind:id' and in the erasure ledger.",
        "Use letters, digits, '.', '_' and '-'.",
    ),
    Code(
        "DM244",
        "place that takes no signed heads",
        "Signed heads of the audit log go to a file or to an http(s) address.",
        "Write a path, or an address that begins with https://.",
    ),
    Code(
        "DM260",
        "collector of lineage events",
        "An address that no event can be sent to, or that holds credentials; or a key for no collector.",
        "Write the collector's address as http://host:port or https://host, and its key under apiKey, by reference.",
    ),
)
