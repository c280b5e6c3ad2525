# SPDX-License-Identifier: Apache-2.0
"""The manifest of the SQLite connector."""

import os
from pathlib import PurePath
from typing import Any

from pydantic import Field

from dictamesh.connectors.sql.measuring import measuring
from dictamesh.connectors.sql.options import SqlEntity
from dictamesh.connectors.sql.pushdown import capabilities, checks, filters, orders, outputs
from dictamesh.specs.expressions import Engine
from dictamesh.specs.manifest import Dataset, Manifest, Options, Source


class SqliteServer(Options):
    """One database file."""

    path: str = Field(description="Database file, relative to the mesh file. It must exist; it is opened read-only.")
    threads: int = Field(default=4, ge=1, le=64, description="Statements that run at once.")


def _dataset(server: Any, source: Source, folder: PurePath) -> Dataset:
    # OpenLineage names no SQLite; this follows its other databases, with the file in the place of the host
    return Dataset(f"sqlite://{os.path.normpath(folder / server.path)}", source.physical_name)


MANIFEST = Manifest(
    name="sqlite",
    title="SQLite",
    doc=(
        "A database file, opened read-only; writers may go on beside it. Fields, filters, orders, limits and keys are"
        " pushed down, values always bound."
    ),
    server=SqliteServer,
    entity=SqlEntity,
    capabilities=capabilities(integer_booleans=True, json_text=True),
    filters=filters(Engine.SQLITE),
    orders=orders(Engine.SQLITE),
    outputs=outputs(Engine.SQLITE),
    sql=measuring(Engine.SQLITE),
    check=checks(Engine.SQLITE),
    dataset=_dataset,
    dialect=Engine.SQLITE.value,
)
