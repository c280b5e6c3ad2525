# SPDX-License-Identifier: Apache-2.0
"""Columns written as literals arrive as what they were."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dictamesh.runtime.catalog.arrays import binaries, flags, moments, optional_texts, texts, uuids, wholes
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool

TEXTS = [
    "",
    "a",
    "o'b",
    'a"b',
    "back\\slash",
    '\\"',
    "{x,y}",
    "NULL",
    "null",
    " x ",
    "a,b",
    "ä€😀",
    "\n\t",
    '"',
    "\\",
    "',\"'",
]


async def _back(pool: Pool, kind: str, literal: str) -> list:
    (row,) = await pool.rows(f"SELECT %(given)s::{kind}[] AS found".encode(), {"given": literal})
    return list(row["found"])


@pytest.mark.parametrize("given", [TEXTS, ["plain", "plainer"], ["x"], [], *([each] for each in TEXTS)])
async def test_texts(catalog: Pool, given: list[str]) -> None:
    assert await _back(catalog, "text", texts(given)) == given
    assert await _back(catalog, "text", optional_texts([None, *given, None])) == [None, *given, None]


async def test_what_is_no_text(catalog: Pool) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    times = [now, now.astimezone(timezone(timedelta(hours=-3, minutes=-30))), datetime(1, 1, 2, tzinfo=UTC)]
    ids = [uuid.uuid4() for _ in range(3)] + [uuid.UUID(int=0), uuid.UUID(int=1)]
    numbers = [0, -1, 2**63 - 1, -(2**63)]
    blobs = [b"", b"\0", bytes(range(256))]
    assert await _back(catalog, "timestamptz", moments(times)) == times
    assert await _back(catalog, "uuid", uuids(ids)) == ids
    assert await _back(catalog, "bigint", wholes(numbers)) == numbers
    assert await _back(catalog, "boolean", flags([True, False])) == [True, False]
    assert await _back(catalog, "bytea", binaries(blobs)) == blobs
    for kind, empty in (("timestamptz", moments([])), ("uuid", uuids([])), ("bytea", binaries([]))):
        assert await _back(catalog, kind, empty) == []


@pytest.mark.parametrize("given", ["a\0b", "half \ud800"])
async def test_what_the_database_cannot_hold_is_refused(catalog: Pool, given: str) -> None:
    with pytest.raises((CatalogUnavailable, UnicodeError)):
        await _back(catalog, "text", texts(["a", given]))
