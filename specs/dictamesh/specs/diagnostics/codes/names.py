# SPDX-License-Identifier: Apache-2.0
"""DM6xx: names that leave the mesh: GraphQL, topics, documents."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM601",
        "GraphQL type clash",
        "Two things would become the same GraphQL type.",
        "Rename one of them.",
    ),
    Code(
        "DM602",
        "GraphQL root field clash",
        "Two entities would have the same root field.",
        "Declare another plural or singular under graphql.",
    ),
    Code(
        "DM603",
        "enumeration clash",
        "Two values of an enumeration become the same GraphQL name, or one that GraphQL keeps for itself (S3).",
        "Change one of the values.",
    ),
    Code(
        "DM604",
        "second name in one place",
        "Two entities, fields, relations, servers, callers or service levels with one name.",
        "Rename one of them.",
    ),
    Code(
        "DM605",
        "topic clash",
        "Two entities would publish to one topic (S28).",
        "Pin a topic under output.",
    ),
    Code(
        "DM606",
        "topic name",
        "The name of a topic holds characters that Kafka does not take.",
        "Use letters, digits, dot, dash and underscore.",
    ),
    Code(
        "DM607",
        "second document of one name",
        "Products and policies have unique names, products unique ids, and there is one taxonomy.",
        "Rename or remove one.",
    ),
    Code(
        "DM608",
        "reserved name",
        "A name that the gateway or the language of policies gives a meaning of its own, such as `and` in a filter.",
        "Choose another name.",
    ),
)
