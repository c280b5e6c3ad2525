# SPDX-License-Identifier: Apache-2.0
"""DM1xx: the shape of documents: keys, types and values."""

from dictamesh.specs.diagnostics.codes.code import Code, Severity

CODES: tuple[Code, ...] = (
    Code(
        "DM101",
        "unknown key",
        "A key that the language does not have at this place. Unknown keys are refused since a typo would be silent.",
        "Correct or remove the key.",
    ),
    Code(
        "DM102",
        "missing key",
        "A key that the language requires at this place is not there.",
        "Add the key.",
    ),
    Code(
        "DM103",
        "wrong type",
        "The value is of another type than the key takes.",
        "Write a value of the type named; quote it where text is meant.",
    ),
    Code(
        "DM104",
        "bad value",
        "The value has the right type and is not among those the key takes.",
        "Write one of the values the key takes.",
    ),
    Code(
        "DM105",
        "keys that exclude each other",
        "Keys that cannot stand side by side, or one of several alternatives of which exactly one has to be chosen.",
        "Keep one of the keys.",
    ),
    Code(
        "DM106",
        "wrong number of entries",
        "A list or mapping has too few or too many entries, or text is too short or too long.",
        "Write a number of entries within the bounds named.",
    ),
    Code(
        "DM107",
        "unknown kind",
        "A document's `kind` is not one of the language.",
        "The kinds are Mesh, DataProduct, Policy and Taxonomy.",
    ),
    Code(
        "DM108",
        "document without a kind",
        "Each document says in `kind` what it declares.",
        "Add a line `kind:` with Mesh, DataProduct, Policy or Taxonomy.",
    ),
    Code(
        "DM120",
        "contract without a source",
        "A data product without `source` is a contract alone: checked, exported and compared, and not served.",
        "Add 'source:' to serve it.",
        Severity.NOTE,
    ),
    Code(
        "DM121",
        "runtime key without a source",
        "Keys such as relations, graphql, output and cache say how a product is served; without `source` none is.",
        "Add 'source:', or remove the key.",
    ),
)
