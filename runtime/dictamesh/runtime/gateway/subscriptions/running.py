# SPDX-License-Identifier: Apache-2.0
"""A subscription under way: changes in, messages out, as whoever subscribed may hear them at that moment."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from graphql import OperationType

from dictamesh.runtime.gateway.contract import Change, NotNow, Outcome, PreparedOperation, RequestInfo, Watch
from dictamesh.runtime.gateway.engines.core import CoreEngine
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.requests import GraphqlRequest
from dictamesh.runtime.gateway.serving import Gateway, Serving
from dictamesh.runtime.gateway.subscriptions.contract import BadCursor, ChangeLog, Observer, Transport
from dictamesh.runtime.gateway.writing import write
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import IssuerUnavailable, PurposeRefused, Unauthenticated
from dictamesh.runtime.observe import trace

_LOG = logging.getLogger(__name__)

READERS = 8
"""Subscribers that read one entity at the same time; the others then find its rows in the cache."""
AT_ONCE = 100
"""Changes that are read, masked and held for one subscriber at a time."""
TRUSTED = 600.0
"""Seconds that credentials hold which nobody can check, because their issuer does not answer."""
_PATIENCE = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between questions to a source that does not answer
_CHANGED = "The mesh has changed so that this subscription cannot go on; subscribe anew."


class Expired(Exception):  # noqa: N818 - says what happened
    """The credentials of a subscriber are no longer accepted; the text is one of ours."""


@dataclass(slots=True)
class Caller:
    """Who subscribed; the credentials are checked again and again."""

    headers: Mapping[str, str]
    principal: Principal
    serving: Serving
    checked: float = field(default_factory=time.monotonic)
    proved: float = field(default_factory=time.monotonic)

    async def now(self, current: Serving) -> Principal:
        """Return who calls by what is served now; raises Expired."""
        if current is self.serving and time.monotonic() - self.checked < current.settings.subscriptions.recheck:
            return self.principal
        try:
            self.principal = await current.authenticate(self.headers)
            self.proved = time.monotonic()
        except IssuerUnavailable as error:
            if time.monotonic() - self.proved > TRUSTED:  # or a token that has expired would hold as long as this does
                raise Expired(error.reason) from None
        except Unauthenticated as error:
            raise Expired(error.reason) from None
        except PurposeRefused as error:
            raise Expired(error.reason) from None
        self.serving, self.checked = current, time.monotonic()
        return self.principal


Who = tuple[bool, str]
"""A caller as far as bounds go; strangers are one."""


def who_of(caller: Principal) -> Who:
    """Return who a principal is."""
    return caller.authenticated, caller.name


def _less(counts: Counter[Who], who: Who) -> None:
    counts[who] -= 1
    if not counts[who]:
        del counts[who]


@dataclass(frozen=True, slots=True)
class Message:
    """An answer to one change: JSON in UTF-8, and the cursor behind it."""

    body: bytes
    cursor: str
    at: datetime


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions of a process."""

    gateway: Gateway
    log: ChangeLog
    observer: Observer = field(default_factory=Observer)
    draining: bool = False
    _active: dict[Transport, int] = field(default_factory=dict)
    _of_callers: Counter[Who] = field(default_factory=Counter)
    _connected: Counter[Who] = field(default_factory=Counter)
    _readers: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @contextlib.contextmanager
    def admitted(self, transport: Transport, caller: Principal) -> Iterator[None]:
        """Count a subscription for the block; raises GatewayError where there are too many, or none may begin."""
        settings, who = self.gateway.current.settings.subscriptions, who_of(caller)
        if self.draining:
            raise GatewayError("SOURCE_UNAVAILABLE", "The process is shutting down; subscribe elsewhere.", None, 503)
        if sum(self._active.values()) >= settings.max:
            text = f"There are {settings.max} subscriptions already; try again later."
            raise GatewayError("RATE_LIMIT_EXCEEDED", text)
        if self._of_callers[who] >= settings.per_caller:
            raise GatewayError("RATE_LIMIT_EXCEEDED", f"A caller holds at most {settings.per_caller} subscriptions.")
        self._of_callers[who] += 1
        self._count(transport, +1)
        try:
            yield
        finally:
            self._count(transport, -1)
            _less(self._of_callers, who)

    @contextlib.contextmanager
    def connected(self, caller: Principal) -> Iterator[bool]:
        """Count a connection of a caller for the block; gives False where the caller has too many."""
        who = who_of(caller)
        self._connected[who] += 1
        try:
            yield self._connected[who] <= self.gateway.current.settings.subscriptions.per_caller
        finally:
            _less(self._connected, who)

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be subscriptions."""
        return self.draining or len(self._tasks) >= self.gateway.current.settings.subscriptions.max

    def readers(self, entity: str) -> asyncio.Semaphore:
        """Return what lets a few subscribers of an entity read at a time."""
        return self._readers.setdefault(entity, asyncio.Semaphore(READERS))

    def track(self, task: asyncio.Task[Any]) -> None:
        """Cancel a connection's task when the process drains; it says goodbye by itself."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Let every connection say goodbye, `seconds` at most."""
        self.draining = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def _count(self, transport: Transport, by: int) -> None:
        self._active[transport] = self._active.get(transport, 0) + by
        self.observer.active(transport, self._active[transport])

    async def messages(self, asked: GraphqlRequest, caller: Caller, info: RequestInfo) -> AsyncGenerator[Message, None]:
        """Yield the messages of one subscription until it is left.

        Raises GatewayError where it is refused or cannot go on, Expired.
        """
        going = _Going(self.gateway, asked, caller, info)
        with self.gateway.held():
            await going.renew()
        entity, watch = going.watch.entity, going.watch
        try:
            async with self.log.stream(entity, watch.record, watch.after) as stream:
                lost = stream.lost
                while True:
                    recheck = self.gateway.current.settings.subscriptions.recheck
                    changes = await stream.more(AT_ONCE, recheck)
                    async with contextlib.aclosing(
                        going.all_told(changes, self.readers(entity.address), lost=lost)
                    ) as messages:
                        async for message in messages:
                            lost = False
                            yield message
        except NotNow:
            raise GatewayError("SOURCE_UNAVAILABLE", "The event log cannot be read for now.", None, 503) from None
        except BadCursor:
            raise GatewayError("VALIDATION_ERROR", "`after` is no cursor of this subscription.") from None


@dataclass(slots=True)
class _Going:
    """One subscription, on whatever plan is served at the moment."""

    gateway: Gateway
    asked: GraphqlRequest
    caller: Caller
    info: RequestInfo
    serving: Serving = field(init=False)
    principal: Principal = field(init=False)
    operation: PreparedOperation = field(init=False)
    watch: Watch = field(init=False)

    async def renew(self) -> None:
        """Subscribe by what is served now; raises GatewayError, Expired."""
        current, asked = self.gateway.current, self.asked
        if current.subscribe is None:
            raise GatewayError("VALIDATION_ERROR", "There are no subscriptions here.")
        principal = await self.caller.now(current)
        kind = OperationType.SUBSCRIPTION
        self.operation = current.guard.prepare(asked.query, asked.variables, asked.operation_name, kind)
        self.watch = await current.subscribe(self.operation, principal, self.info)
        self.serving, self.principal = current, principal

    async def all_told(
        self, changes: Sequence[Change], readers: asyncio.Semaphore, *, lost: bool
    ) -> AsyncGenerator[Message, None]:
        """Yield the messages for changes, each as its reader may hear it when it leaves.

        What was masked before the mesh or the rights of the caller changed, and still waits for a slow client, is
        made anew.
        """
        while True:
            messages = await self.told(changes, readers, lost=lost)
            for message in messages:
                if not await self._stands():
                    break
                lost = False
                yield message
                changes = changes[[each.cursor for each in changes].index(message.cursor) + 1 :]
            else:
                return

    async def told(self, changes: Sequence[Change], readers: asyncio.Semaphore, *, lost: bool) -> list[Message]:
        """Return the messages for changes; waits for sources that do not answer for now.

        `lost`: the first one says that changes before it are missing.
        """
        attempt = 0
        while True:
            try:
                with self.gateway.held():
                    await self._refresh()
                    if not changes:
                        return []
                    async with readers:
                        outcomes = await self.watch.outcomes(changes)
                    told = ({"lost": True} if lost and not at else {} for at in range(len(outcomes)))
                    return [await self._message(*each, more) for each, more in zip(outcomes, told, strict=True)]
            except NotNow as failure:
                _LOG.info("a subscription waits for a source", extra={"code": failure.code})
            await asyncio.sleep(_PATIENCE[min(attempt, len(_PATIENCE) - 1)])
            attempt += 1

    async def _stands(self) -> bool:
        """Whether what was made a moment ago is what the caller may hear now; raises Expired."""
        principal = await self.caller.now(self.gateway.current)
        return self.serving is self.gateway.current and principal == self.principal

    async def _refresh(self) -> None:
        """Go on as the current plan and the current rights of the caller say."""
        before = self.watch.entity
        if await self._stands():
            return
        await self.renew()
        after = self.watch.entity
        if (after.address, after.topic.name) != (before.address, before.topic.name):
            raise GatewayError("VALIDATION_ERROR", _CHANGED)

    async def _message(self, change: Change, outcome: Outcome, more: Mapping[str, Any]) -> Message:
        span = trace.begin(change.traceparent)
        info = replace(self.info, trace_id=span.trace_id, span_id=span.span_id)
        # the default engine, whatever the mesh asks for: the other one serves no subscriptions over fetched values
        completed = await CoreEngine().complete(self.operation, outcome.root, info)
        body: dict[str, Any] = {}
        if completed.errors:
            body["errors"] = [entry.as_dict(info.trace_id) for entry in completed.errors]
        body["data"] = completed.data
        body["extensions"] = {**outcome.extensions, **more, "traceparent": span.traceparent()}
        return Message(write(body), change.cursor, change.at)


def lag(message: Message) -> float:
    """Return the seconds since the change that a message tells of."""
    return max((datetime.now(UTC) - message.at).total_seconds(), 0.0)
