# SPDX-License-Identifier: Apache-2.0
"""Columns as PostgreSQL's array literals, for statements that take many rows: psycopg asks each element what it is.

Pass them where the statement casts, as in `%s::text[]`. What no text of PostgreSQL can hold is refused by psycopg.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID


def texts(values: Collection[str]) -> str:
    """Write a `text[]`."""
    if not values:
        return "{}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join([_escaped(value) for value in values])
    return f'{{"{joined}"}}'


def optional_texts(values: Iterable[str | None]) -> str:
    """Write a `text[]` some of whose elements may be null."""
    return _array(["NULL" if value is None else f'"{_escaped(value)}"' for value in values])


def wholes(values: Iterable[int]) -> str:
    """Write a `bigint[]`."""
    return _array(map(str, values))


def flags(values: Iterable[bool]) -> str:
    """Write a `boolean[]`."""
    return _array(["t" if value else "f" for value in values])


def binaries(values: Iterable[bytes]) -> str:
    """Write a `bytea[]`."""
    return _array([f'"\\\\x{value.hex()}"' for value in values])


def moments(values: Iterable[datetime]) -> str:
    """Write a `timestamptz[]`."""
    return _array([value.isoformat() for value in values])


def uuids(values: Iterable[UUID]) -> str:
    """Write a `uuid[]`."""
    return _array([f"{value.int:032x}" for value in values])


def _array(elements: Iterable[str]) -> str:
    return f"{{{','.join(elements)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
