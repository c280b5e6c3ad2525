# SPDX-License-Identifier: Apache-2.0
"""The SELECT that stands for an entity's files: each declared column as the files have it, and as expressions read it.

Names of columns are encoded, since the engine does not tell `Id` from `id` (S1: names match exactly).
"""

from collections.abc import Iterable, Mapping, Sequence

from dictamesh.connectors.file.formats import Format
from dictamesh.connectors.file.listing import Stamp
from dictamesh.connectors.file.typed import WITH_ZONE, from_json, from_native, moment
from dictamesh.specs.manifest import Source, SourceColumn

DOCUMENT = "\0"  # the raw column with a whole JSON object; no declared name can be this
_MAX_OBJECT = 16 * 1024 * 1024


def value_name(name: str) -> str:
    """Return the name of the column that expressions read."""
    return "v" + name.encode().hex()


def raw_name(name: str) -> str:
    """Return the name of the column with the value as the files have it."""
    return "r" + name.encode().hex()


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text constant; only for paths, names and settings of the spec, never for values."""
    return "'" + text.replace("'", "''") + "'"


def files(stamps: Iterable[Stamp]) -> str:
    """Write a list of files; what would be a pattern in a name is escaped."""
    plain = (stamp.path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") for stamp in stamps)
    return "[" + ", ".join(map(literal, plain)) + "]"


def columns(columns: Iterable[SourceColumn], raw: Mapping[str, str], value: Mapping[str, str]) -> str:
    parts = [
        f"{raw[column.name]} AS {raw_name(column.name)}, {value[column.name]} AS {value_name(column.name)}"
        for column in columns
    ]
    return ", ".join(parts)


def json_text(source: Source, format_: Format, stamps: Sequence[Stamp]) -> str:
    """Return the SELECT over JSON files; `DOCUMENT` is the whole object."""
    raw = {column.name: f"({_member(column.name)} ->> '$')" for column in source.columns}
    value = {column.name: from_json(_member(column.name), column.type) for column in source.columns}
    layout = "newline_delimited" if format_ == "jsonl" else "auto"
    read = f"read_json_objects({files(stamps)}, format = '{layout}', maximum_object_size = {_MAX_OBJECT})"
    selected = columns(source.columns, raw, value)
    return f"SELECT json AS {raw_name(DOCUMENT)}, {selected} FROM {read}"  # noqa: S608  (no values in it)


def _member(name: str) -> str:
    flat = f"json_extract(json, {literal(_pointer([name]))})"
    if "." not in name:
        return flat
    return f"coalesce({flat}, json_extract(json, {literal(_pointer(name.split('.')))}))"


def _pointer(path: Sequence[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def parquet_text(source: Source, natives: Mapping[str, str], stamps: Sequence[Stamp]) -> str:
    """Return the SELECT over Parquet files; `natives` holds the engine's types of their columns by name."""
    raw: dict[str, str] = {}
    value: dict[str, str] = {}
    for column in source.columns:
        native = natives.get(column.name)
        name = identifier(column.name)
        raw[column.name] = "NULL" if native is None else _served(name, native)
        value[column.name] = "NULL" if native is None else from_native(name, native, column.type)
    selected = columns(source.columns, raw, value)
    return f"SELECT {selected} FROM {parquet_files(stamps)}"  # noqa: S608  (no values in it)


def parquet_files(stamps: Sequence[Stamp]) -> str:
    """Return the table of Parquet files."""
    return f"read_parquet({files(stamps)}, union_by_name = true)"


def parquet_columns(stamps: Sequence[Stamp]) -> str:
    """Return the SELECT of names and types of the columns of Parquet files."""
    return f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {parquet_files(stamps)})"  # noqa: S608  (as above)


def _served(name: str, native: str) -> str:
    """A time with a zone comes as text: the driver would need a library of time zones for it."""
    return f"strftime({moment(name)}, '%Y-%m-%dT%H:%M:%S.%fZ')" if native == WITH_ZONE else name
