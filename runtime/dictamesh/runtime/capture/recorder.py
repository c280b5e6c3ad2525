# SPDX-License-Identifier: Apache-2.0
"""The recorder of one entity: events, what is known of records, dead letters and position in one transaction."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture.bad import DeadLetters, Told
from dictamesh.runtime.capture.contract import Batch, Recorded, Seen, StateId
from dictamesh.runtime.capture.folding import Change, Folded, Folding, delivery_id
from dictamesh.runtime.capture.hashing import Hashes, key_name
from dictamesh.runtime.capture.making import EventMaker, changed_at
from dictamesh.runtime.capture.reading import Gone, Live, Read, RecordReader, Spoiled
from dictamesh.runtime.capture.records import Records, delivered
from dictamesh.runtime.catalog.errors import CatalogUnavailable, EntityNotFound
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import get_entity
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.log import Encode, append_events
from dictamesh.runtime.events.payload import PayloadMaker
from dictamesh.runtime.events.versions import take_turn

_LOG = logging.getLogger("dictamesh.capture")
_AT_ONCE = 500  # records of one transaction that nobody needs to see together
_BREATH = 100  # records read in one go: others are served meanwhile
_TOLD_AT_MOST = 10_000  # bad records without a key that are remembered, so that a full pass tells of them once
_UNSEEN = Seen(deleted=True)
_MANY = 100  # known records from which on a pass that would delete more than half of them has to be confirmed
DOUBTED = "doubted"


@dataclass(slots=True)
class _Counts:
    created: int = 0
    updated: int = 0
    deleted: int = 0

    def add(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change.type:
                case "CREATED":
                    self.created += 1
                case "UPDATED":
                    self.updated += 1
                case "DELETED":
                    self.deleted += 1


class CatalogRecorder:
    """`Recorder` over the catalog's database, for one entity.

    `key` hashes records (`hashing_key`); `dead` keeps bad ones.
    """

    def __init__(
        self,
        pool: Pool,
        plan: Plan,
        entity: EntityPlan,
        ids: RecordIds,
        key: bytes,
        payload: PayloadMaker,
        *,
        dead: DeadLetters | None = None,
    ) -> None:
        self._pool = pool
        self._entity = entity
        self._hashes = Hashes(key, entity.fields)
        self._reader = RecordReader(entity, ids, self._hashes)
        self._maker = EventMaker(plan, entity, ids, payload)
        self._catalogued = False
        self._records = Records(plan.name, entity.address, entity.name, entity.topic.name)
        self._dead = dead or Told()
        self._encode: Encode | None = None
        self._epoch: int | None = None
        self._key_id = key_name(key)
        self._told: set[bytes] = set()

    def owned_by(self, epoch: int) -> "CatalogRecorder":
        """Refuse batches with `Ousted` once there is another owner than that of an epoch; returns itself."""
        self._epoch = epoch
        return self

    def encoding(self, encode: Encode | None) -> "CatalogRecorder":
        """Write each event encoded, too, for the relay; returns itself."""
        self._encode = encode
        return self

    async def record(self, batch: Batch) -> Recorded:
        """Write a batch; raises `CatalogUnavailable` or `Ousted`, and nothing of it is there then."""
        now = datetime.now(UTC)
        read = await self.read(batch, now)
        if batch.complete is None:
            return await self._written(batch, read, now)
        done = await self._written(replace(batch, position=None, complete=None, pass_id=batch.complete), read, now)
        return _sum(done, await self._completed(batch, batch.complete, now))

    async def position(self, state: StateId) -> Any:
        """Return where a source stood, None before the first batch; raises `CatalogUnavailable`."""
        return await states.position(self._pool, state)

    async def unseen(self, state: StateId, pass_id: str) -> int:
        """Return how many records a full pass did not see so far; raises `CatalogUnavailable`."""
        async with self._pool.transaction() as connection:
            began = await states.pass_of(connection, state, pass_id)
            return len(await self._records.unseen(connection, began[0])) if began is not None else 0

    async def read(self, batch: Batch, now: datetime) -> list[Read]:
        """Read what a batch tells, before a transaction; `now` is what expressions take for the time."""
        await self._look_up()
        read: list[Read] = [self._reader.given(bad) for bad in batch.bad]
        for place, seen in enumerate(batch.seen):
            if place % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            read.append(self._reader.read(seen, place, now))
        return read

    async def move(self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch, read: list[Read]) -> None:
        """Move the state of a batch on within the caller's transaction; raises what psycopg raises, and `Ousted`."""
        unsound = any(isinstance(each, Spoiled) and each.id is None for each in read)
        await states.move(connection, batch, self._epoch, self._key_id, unsound=unsound)

    async def take_turn(self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch) -> None:
        """Keep others from writing events of the entity until the caller's transaction ends, once its state moved."""
        await take_turn(connection, batch.state.mesh, self._entity.address)

    async def write(
        self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch, read: list[Read], now: datetime
    ) -> tuple[Recorded, set[bytes]]:
        """Write what was read within the caller's transaction, and return with the counts what `settle` takes after it.

        The state has moved, and it is the caller's turn. Raises what psycopg raises.
        """
        if not read:
            return Recorded(), self._told
        told = set(self._told) if len(self._told) < _TOLD_AT_MOST else set()
        folded = await self._folded(connection, batch, read, told)
        return await self._keep(connection, batch, folded, now), told

    def settle(self, told: set[bytes]) -> None:
        """Remember which bad records became dead letters, once their transaction is through."""
        self._told = told

    async def _look_up(self) -> None:
        if self._catalogued:
            return
        try:
            self._maker = replace(self._maker, catalogued=await get_entity(self._pool, self._entity.name))
        except EntityNotFound:
            return
        self._catalogued = True

    async def _written(self, batch: Batch, read: list[Read], now: datetime) -> Recorded:
        try:
            return await self._write(batch, read, now)
        except (CatalogUnavailable, TypeError, UnicodeError) as error:
            if isinstance(error, CatalogUnavailable) and (error.sqlstate or "")[:2] != "22":
                raise
            return await self._sifted(batch, read, now, error)

    async def _sifted(self, batch: Batch, read: list[Read], now: datetime, error: Exception) -> Recorded:
        """Find the record whose values the database cannot keep, and write the others; the batch is in pieces then.

        It is told of without them where that leaves what its contract requires. Only the last piece moves the
        position, so that a crash between them repeats what changes nothing.
        """
        if len(read) > 1:
            half = len(read) // 2
            first = await self._written(replace(batch, position=None), read[:half], now)
            return _sum(first, await self._written(batch, read[half:], now))
        if not read or isinstance(read[0], Spoiled):
            raise error
        kept = self._reader.kept(read[0])
        if kept is not None:
            return await self._written(batch, [kept], now)  # again here only for a value that is no text
        seen = read[0].seen if isinstance(read[0], Live | Gone) else batch.seen[read[0].place]
        return await self._write(batch, [self._reader.refused(read[0], seen)], now)

    async def _write(self, batch: Batch, read: list[Read], now: datetime) -> Recorded:
        async with self._pool.transaction() as connection:
            await self.move(connection, batch, read)
            if read:
                await self.take_turn(connection, batch)
            done, told = await self.write(connection, batch, read, now)
        self.settle(told)
        return done

    async def _folded(
        self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch, read: list[Read], told: set[bytes]
    ) -> Folded:
        ids = {each.id for each in read if each.id is not None}
        events = [delivery_id(batch.state, each) if isinstance(each, Live | Gone) else None for each in read]
        there = await delivered(connection, [each for each in events if each is not None])
        known = await self._records.known(connection, ids)
        folding = Folding(self._hashes, known, there, told)
        for each, event_id in zip(read, events, strict=True):
            folding.add(each, event_id)
        return folding.result

    async def _keep(
        self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch, folded: Folded, now: datetime
    ) -> Recorded:
        await self._records.write(connection, folded.known)
        seen = folded.touched - folded.known.keys() if batch.pass_id is not None else set()
        if seen:
            await self._records.touch(connection, seen)
        positions = await self._append(connection, batch, folded.changes, now)
        if folded.bad:  # after the events: what is newer than a letter is how it is known to be superseded
            await self._dead.put(connection, self._entity, batch.state, folded.bad)
        counts = _Counts()
        counts.add(folded.changes)
        return Recorded(
            created=counts.created,
            updated=counts.updated,
            deleted=counts.deleted,
            unchanged=folded.unchanged,
            bad=len(folded.bad),
            positions=positions,
            newest=max((at for each in folded.changes if (at := changed_at(each)) is not None), default=None),
            unknown=tuple(folded.unknown),
        )

    async def _append(
        self, connection: psycopg.AsyncConnection[TupleRow], batch: Batch, changes: list[Change], now: datetime
    ) -> dict[str, int]:
        """The log comes last: its partitions are locked for others until the commit."""
        topic = self._entity.topic
        rows = [change.live.row for change in changes if change.live is not None]
        await self._maker.payload.ready(connection, self._entity, rows)
        events = self._maker.events(batch, self._epoch, changes, now)
        placed = await append_events(connection, events, {topic.name: topic.partitions}, self._encode)
        positions: dict[str, int] = {}
        for at in placed:
            if at is not None:
                name = f"{at.topic}/{at.partition}"
                positions[name] = max(positions.get(name, 0), at.offset + 1)
        return positions

    async def _completed(self, batch: Batch, pass_id: str, now: datetime) -> Recorded:
        """End a full pass: what it did not see is deleted, 500 records at a time, then the position moves.

        A source that answers without most of its records may be one that fails politely: where a position says that
        another pass will come, only a second one in a row is believed.
        """
        done = Recorded()
        async with self._pool.transaction() as connection:
            began = await states.pass_of(connection, batch.state, pass_id)
            if began is not None and await states.is_first_pass(connection, batch.state):
                await self._records.recall(connection)  # what the log told of before a loss of the state may be gone
            missing = await self._records.unseen(connection, began[0]) if began is not None and not began[1] else []
            known = await self._records.live(connection) if missing else 0
        if batch.position is not None and known > _MANY and 2 * len(missing) > known:
            before = await self.position(batch.state) or {}
            if DOUBTED not in before:
                return await self._doubted(batch, len(missing), known)
        if began is not None and began[1]:
            _LOG.warning(
                "a full pass met records without a key; nothing is deleted for not being seen",
                extra={"entity": self._entity.address},
            )
        for at in range(0, len(missing), _AT_ONCE):
            done = _sum(done, await self._delete(batch, missing[at : at + _AT_ONCE], began, now))
        async with self._pool.transaction() as connection:
            await states.move(connection, batch, self._epoch, self._key_id, complete=True)
            if began is not None and not began[1]:
                await self._records.release(connection, began[0])
        return done

    async def _doubted(self, batch: Batch, missing: int, known: int) -> Recorded:
        """End a full pass that is not believed: nothing is deleted, and the position says that it was doubted."""
        _LOG.warning(
            "a full pass did not find %d of %d records; they are deleted only if the next one does not either",
            missing,
            known,
            extra={"entity": self._entity.address},
        )
        marked = replace(batch, position={**(batch.position or {}), DOUBTED: True})
        async with self._pool.transaction() as connection:
            await states.move(connection, marked, self._epoch, self._key_id, complete=True)
        return Recorded(doubted=missing)

    async def _delete(
        self, batch: Batch, ids: Sequence[str], began: tuple[datetime, bool] | None, now: datetime
    ) -> Recorded:
        if began is None:
            return Recorded()
        alone = Batch(batch.state)
        async with self._pool.transaction() as connection:
            await states.move(connection, alone, self._epoch, self._key_id)
            await take_turn(connection, batch.state.mesh, self._entity.address)
            left = await self._records.still_unseen(connection, ids, began[0])
            gone = [Gone(each, _UNSEEN) for each in left]
            return await self._keep(connection, alone, await self._folded(connection, alone, list(gone), set()), now)


def _sum(one: Recorded, other: Recorded) -> Recorded:
    positions = dict(one.positions)
    for name, at in other.positions.items():
        positions[name] = max(positions.get(name, 0), at)
    return Recorded(
        created=one.created + other.created,
        updated=one.updated + other.updated,
        deleted=one.deleted + other.deleted,
        unchanged=one.unchanged + other.unchanged,
        bad=one.bad + other.bad,
        positions=positions,
        newest=max((each.newest for each in (one, other) if each.newest is not None), default=None),
        unknown=(*one.unknown, *other.unknown),
        doubted=one.doubted + other.doubted,
    )
