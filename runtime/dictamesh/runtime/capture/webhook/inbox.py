# SPDX-License-Identifier: Apache-2.0
"""Deliveries that wait to be recorded: a bounded number, written together, each told what became of it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from dictamesh.runtime.capture.contract import Bad, Batch, Recorder, Seen, StateId
from dictamesh.runtime.capture.webhook.known import Known, Mark
from dictamesh.runtime.capture.webhook.reading import Delivery
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger("dictamesh.capture")
_MOST = 500  # deliveries of one transaction
_ABSENT = {"08", "53", "57"}  # SQLSTATE classes of a server that is not there, is full, or is being stopped

Became = Literal["accepted", "duplicate", "stale", "invalid"]


class Full(Exception):  # noqa: N818 - the name says what is the case
    """As many deliveries wait as may; the sender should come again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    delivery: Delivery
    became: asyncio.Future[Became] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, became: Became) -> None:
        if not self.became.done():  # a sender that went away is not told
            self.became.set_result(became)

    def fail(self, error: Exception) -> None:
        if not self.became.done():
            self.became.set_exception(error)
            self.became.exception()  # read: a sender that went away leaves nobody to do so


class Inbox:
    """The deliveries of one entity that this replica received; those that wait are recorded in one transaction."""

    def __init__(self, state: StateId, recorder: Recorder, known: Known, size: int) -> None:
        self._state = state
        self._recorder = recorder
        self._known = known
        self._size = size
        self._waiting: list[_Waiting] = []
        self._held = 0
        self._work: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether one more delivery would be refused."""
        return self._held >= self._size

    async def deliver(self, delivery: Delivery) -> Became:
        """Return once a delivery is recorded, or known not to need it.

        Raises Full, `CatalogUnavailable`, and what the recorder raises.
        """
        if self.full:
            raise Full
        waiting = _Waiting(delivery)
        self._held += 1
        self._waiting.append(waiting)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._empty())
        return await waiting.became

    async def close(self) -> None:
        """Wait until what was taken in is recorded or refused."""
        if self._work is not None:
            await asyncio.wait([self._work])

    async def _empty(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                await self._settle(taken)
            finally:
                self._held -= len(taken)

    async def _settle(self, taken: Sequence[_Waiting]) -> None:
        try:
            became = await self._write([each.delivery for each in taken])
        except Exception as error:  # noqa: BLE001 - each sender is told, none of the others waits for ever
            if len(taken) > 1 and not _unreachable(error):
                for each in taken:  # one of them is at fault
                    await self._settle([each])
                return
            _LOG.warning("webhook deliveries could not be recorded", extra=exception_fields(error))
            for each in taken:
                each.fail(error)
            return
        for each, outcome in zip(taken, became, strict=True):
            each.settle(outcome)

    async def _write(self, deliveries: Sequence[Delivery]) -> list[Became]:
        known = await self._known.ids({id_ for each in deliveries for id_ in each.mark.ids})
        newest = await self._known.newest(
            {each.mark.record for each in deliveries if each.mark.record and each.mark.cursor is not None}
        )
        told = await self._known.told({each.mark.id for each in deliveries if each.mark.id and each.mark.at})
        became = _sorted_out(deliveries, known, newest, told)
        news = [each for each, outcome in zip(deliveries, became, strict=True) if outcome in {"accepted", "invalid"}]
        if news:
            seen = [each.told for each in news if isinstance(each.told, Seen)]
            bad = [each.told for each in news if isinstance(each.told, Bad)]
            await self._recorder.record(Batch(self._state, seen=seen, bad=bad))
        # Afterwards, and not for bad ones: what is remembered was recorded, so that a sender who tries again is heard.
        await self._known.remember(
            [each.mark for each, outcome in zip(deliveries, became, strict=True) if outcome == "accepted"]
        )
        return became


def _sorted_out(
    deliveries: Sequence[Delivery],
    known: set[bytes],
    newest: Mapping[bytes, Decimal],
    told: Mapping[str, datetime],
) -> list[Became]:
    """What becomes of each delivery, in order; those of one batch know of one another."""
    ids, grown = set(known), dict(newest)
    found: list[Became] = []
    for delivery in deliveries:
        mark = delivery.mark
        if ids.intersection(mark.ids):
            found.append("duplicate")
        elif isinstance(delivery.told, Bad):
            found.append("invalid")
        elif _late(mark, grown, told):
            found.append("stale")
        else:
            found.append("accepted")
            ids.update(mark.ids)
            if mark.record is not None and mark.cursor is not None:
                grown[mark.record] = mark.cursor
    return found


def _late(mark: Mark, grown: Mapping[bytes, Decimal], told: Mapping[str, datetime]) -> bool:
    if mark.record is None or mark.cursor is None:
        return False
    newest, latest = grown.get(mark.record), told.get(mark.id or "")
    if newest is not None and mark.cursor < newest:
        return True
    return mark.at is not None and latest is not None and mark.at < latest


def _unreachable(error: Exception) -> bool:
    return isinstance(error, CatalogUnavailable) and (error.sqlstate is None or error.sqlstate[:2] in _ABSENT)
