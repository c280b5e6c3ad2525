# SPDX-License-Identifier: Apache-2.0
"""A bounded queue in front of each sink: what cannot be sent in time is dropped and counted, never waited for."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dictamesh.runtime.lineage.openlineage.events import Event

_LOG = logging.getLogger("dictamesh.lineage")

WAITING = 2000  # events in front of one sink
BATCH = 100
ATTEMPTS = 5
FIRST_WAIT = 0.5  # seconds before the second attempt; doubled each time
LONGEST_WAIT = 30.0

Outcome = Literal["sent", "dropped", "refused"]
Counted = Callable[[str, Outcome, int], None]
"""Is told the sink, what became of events, and of how many."""


class SinkFailed(Exception):  # noqa: N818 - the name says what is the case
    """Events from number `sent` on were not taken; `passing`: it may work later. The text is ours."""

    def __init__(self, reason: str, *, passing: bool, sent: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.sent = sent


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """What metrics call it."""

    async def send(self, events: Sequence[Event]) -> None:
        """Take events in their order; raises SinkFailed."""

    async def close(self) -> None:
        """Release everything; safe to call twice."""


@dataclass(slots=True)
class Emitter:
    """Hands events to sinks in the background. Make it with `start_emitter`, `close` it before what the sinks use."""

    sinks: tuple[Sink, ...]
    counted: Counted
    first_wait: float = FIRST_WAIT
    _queues: tuple[asyncio.Queue[Event], ...] = field(default=(), init=False)
    _tasks: tuple[asyncio.Task[None], ...] = field(default=(), init=False)

    def begin(self) -> None:
        """Start a worker for each sink; once only."""
        loop = asyncio.get_running_loop()
        self._queues = tuple(asyncio.Queue(WAITING) for _ in self.sinks)
        self._tasks = tuple(
            loop.create_task(self._work(sink, queue), name=f"dictamesh-lineage-{sink.name}")
            for sink, queue in zip(self.sinks, self._queues, strict=True)
        )

    def emit(self, events: Iterable[Event]) -> None:
        """Queue events for every sink; returns at once."""
        for event in events:
            for sink, queue in zip(self.sinks, self._queues, strict=True):
                try:
                    queue.put_nowait(event)
                except asyncio.QueueFull:
                    self.counted(sink.name, "dropped", 1)

    async def close(self, patience: float = 2.0) -> None:
        """Give what waits `patience` seconds, drop the rest, close the sinks."""
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(queue.join() for queue in self._queues))
        except TimeoutError:
            _LOG.warning("lineage events were dropped at the end")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sink, queue in zip(self.sinks, self._queues, strict=True):
            if left := queue.qsize():
                self.counted(sink.name, "dropped", left)
            await sink.close()

    async def _work(self, sink: Sink, queue: asyncio.Queue[Event]) -> None:
        while True:
            batch = [await queue.get()]
            while len(batch) < BATCH and not queue.empty():
                batch.append(queue.get_nowait())
            taken = len(batch)
            try:
                await self._deliver(sink, batch)
            finally:
                for _ in range(taken):
                    queue.task_done()

    async def _deliver(self, sink: Sink, batch: list[Event]) -> None:
        wait, attempts = self.first_wait, 0
        while batch:
            try:
                await sink.send(batch)
                self._told(sink, "sent", len(batch))
                return
            except SinkFailed as failed:
                self._told(sink, "sent", failed.sent)
                batch = batch[failed.sent :]
                if not failed.passing:
                    _LOG.warning("a lineage event was refused", extra={"reason": failed.reason, "sink": sink.name})
                    self._told(sink, "refused", 1)
                    batch = batch[1:]
                    continue
                attempts = 1 if failed.sent else attempts + 1
                if attempts >= ATTEMPTS:
                    _LOG.warning("lineage events were dropped", extra={"reason": failed.reason, "sink": sink.name})
                    break
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            except Exception as error:  # noqa: BLE001 - whatever a sink raises, the worker must live on
                _LOG.error("a sink of lineage events failed", exc_info=error, extra={"sink": sink.name})
                break
        self._told(sink, "dropped", len(batch))

    def _told(self, sink: Sink, outcome: Outcome, count: int) -> None:
        if count:
            self.counted(sink.name, outcome, count)


def start_emitter(sinks: Iterable[Sink], counted: Counted, first_wait: float = FIRST_WAIT) -> Emitter:
    """Return an emitter whose workers run on the current event loop."""
    emitter = Emitter(tuple(sinks), counted, first_wait)
    emitter.begin()
    return emitter
