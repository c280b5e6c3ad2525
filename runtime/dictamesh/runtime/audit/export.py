# SPDX-License-Identifier: Apache-2.0
"""The log as JSON Lines that anybody can verify without the database: a header, then the rows as they were hashed."""

from collections.abc import AsyncIterator

import orjson

from dictamesh.runtime.audit.examine import header_of
from dictamesh.runtime.audit.reading import SNAPSHOT, Span, anchors_of, entries_of
from dictamesh.runtime.catalog.pool import Pool

_LAST = b"SELECT coalesce(max(number), 0) FROM dictamesh_audit_heads WHERE mesh = %s"


async def exported(pool: Pool, mesh: str, span: Span) -> AsyncIterator[bytes]:
    """Yield the lines of an export, all as they are at one instant; raises `CatalogUnavailable`."""
    async with pool.transaction() as connection:
        await connection.execute(SNAPSHOT)
        ((last,),) = await (await connection.execute(_LAST, (mesh,))).fetchall()
        yield orjson.dumps(header_of(mesh, span, await anchors_of(connection, span), last)) + b"\n"
        async for entry in entries_of(connection, span):
            yield orjson.dumps(entry) + b"\n"
