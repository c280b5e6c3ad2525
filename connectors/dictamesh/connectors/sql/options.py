# SPDX-License-Identifier: Apache-2.0
"""What a spec may say of one entity in a SQL database."""

from pydantic import Field

from dictamesh.specs.manifest import Options


class SqlEntity(Options):
    """One table, view or query; the table's name is the entity's `physicalName`, with its schema where it needs one."""

    query: str | None = Field(
        default=None,
        description="A single SELECT whose rows stand for the table. It runs verbatim in a sub-select, read-only.",
    )
