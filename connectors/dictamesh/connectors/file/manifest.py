# SPDX-License-Identifier: Apache-2.0
"""The manifest of the file connector."""

import os
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field

from dictamesh.connectors.file.formats import Format, format_of
from dictamesh.connectors.sql.pushdown import capabilities as sql_capabilities
from dictamesh.connectors.sql.pushdown import filters, orders, outputs
from dictamesh.specs.expressions import Engine
from dictamesh.specs.manifest import Capabilities, Dataset, Manifest, Options, Source


class FileServer(Options):
    """One folder of files."""

    path: str = Field(
        description="Folder, relative to the mesh file. Nothing outside it is read, not through links either."
    )
    threads: int = Field(default=2, ge=1, le=64, description="Statements that run at once.")
    memory: int = Field(default=512, ge=16, le=65536, description="Memory that statements may take together, in MiB.")


class FileEntity(Options):
    """One file, or all files that a glob in `physicalName` matches; `**` stands for any folders."""

    format: Format | None = Field(default=None, description="Format of the files; absent: by the ending of the name.")
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="CSV: what stands between cells; absent: a comma, in `.tsv` a tab.",
    )
    quote: str = Field(default='"', min_length=1, max_length=1, description="CSV: what stands around a cell.")
    header: bool = Field(
        default=True, description="CSV: the first line names the columns; else they are column0, column1, ..."
    )
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(default="utf-8", description="CSV: encoding of the text.")


def _capabilities(source: Source) -> Capabilities:
    options: FileEntity = source.options
    format_ = options.format or format_of(source.physical_name)
    return replace(sql_capabilities()(source), text_values=format_ == "csv")


def _check(source: Source) -> tuple[tuple[tuple[str, ...], str, str], ...]:
    options: FileEntity = source.options
    name = source.physical_name
    if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
        return (((), "the file must lie in the server's folder", "write `physicalName` relative to it, without `..`"),)
    if options.format is None and format_of(name) is None:
        return (
            ((), "the format cannot be told from the file's name", "add `format: csv`, `json`, `jsonl` or `parquet`"),
        )
    return ()


def _dataset(server: Any, source: Source, folder: PurePath) -> Dataset:
    return Dataset("file", os.path.normpath(folder / server.path / source.physical_name))


MANIFEST = Manifest(
    name="file",
    title="Files",
    doc=(
        "CSV, JSON, JSON Lines and Parquet: the entity's `physicalName` is a file or a glob below the server's folder."
        " An empty CSV cell is null, and a cell that does not fit its type spoils that value only. Fields, filters,"
        " orders, limits and keys are evaluated by DuckDB, which may read nothing but that folder."
    ),
    server=FileServer,
    entity=FileEntity,
    capabilities=_capabilities,
    filters=filters(Engine.DUCKDB),
    orders=orders(Engine.DUCKDB),
    outputs=outputs(Engine.DUCKDB),
    check=_check,
    dataset=_dataset,
)
