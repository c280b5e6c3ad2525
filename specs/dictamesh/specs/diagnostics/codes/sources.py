# SPDX-License-Identifier: Apache-2.0
"""DM5xx: connectors and sources."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM501",
        "unknown connector",
        "The type of a server names no connector that is installed.",
        "Use one of the connectors listed, or install its package.",
    ),
    Code(
        "DM502",
        "connector option",
        "An option that the connector does not have, or a value that it does not take.",
        "See the connector's page in the reference.",
    ),
    Code(
        "DM503",
        "source that cannot work",
        "Options that are each right and together cannot serve the entity.",
        "Follow the hint of the finding.",
    ),
)
