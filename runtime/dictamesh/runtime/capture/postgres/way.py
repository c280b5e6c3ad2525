# SPDX-License-Identifier: Apache-2.0
"""The way `postgres`: a slot's stream recorded transaction by transaction, and acknowledged only then."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

from dictamesh.runtime.capture.contract import Batch, CaptureFailed, StateId, StreamRecorder
from dictamesh.runtime.capture.postgres.assembly import Wanted
from dictamesh.runtime.capture.postgres.client import Identity, Line, Point
from dictamesh.runtime.capture.postgres.faults import SourceGone
from dictamesh.runtime.capture.postgres.following import Following
from dictamesh.runtime.capture.postgres.lag import Observe, unobserved
from dictamesh.runtime.capture.postgres.passes import first_pass
from dictamesh.runtime.capture.postgres.position import MAKING, Position, is_making, position_of
from dictamesh.runtime.capture.postgres.publication import publish
from dictamesh.runtime.capture.postgres.session import Connection, may_replicate, session
from dictamesh.runtime.capture.postgres.slot import agree, drop_slot, droppable, slot_of
from dictamesh.runtime.capture.postgres.streams import Stream
from dictamesh.runtime.capture.postgres.tables import Table, live, table_of
from dictamesh.runtime.compile.plan import EntityPlan

_LOG = logging.getLogger("dictamesh.capture")
_NAME = "dictamesh"
_FIRST_PAUSE = 0.2  # seconds before a new line is tried; doubled each time
_LAST_PAUSE = 10.0
_PATIENCE = 60.0  # seconds that a source may be away until the caller is told
_LASTING = 30.0  # seconds that a line has to hold for the next pause to be the first one again


@dataclass(slots=True)
class PostgresWay:
    """Follows the changes of all entities of a product on one server; `dsn` gives the source with its secrets.

    `recorder` takes batches of every state of `stream`. `state` is that of the first entity: whoever leases by it
    leases the stream.
    """

    stream: Stream
    dsn: str = field(repr=False)
    recorder: StreamRecorder
    observe: Observe = unobserved
    state: StateId = field(init=False)
    _sound: float = field(default=0.0, init=False)  # when a line last held

    def __post_init__(self) -> None:
        self.state = self.stream.states[self.stream.entities[0].address]

    async def run(self) -> None:
        """Follow until cancelled; a line that breaks is made again.

        Raises `CaptureStopped` where changes are or may be lost, `CaptureFailed` where the source has to be set up
        otherwise or stays away for a minute, `CatalogUnavailable`.
        """
        pause, self._sound = _FIRST_PAUSE, monotonic()
        while True:
            began = monotonic()
            try:
                await self.follow()
            except SourceGone as gone:
                if began - self._sound > _PATIENCE:
                    raise
                pause = _FIRST_PAUSE if monotonic() - began > _LASTING else pause
                told = {"product": self.stream.product, "server": self.stream.server, "seconds": pause}
                _LOG.warning("the stream of changes broke: %s", gone, extra=told)
            await asyncio.sleep(pause)
            pause = min(_LAST_PAUSE, 2 * pause)

    async def follow(self) -> None:
        """Follow on one line, until it breaks; see `run`."""
        async with session(self.dsn, _NAME) as side, allowed_line(self.dsn, side) as stream:
            identity = await stream.identify()
            positions = await self._agreed(side, identity)
            tables = {each.address: await table_of(side, each) for each in self.stream.entities}
            await publish(side, self.stream.publication, await self._published(side, tables))
            passed = await self._passes(stream, identity, tables, positions)
            # Where a table joins, the others go on from where they were; for it that is skipped.
            latest = min((positions or passed).values(), key=lambda each: each.lsn)
            positions |= passed
            await stream.start(self.stream.slot, self.stream.publication, latest.lsn)
            self._sound = monotonic()
            entities = {each.address: wanted_of(each, positions[each.address].lsn) for each in self.stream.entities}
            try:
                await Following(self.stream, stream, side, self.recorder, tables, entities, latest, self.observe).run()
            finally:
                self._sound = monotonic()

    async def _agreed(self, side: Connection, identity: Identity) -> dict[str, Position]:
        """Return what is recorded by entity; the slot goes on right there, or is made anew where nothing is."""
        stored = {address: await self.recorder.position(state) for address, state in self.stream.states.items()}
        known = {address: found for address, each in stored.items() if (found := position_of(each)) is not None}
        slot = await slot_of(side, self.stream.slot)
        if known:
            agree(self.stream.slot, slot, list(known.values()), identity)
        elif slot is not None:
            made_here = any(is_making(each, self.stream.slot) for each in stored.values())
            droppable(slot, ours=made_here or not self.stream.named)
            _LOG.warning("a first pass did not come to its end; it begins anew", extra={"product": self.stream.product})
            await drop_slot(side, self.stream.slot)
        return known

    async def _published(self, side: Connection, tables: Mapping[str, Table]) -> list[Table]:
        """All tables that share the publication, those of other streams as far as they are there."""
        found = {table.oid: table for table in tables.values()}
        own = {entity.source.physical_name for entity in self.stream.entities}
        for name in self.stream.published:
            if name not in own:
                with contextlib.suppress(CaptureFailed):
                    table = await live(side, name)
                    found[table.oid] = table
        return list(found.values())

    async def _passes(
        self, stream: Line, identity: Identity, tables: Mapping[str, Table], known: Mapping[str, Position]
    ) -> dict[str, Position]:
        """Read the tables of entities that nothing is recorded of, at the point that their stream begins from."""
        new = [entity for entity in self.stream.entities if entity.address not in known]
        if not new:
            return {}
        if known:
            async with line(self.dsn) as passing:
                point = await passing.create(f"{self.stream.slot[:50]}_pass", temporary=True)
                await self._pass(new, tables, point, identity)
        else:
            begun = {**MAKING, **self.stream.names}
            await self.recorder.record_all([Batch(each, position=begun) for each in self.stream.states.values()])
            point = await stream.create(self.stream.slot)
            await self._pass(new, tables, point, identity)
        return {entity.address: Position(point.position, identity.system) for entity in new}

    async def _pass(
        self, entities: list[EntityPlan], tables: Mapping[str, Table], point: Point, identity: Identity
    ) -> None:
        states = self.stream.states
        reads = [(states[each.address], tables[each.address], wanted_of(each, point.position)) for each in entities]
        _LOG.info("a first pass begins", extra={"product": self.stream.product, "count": len(reads)})
        async with session(self.dsn, _NAME) as reading:
            await first_pass(reading, self.recorder, reads, point, identity.system, self.stream)


def wanted_of(entity: EntityPlan, start: int) -> Wanted:
    """Return what an entity reads of its table."""
    columns = tuple(dict.fromkeys((*entity.source.key, *(column.name for column in entity.source.columns))))
    return Wanted(entity.address, columns, entity.source.key, start)


@contextlib.asynccontextmanager
async def allowed_line(dsn: str, side: Connection) -> AsyncIterator[Line]:
    """A line for the block; a refusal does not say why, so the ordinary connection asks."""
    try:
        found = await Line.connect(dsn, _NAME)
    except SourceGone:
        await may_replicate(side)
        raise
    try:
        yield found
    finally:
        await found.close()


@contextlib.asynccontextmanager
async def line(dsn: str) -> AsyncIterator[Line]:
    """A line for the block."""
    found = await Line.connect(dsn, _NAME)
    try:
        yield found
    finally:
        await found.close()
