# SPDX-License-Identifier: Apache-2.0
"""DM7xx: secrets and references to the environment and to files (S24, S27)."""

from dictamesh.specs.diagnostics.codes.code import Code, Severity

CODES: tuple[Code, ...] = (
    Code(
        "DM701",
        "literal secret",
        "A secret is written into the file itself, where everyone who can read the repository reads it.",
        "Write a reference, ${env:NAME} or ${file:path}, and rotate the secret.",
    ),
    Code(
        "DM702",
        "malformed reference",
        "A `${...}` that is neither ${env:NAME}, ${env:NAME:-default} nor ${file:path}.",
        "Write ${env:NAME}, ${env:NAME:-default} or ${file:path}; write $${ for a literal ${.",
    ),
    Code(
        "DM703",
        "default of a secret",
        "A reference in a secret field carries a default that is not empty, which is a literal secret.",
        "Leave out the default, or leave it empty.",
    ),
    Code(
        "DM704",
        "unresolved reference",
        "The environment variable or the file that a reference names is not there now; it is needed at start.",
        "Set the variable or provide the file before the start.",
        Severity.NOTE,
    ),
    Code(
        "DM705",
        "reference out of place",
        "References are for values that differ between installations; here the text is read as it stands.",
        "Write the value itself.",
    ),
)
