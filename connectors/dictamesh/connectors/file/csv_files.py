# SPDX-License-Identifier: Apache-2.0
"""CSV files: their headers, whether they are whole, and the SELECT over them."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from dictamesh.connectors.file.listing import Stamp
from dictamesh.connectors.file.manifest import FileEntity
from dictamesh.connectors.file.reading import columns, files, literal
from dictamesh.connectors.file.typed import from_text
from dictamesh.connectors.sdk.errors import Fault, Terminal, Transient
from dictamesh.specs.manifest import Source

_HEADER_BYTES = 1024 * 1024
_CHUNK = 1024 * 1024
_SMALL = 4 * 1024 * 1024  # files up to here are checked in full

_ENCODINGS = {"utf-8": "utf-8-sig"}  # a byte order mark is no part of the first name

csv.field_size_limit(16 * 1024 * 1024)  # the module's own bound of 128 kB is met by honest cells


@dataclass(frozen=True, slots=True)
class _Form:
    delimiter: str
    quote: str
    encoding: str


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
    selected = columns(source.columns, raw, value)
    return f"SELECT {selected} FROM read_csv({files(stamps)}, {called})"  # noqa: S608  (no values in it)


def delimiter(source: Source, options: FileEntity) -> str:
    """Return what stands between the cells of a line."""
    tabs = source.physical_name.lower().removesuffix(".gz").endswith(".tsv")
    return options.delimiter or ("\t" if tabs else ",")


def csv_headers(source: Source, options: FileEntity, stamps: Sequence[Stamp]) -> dict[tuple[str, ...], list[Stamp]]:
    """Read the first line of each file; without a header columns are called column0, column1, ...

    `Terminal(INVALID_RESPONSE)` for a file that is no CSV, or ends inside quotes: the engine would leave its last lines
    out without a word.
    """
    form = _Form(delimiter(source, options), options.quote, _ENCODINGS.get(options.encoding, options.encoding))
    found: dict[tuple[str, ...], list[Stamp]] = {}
    try:
        for stamp in stamps:
            first = _first_line(stamp, form)
            _check_whole(stamp, form)
            names = first if options.header else [f"column{index}" for index in range(len(first))]
            found.setdefault(tuple(names), []).append(stamp)
    except (csv.Error, EOFError, gzip.BadGzipFile, zlib.error):
        raise Terminal(Fault.INVALID_RESPONSE, place=source.address) from None
    except OSError:
        raise Transient(Fault.CONNECTION_FAILED, place=source.address) from None
    return found


def _first_line(stamp: Stamp, form: _Form) -> list[str]:
    with _opened(stamp.path) as file:
        start = file.read(_HEADER_BYTES).decode(form.encoding, errors="replace")
    return next(csv.reader(io.StringIO(start, newline=""), delimiter=form.delimiter, quotechar=form.quote), [])


def _check_whole(stamp: Stamp, form: _Form) -> None:
    """Read a file in full where it is small, or where an odd number of quotes says that one may be open at its end."""
    size = quotes = 0
    with _opened(stamp.path) as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            quotes += chunk.count(form.quote.encode())
    if not quotes or (size > _SMALL and quotes % 2 == 0):
        return
    with _opened(stamp.path) as file:
        text = io.TextIOWrapper(cast("IO[bytes]", file), form.encoding, errors="replace", newline="")
        for _ in csv.reader(text, delimiter=form.delimiter, quotechar=form.quote, strict=True):
            pass


def _opened(path: str) -> IO[bytes] | gzip.GzipFile:
    return gzip.GzipFile(path) if path.lower().endswith(".gz") else open(path, "rb")


def _nothing(source: Source) -> str:
    nulls = {column.name: "NULL" for column in source.columns}
    return f"SELECT {columns(source.columns, nulls, nulls)} WHERE false"
