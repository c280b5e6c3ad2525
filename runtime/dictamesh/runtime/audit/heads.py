# SPDX-License-Identifier: Apache-2.0
"""Signing where the chains end, again and again, and publishing it where the database's owner cannot reach."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import orjson

from dictamesh.runtime.audit.chain import Tip
from dictamesh.runtime.audit.keys import Signer
from dictamesh.runtime.audit.reading import tips_of
from dictamesh.runtime.audit.statements import Restored, SignedHead, restored_of, signed
from dictamesh.runtime.catalog.pool import Pool

_LOG = logging.getLogger("dictamesh.audit")
_PAGE = 500
# One statement after the other, whichever replica signs.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846503), clock_timestamp()"
_LAST = b"""
SELECT number, statement, key_id, signature FROM dictamesh_audit_heads
 WHERE mesh = %s ORDER BY number DESC LIMIT 1
"""
_STORE = b"""
INSERT INTO dictamesh_audit_heads (mesh, number, signed_at, statement, key_id, signature)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_AFTER = b"""
SELECT number, statement, key_id, signature FROM dictamesh_audit_heads
 WHERE mesh = %(mesh)s AND number > %(after)s ORDER BY number LIMIT %(limit)s
"""

_NUMBERS = b"SELECT number FROM dictamesh_audit_heads WHERE mesh = %(mesh)s"


class Unpublished(Exception):  # noqa: N818 - the name says what is the case
    """Heads could not be brought to a place; the text is ours."""


class Publisher(Protocol):
    """A place outside the database where signed heads are kept."""

    async def publish(self, pool: Pool, mesh: str) -> int:
        """Bring there what the database has and it has not; return how many.

        Raises Unpublished, `CatalogUnavailable`.
        """


class Record(Publisher, Protocol):
    """A place that can also be asked what it has."""

    async def last(self, mesh: str) -> SignedHead | None:
        """Return the last statement of a mesh that is there, None where there is none or it cannot be read."""


async def pages(pool: Pool, mesh: str, after: int) -> AsyncIterator[list[SignedHead]]:
    """Yield the statements behind a number, in order, some hundreds at a time; raises `CatalogUnavailable`."""
    while page := await heads_after(pool, mesh, after, _PAGE):
        yield page
        after = page[-1].number


async def heads_after(pool: Pool, mesh: str, after: int, limit: int) -> list[SignedHead]:
    """Return at most `limit` statements with a number above `after`; raises `CatalogUnavailable`."""
    rows = await pool.rows(_AFTER, {"mesh": mesh, "after": after, "limit": limit})
    return [SignedHead(**row) for row in rows]


@dataclass(slots=True)
class HeadSigner:
    """Signs for one mesh; `record` is the file of the data folder, `elsewhere` are further places.

    A statement lists the chains that moved since the one before; the first of a day, and of a process, lists all.
    """

    pool: Pool
    mesh: str
    signer: Signer
    record: Record
    elsewhere: tuple[Publisher, ...] = ()
    unpublished: Callable[[], None] = lambda: None  # is told of each place that could not be reached
    _known: dict[str, Tip] = field(default_factory=dict, init=False)
    _day: str = field(default="", init=False)
    _told: bool = field(default=False, init=False)

    async def sign(self, restored: Restored | None = None) -> SignedHead | None:
        """Sign and store a statement if any chain moved or the day is new, and bring the record up to date.

        With `restored` it is signed in any case, and lists all chains. Raises `CatalogUnavailable`.
        """
        published = await self.record.last(self.mesh)
        async with self.pool.transaction() as connection:
            ((_, now),) = await (await connection.execute(_LOCK)).fetchall()
            row = await (await connection.execute(_LAST, (self.mesh,))).fetchone()
            last = self._last(SignedHead(*row) if row else None, published)
            tips = await tips_of(connection)
            head = self._made(last, tips, now, restored)
            if head is not None:
                values = (self.mesh, head.number, head.signed_at, head.statement, head.key_id, head.signature)
                await connection.execute(_STORE, values)
        if head is not None:
            self._known, self._day = tips, head.signed_at[:10]
        await self._bring(self.record)
        return head

    async def publish(self) -> None:
        """Bring elsewhere what is not there yet; what cannot be brought is logged, and brought the next time.

        Raises `CatalogUnavailable`.
        """
        for place in self.elsewhere:
            await self._bring(place)

    def _made(
        self, last: SignedHead | None, tips: Mapping[str, Tip], now: datetime, restored: Restored | None
    ) -> SignedHead | None:
        complete = restored is not None or now.date().isoformat() != self._day
        moved = [tip for name, tip in tips.items() if complete or self._known.get(name) != tip]
        if not moved and restored is None and not (complete and last is None):
            return None
        return signed(self.mesh, last, now, moved, self.signer, complete=complete, restored=restored)

    def _last(self, stored: SignedHead | None, published: SignedHead | None) -> SignedHead | None:
        """The last statement anywhere. A database that knows less than was published is an older one, or was cut."""
        if published is None or (stored is not None and stored.number >= published.number):
            return stored
        if not self._told:
            self._told = True
            count = published.number - (stored.number if stored else 0)
            _LOG.error(
                "the database lacks audit heads that were published: it was restored from a backup, or cut off",
                extra={"count": count},
            )
        return published

    async def _bring(self, place: Publisher) -> None:
        try:
            await place.publish(self.pool, self.mesh)
        except Unpublished as error:
            self.unpublished()
            _LOG.error("audit heads are not published", extra={"reason": str(error)})


async def lost_heads(pool: Pool, mesh: str, published: Iterable[SignedHead]) -> list[int]:
    """Return the numbers that were published and are not in the database, those apart that a statement voids.

    Raises `CatalogUnavailable`.
    """
    stored = {row["number"] for row in await pool.rows(_NUMBERS, {"mesh": mesh})}
    numbers, void = set(), set[int]()
    for head in published:
        numbers.add(head.number)
        if (told := restored_of(orjson.loads(head.statement))) is not None:
            void.update(range(told.first, told.last + 1))
    return sorted(numbers - stored - void)
