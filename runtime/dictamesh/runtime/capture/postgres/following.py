# SPDX-License-Identifier: Apache-2.0
"""A stream that runs: received, recorded, acknowledged; kept alive and moved on while nothing happens."""

import asyncio
import contextlib
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dictamesh.runtime.capture.contract import Batch, CaptureFailed, Seen, StreamRecorder
from dictamesh.runtime.capture.postgres.assembly import Assembly, Step, Wanted
from dictamesh.runtime.capture.postgres.client import Line
from dictamesh.runtime.capture.postgres.faults import CaptureStopped, Reason
from dictamesh.runtime.capture.postgres.lacking import filled
from dictamesh.runtime.capture.postgres.lag import Lag, Observe
from dictamesh.runtime.capture.postgres.messages import Alive, Change, end_of, read
from dictamesh.runtime.capture.postgres.position import Position
from dictamesh.runtime.capture.postgres.publication import published
from dictamesh.runtime.capture.postgres.session import Connection, rows
from dictamesh.runtime.capture.postgres.slot import slot_of
from dictamesh.runtime.capture.postgres.streams import Stream
from dictamesh.runtime.capture.postgres.tables import Table
from dictamesh.runtime.capture.postgres.values import Values

_TICK = 10.0  # seconds between signs of life; a source gives up after 60 by default
_BREATH = 200  # messages taken in one go: others are served meanwhile
# Moves the log on, so that a slot whose tables lie idle does not keep it; every role may do it.
_BEAT = b"SELECT pg_logical_emit_message(false, 'dictamesh', 'heartbeat') WHERE NOT pg_is_in_recovery()"


@dataclass(slots=True)
class Following:
    """One run of a stream from `position` on; see `PostgresWay`.

    The source is never told of more than is stored with what was recorded, the end of an idle log included: so a
    slot that is ahead of what is stored always means that something is missing here.
    """

    stream: Stream
    line: Line
    side: Connection
    recorder: StreamRecorder
    tables: Mapping[str, Table]
    wanted: Mapping[str, Wanted]
    position: Position
    observe: Observe
    _values: Values = field(init=False)
    _assembly: Assembly = field(init=False)
    _end: int = field(default=0, init=False)  # of the source's log, as far as it told
    _held: int = field(default=0, init=False)
    _status: str = field(default="reserved", init=False)
    _beat_due: float = field(default=0.0, init=False)
    _using_side: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._values = Values(self.side)
        by_oid: dict[int, list[Wanted]] = defaultdict(list)
        by_name: dict[tuple[str, str], list[Wanted]] = defaultdict(list)
        for address, table in self.tables.items():
            by_oid[table.oid].append(self.wanted[address])
            by_name[table.schema, table.name].append(self.wanted[address])
        self._assembly = Assembly(self._values, self.position, by_oid, by_name)

    async def run(self) -> None:
        """Follow until the line breaks or the task is cancelled; raises `CaptureFailed`, `CatalogUnavailable`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._signs())
                tasks.create_task(self._beats())
        except BaseExceptionGroup as several:
            raise _first(several) from None

    async def _follow(self) -> None:
        await self.line.tell(self.position.lsn, self.position.lsn, asks=True)
        while True:
            asked = False
            for number, raw in enumerate(await self.line.received()):
                message = read(raw)
                if isinstance(message, Change):
                    self._assembly.change(message)
                elif isinstance(message, Alive):
                    self._end = max(self._end, message.end)
                    asked = asked or message.asks
                else:
                    self._end = max(self._end, end_of(raw))  # what changes say of it their transaction's end says, too
                    if message is not None:
                        await self._assembly.take(message)
                if self._assembly.full:
                    await self._record()
                elif number % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
            await self._record()
            await self._idle(now=asked)
            if asked:
                await self._acknowledge()
            self._tell_lag()

    async def _record(self) -> None:
        """Record what is ready, then acknowledge it."""
        steps, position = self._assembly.drain()
        if not steps and position == self.position:
            return
        if steps:
            async with self._using_side:
                keys = {address: wanted.key for address, wanted in self.wanted.items()}
                steps = await filled(self.side, self._values, steps, self.tables, keys)
            await self._write(steps, position)
            self.position = position
            await self._acknowledge()
        # A transaction without a row for anybody is stored with the next heartbeat, or with the next one that has.

    async def _write(self, steps: list[Step], position: Position) -> None:
        run: list[Step] = []
        for step in steps:
            if step.around is None:
                run.append(step)
                continue
            await self._write_rows(run, step.around[0])
            run = []
            await self._empty(step.address)
            await self._write_rows([], step.around[1])
        await self._write_rows(run, position)

    async def _write_rows(self, steps: list[Step], position: Position) -> None:
        seen: dict[str, list[Seen]] = defaultdict(list)
        for step in steps:
            if step.seen is not None:
                seen[step.address].append(step.seen)
        batches = []
        for address, state in self.stream.states.items():
            plain = {**self._of(address, position).plain(), **self.stream.names}
            batches.append(Batch(state, seen.get(address, ()), position=plain))
        await self.recorder.record_all(batches)

    def _of(self, address: str, position: Position) -> Position:
        """An entity that joined is further than the others until they come to the point of its first pass."""
        start = self.wanted[address].start
        return position if position.lsn >= start else Position(start, position.system)

    async def _empty(self, address: str) -> None:
        """Delete every record that is known: a full pass that sees none."""
        state, pass_id = self.stream.states[address], uuid.uuid4().hex
        await self.recorder.record(Batch(state, pass_id=pass_id))
        await self.recorder.record(Batch(state, complete=pass_id))

    async def _idle(self, *, now: bool) -> None:
        """Move on where nothing waits: at the heartbeat, or at once where the source asks, as one that stops does."""
        loop = asyncio.get_running_loop()
        if not self._assembly.idle or (not now and loop.time() < self._beat_due):
            return
        end = max(self._end, self._assembly.position.lsn)
        if end > self.position.lsn:
            moved = self._assembly.position.moved(end)
            await self._write_rows([], moved)  # before anything here stands there: signs of life tell where it stands
            self.position = self._assembly.position = moved
            await self._acknowledge()
        self._beat_due = loop.time() + self.stream.heartbeat

    async def _acknowledge(self) -> None:
        await self.line.tell(max(self._end, self.position.lsn), self.position.lsn)

    async def _signs(self) -> None:
        """Give signs of life however long the recorder takes, and ask for one."""
        while True:
            await asyncio.sleep(min(_TICK, self.stream.heartbeat))
            await self.line.tell(max(self._end, self.position.lsn), self.position.lsn, asks=True)

    async def _beats(self) -> None:
        """Move an idle log on, and see that slot and publication are still as they should be."""
        while True:
            async with self._using_side:
                await self._look()
                with contextlib.suppress(CaptureFailed):  # where it is not allowed the source's own traffic must do
                    await rows(self.side, _BEAT, doing="moving the log on")
            await asyncio.sleep(self.stream.heartbeat)

    async def _look(self) -> None:
        slot = await slot_of(self.side, self.stream.slot)
        if slot is None or slot.lost:
            reason: Reason = "slot_missing" if slot is None else "slot_lost"
            raise CaptureStopped(reason, f"the slot {self.stream.slot} is lost", "reset the state of the entities")
        self._held, self._status = slot.held, slot.status
        there = await published(self.side, self.stream.publication)
        for table in self.tables.values():
            if table.oid not in there:
                raise CaptureFailed(
                    f"publication {self.stream.publication} does not tell of {table.shown} any more",
                    "put the table back, or reset the state of its entity",
                )

    def _tell_lag(self) -> None:
        at = self._assembly.last_commit_at
        waits = not self._assembly.idle and at is not None
        seconds = max(0.0, (datetime.now(UTC) - at).total_seconds()) if waits and at is not None else 0.0
        behind = max(0, self._end - self.position.lsn)
        self.observe(self.stream.product, self.stream.server, Lag(behind, seconds, self._held, self._status))


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that tells most: a stop before a failure, any of ours before the rest."""
    found = list(_leaves(several))
    for kind in (CaptureStopped, CaptureFailed, Exception):
        for each in found:
            if isinstance(each, kind):
                return each
    return found[0]


def _leaves(several: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in several.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each
