# SPDX-License-Identifier: Apache-2.0
"""Ways of noticing changes, each run by one replica: under leases, with patience for sources that fail."""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.capture import state as states
from dictamesh.runtime.capture.contract import (
    Batch,
    CaptureFailed,
    CaptureLost,
    Kind,
    Ousted,
    Recorded,
    StateId,
    StreamRecorder,
    Way,
)
from dictamesh.runtime.capture.recorder import CatalogRecorder
from dictamesh.runtime.capture.states_of import captured, together
from dictamesh.runtime.capture.sync import lease_of
from dictamesh.runtime.capture.together import Together
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.lease import Leases, leases
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan

_LOG = logging.getLogger("dictamesh.capture")
_LONGEST_PAUSE = 60.0  # seconds between tries of a source that fails
_FIRST_PAUSE = 1.0
_SOUND = 60.0  # a way that ran for so long begins anew with short pauses
_READS = 2  # reads of one server at a time, for all its entities together
_WAITING = 1000  # reads that wait for one of these, so long
_TURN = 60.0  # seconds


class Telemetry(Protocol):
    """Hears of what capture does."""

    def captured(self, state: StateId, recorded: Recorded) -> None:
        """A batch was written."""

    def capture_failed(self, state: StateId, reason: str) -> None:
        """A way of noticing changes broke off; `reason` is a word for metrics."""

    def owning(self, state: StateId, *, owned: bool) -> None:
        """This process took over a state, or left it."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a way of noticing changes is made of."""

    plan: Plan
    entity: EntityPlan
    state: StateId
    line: Line | None
    recorder: StreamRecorder
    pool: Pool


WayMaker = Callable[[Making], Way]
RecorderMaker = Callable[[Plan, EntityPlan, int], CatalogRecorder]
"""Makes the recorder of an entity for an owner's epoch."""


@dataclass(frozen=True, slots=True)
class Task:
    """One state to be captured, and what its way is made of; equal ones run on over a reload.

    `others` are states whose changes come with it, and their entities: one way notices them all.
    """

    state: StateId
    entity: EntityPlan
    line: Line | None
    others: tuple[tuple[StateId, EntityPlan], ...] = ()

    @property
    def lease(self) -> str:
        """The name of its lease."""
        return lease_of(self.state)

    @property
    def all(self) -> tuple[tuple[StateId, EntityPlan], ...]:
        """Every state with its entity."""
        return ((self.state, self.entity), *self.others)


@dataclass(slots=True)
class _Run:
    task: Task
    work: asyncio.Task[None]
    owned: list[states.Owned] = field(default_factory=list)


@dataclass(slots=True)
class Captures:
    """Captures what a plan says, as far as no other replica does.

    `makers` make ways by kind; kinds that are not there are noticed otherwise. `key_id` names the key of the hashes.
    """

    pool: Pool
    makers: Mapping[Kind, WayMaker]
    recorder: RecorderMaker
    key_id: str
    telemetry: Telemetry
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    _plan: Plan | None = field(default=None, init=False)
    _tasks: dict[str, Task] = field(default_factory=dict, init=False)
    _runs: dict[str, _Run] = field(default_factory=dict, init=False)
    _lines: dict[str, tuple[Line, Line]] = field(default_factory=dict, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def use(self, plan: Plan, lines: Mapping[str, Line]) -> None:
        """Capture what a plan says from now on; what it does not say any more is paused. Raises `CatalogUnavailable`.

        States survive a change of the mapping; another table, cursor or server is another state and begins anew.
        """
        wanted = list(captured(plan)) if plan.mesh.events.capture else []
        self._lines = {name: self._beside(name, line) for name, line in lines.items()}
        beside = {name: own for name, (_, own) in self._lines.items()}
        tasks = [
            Task(first, plan.entities[first.entity], beside.get(first.server), _with_entities(plan, others))
            for first, *others in together(plan)
            if plan.mesh.events.capture and first.kind in self.makers
        ]
        self._plan = plan
        self._tasks = {task.lease: task for task in tasks}
        stale = [name for name, run in self._runs.items() if self._tasks.get(name) != run.task]
        await self._end(stale)
        await states.pause_others(self.pool, plan.name, wanted)
        self._changed.set()

    def _beside(self, name: str, line: Line) -> tuple[Line, Line]:
        """Return a line with one behind a guard of its own, so that no reading of capture costs a caller an answer.

        A line that a reload leaves alone keeps it.
        """
        known = self._lines.get(name)
        if known is not None and known[0] is line:
            return known
        return line, replace(line, guard=line.guard.beside(_READS, queue=_WAITING, patience=_TURN))

    async def run(self) -> None:
        """Take leases and run ways until cancelled; nothing that fails ends it."""
        while True:
            try:
                async with leases(self.pool) as held:
                    await self._hold(held)
            except CatalogUnavailable as error:
                _LOG.warning("capture rests: its leases are lost", extra={"reason": str(error)})
            finally:
                await self._end(list(self._runs))
            await asyncio.sleep(self._patience())

    async def _hold(self, held: Leases) -> None:
        mine: set[str] = set()
        while True:
            self._changed.clear()
            mine |= set(await held.take([name for name in self._tasks if name not in mine]))
            await self._end(await self._overtaken())
            for name in mine & self._tasks.keys():
                self._start(self._tasks[name])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._changed.wait()

    async def _overtaken(self) -> list[str]:
        """Runs whose state was moved on by somebody else, as `sync` and `state reset` do: they begin anew at once.

        A way that waits for its time would notice it then.
        """
        mine = {owned.state: owned.epoch for each in self._runs.values() for owned in each.owned}
        if not mine:
            return []
        with contextlib.suppress(CatalogUnavailable):  # leases tell
            moved = await states.moved_on(self.pool, mine)
            return [name for name, run in self._runs.items() if any(each.state in moved for each in run.owned)]
        return []

    def _patience(self) -> float:
        return self._plan.mesh.events.lease if self._plan is not None else 1.0

    def _start(self, task: Task) -> None:
        running = self._runs.get(task.lease)
        if running is not None and not running.work.done():
            return
        work = asyncio.get_running_loop().create_task(self._follow(task))
        self._runs[task.lease] = _Run(task, work)

    async def _end(self, names: Iterable[str]) -> None:
        ending = [self._runs.pop(name).work for name in names if name in self._runs]
        for work in ending:
            work.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _follow(self, task: Task) -> None:
        """Run one way over and over; a source that fails is asked less and less often."""
        pause = _FIRST_PAUSE
        self.telemetry.owning(task.state, owned=True)
        _LOG.info("capture begins", extra={"entity": task.state.entity, "kind": task.state.kind})
        try:
            while True:
                began = monotonic()
                reason = await self._once(task)
                self.telemetry.capture_failed(task.state, reason)
                if reason == "ousted":
                    return  # to begin again it takes a lease that is still held
                pause = _FIRST_PAUSE if monotonic() - began > _SOUND else min(2 * pause, _LONGEST_PAUSE)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing
        finally:
            self.telemetry.owning(task.state, owned=False)
            _LOG.info("capture ends", extra={"entity": task.state.entity, "kind": task.state.kind})

    async def _once(self, task: Task) -> str:
        """Run a way until it breaks off; returns a word for why."""
        owned = self._owned_by(task)
        reason, text, status = "error", "it broke off; see the log", "failed"
        try:
            for state, _ in task.all:
                owned.append(await states.take(self.pool, state, self.owner, self.key_id))
            if any(each.lost for each in owned):
                return "lost"
            await self._way(task, owned).run()
            reason, text = "ended", "the source ended the stream"
        except Ousted:
            return "ousted"
        except CatalogUnavailable as error:
            _LOG.warning("a change cannot be recorded", extra={"reason": str(error), "entity": task.state.entity})
            return "catalog"
        except states.OtherKey:
            text = "records were hashed with another audit key: share 'audit.key' among replicas, or 'state reset'"
            reason = "key"
        except CaptureLost as lost:
            reason, text, status = "lost", str(lost), "lost"
        except CaptureFailed as failed:
            reason, text = "source", str(failed)
        except ReadFailed as failed:
            reason, text = "source", failed.code
        except Exception as error:  # noqa: BLE001 - whatever a source brings, the others go on
            _LOG.error("a way of noticing changes broke off", exc_info=error, extra={"entity": task.state.entity})
        await self._tell(task, owned, status, text)
        return reason

    def _owned_by(self, task: Task) -> list[states.Owned]:
        """An empty list for the rights that a run takes, which `_overtaken` holds against the catalog."""
        found: list[states.Owned] = []
        if (run := self._runs.get(task.lease)) is not None:
            run.owned = found
        return found

    def _way(self, task: Task, owned: Sequence[states.Owned]) -> Way:
        plan = self._plan
        if plan is None:
            raise RuntimeError("a way is run before there is a plan")
        recorders = {
            entity.address: self.recorder(plan, entity, each.epoch)
            for (_, entity), each in zip(task.all, owned, strict=True)
        }
        recorder = Counting(Together(self.pool, recorders), self.telemetry)
        making = Making(plan, task.entity, task.state, task.line, recorder, self.pool)
        return self.makers[task.state.kind](making)

    async def _tell(self, task: Task, owned: Sequence[states.Owned], status: str, text: str) -> None:
        level = logging.ERROR if status == "lost" else logging.WARNING
        _LOG.log(level, "capture broke off", extra={"entity": task.state.entity, "reason": text})
        for each in owned:
            with contextlib.suppress(CatalogUnavailable):
                await states.tell(self.pool, each, status, text)


@dataclass(frozen=True, slots=True)
class Counting:
    """A recorder that tells what it wrote."""

    recorder: StreamRecorder
    telemetry: Telemetry

    async def record(self, batch: Batch) -> Recorded:
        done = await self.recorder.record(batch)
        self.telemetry.captured(batch.state, done)
        return done

    async def record_all(self, batches: Sequence[Batch]) -> Sequence[Recorded]:
        done = await self.recorder.record_all(batches)
        for batch, recorded in zip(batches, done, strict=True):
            self.telemetry.captured(batch.state, recorded)
        return done

    async def position(self, state: StateId) -> Mapping[str, object] | None:
        return await self.recorder.position(state)

    async def unseen(self, state: StateId, pass_id: str) -> int:
        return await self.recorder.unseen(state, pass_id)


def _with_entities(plan: Plan, found: Sequence[StateId]) -> tuple[tuple[StateId, EntityPlan], ...]:
    return tuple((state, plan.entities[state.entity]) for state in found)
