# SPDX-License-Identifier: Apache-2.0
"""The SELECT that stands for an entity's files: each declared column as the files have it, and as expressions read it.

Names of columns are encoded, since the engine does not tell `Id` from `id` (S1: names match exactly).
"""

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from dictamesh.connectors.file.formats import Format
from dictamesh.connectors.file.listing import Stamp
from dictamesh.connectors.file.manifest import FileEntity
from dictamesh.connectors.file.typed import WITH_ZONE, from_json, from_native, from_text, moment
from dictamesh.connectors.sdk.errors import Fault, Terminal
from dictamesh.specs.manifest import Source, SourceColumn

DOCUMENT = "\0"  # the raw column with a whole JSON object; no declared name can be this
_HEADER_BYTES = 1024 * 1024
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


def _files(stamps: Iterable[Stamp]) -> str:
    """Write a list of files; what would be a pattern in a name is escaped."""
    plain = (stamp.path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") for stamp in stamps)
    return "[" + ", ".join(map(literal, plain)) + "]"


def _columns(columns: Iterable[SourceColumn], raw: Mapping[str, str], value: Mapping[str, str]) -> str:
    parts = [
        f"{raw[column.name]} AS {raw_name(column.name)}, {value[column.name]} AS {value_name(column.name)}"
        for column in columns
    ]
    return ", ".join(parts)


def csv_text(source: Source, options: FileEntity, headers: Mapping[tuple[str, ...], Sequence[Stamp]]) -> str:
    """Return the SELECT over CSV files, grouped by their header; a column that a file lacks is NULL in it."""
    parts = [_csv_part(source, options, header, stamps) for header, stamps in headers.items() if header]
    return " UNION ALL ".join(parts) if parts else _nothing(source)


def _csv_part(source: Source, options: FileEntity, header: tuple[str, ...], stamps: Sequence[Stamp]) -> str:
    place = {name: f"c{index}" for index, name in reversed(list(enumerate(header)))}
    raw = {column.name: place.get(column.name, "NULL::VARCHAR") for column in source.columns}
    value = {column.name: from_text(raw[column.name], column.type) for column in source.columns}
    shape = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(header)))
    settings = {
        "columns": f"{{{shape}}}",
        "auto_detect": "false",
        "header": str(options.header).lower(),
        "delim": literal(delimiter(source, options)),
        "quote": literal(options.quote),
        "escape": literal(options.quote),
        "nullstr": "''",
        "null_padding": "true",
        "parallel": "false",  # the parallel reader refuses line breaks in cells together with null_padding
        "encoding": literal(options.encoding),
    }
    called = ", ".join(f"{name} = {setting}" for name, setting in settings.items())
    return f"SELECT {_columns(source.columns, raw, value)} FROM read_csv({_files(stamps)}, {called})"


def delimiter(source: Source, options: FileEntity) -> str:
    """Return what stands between the cells of a line."""
    tabs = source.physical_name.lower().removesuffix(".gz").endswith(".tsv")
    return options.delimiter or ("\t" if tabs else ",")


def csv_headers(source: Source, options: FileEntity, stamps: Sequence[Stamp]) -> dict[tuple[str, ...], list[Stamp]]:
    """Read the first line of each file; without a header columns are called column0, column1, ..."""
    found: dict[tuple[str, ...], list[Stamp]] = {}
    for stamp in stamps:
        found.setdefault(_header(stamp, source, options), []).append(stamp)
    return found


def _header(stamp: Stamp, source: Source, options: FileEntity) -> tuple[str, ...]:
    encoding = {"utf-8": "utf-8-sig"}.get(options.encoding, options.encoding)
    try:
        with _opened(stamp.path) as file:
            start = file.read(_HEADER_BYTES).decode(encoding, errors="replace")
        lines = csv.reader(
            io.StringIO(start, newline=""), delimiter=delimiter(source, options), quotechar=options.quote
        )
        first = next(lines, [])
    except (csv.Error, EOFError, gzip.BadGzipFile):
        raise Terminal(Fault.INVALID_RESPONSE, place=source.address) from None
    return tuple(first) if options.header else tuple(f"column{index}" for index in range(len(first)))


def _opened(path: str) -> IO[bytes] | gzip.GzipFile:
    return gzip.GzipFile(path) if path.lower().endswith(".gz") else open(path, "rb")


def json_text(source: Source, format_: Format, stamps: Sequence[Stamp]) -> str:
    """Return the SELECT over JSON files; `DOCUMENT` is the whole object."""
    raw = {column.name: f"({_member(column.name)} ->> '$')" for column in source.columns}
    value = {column.name: from_json(_member(column.name), column.type) for column in source.columns}
    layout = "newline_delimited" if format_ == "jsonl" else "auto"
    read = f"read_json_objects({_files(stamps)}, format = '{layout}', maximum_object_size = {_MAX_OBJECT})"
    return f"SELECT json AS {raw_name(DOCUMENT)}, {_columns(source.columns, raw, value)} FROM {read}"


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
    return f"SELECT {_columns(source.columns, raw, value)} FROM {parquet_files(stamps)}"


def parquet_files(stamps: Sequence[Stamp]) -> str:
    """Return the table of Parquet files."""
    return f"read_parquet({_files(stamps)}, union_by_name = true)"


def _served(name: str, native: str) -> str:
    """A time with a zone comes as text: the driver would need a library of time zones for it."""
    return f"strftime({moment(name)}, '%Y-%m-%dT%H:%M:%S.%fZ')" if native == WITH_ZONE else name


def _nothing(source: Source) -> str:
    nulls = {column.name: "NULL" for column in source.columns}
    return f"SELECT {_columns(source.columns, nulls, nulls)} WHERE false"
