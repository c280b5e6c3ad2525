# SPDX-License-Identifier: Apache-2.0
"""Notification hooks: a signed HTTP POST of each event, at least once and in order per partition.

Signed as https://www.standardwebhooks.com has it: the receiver checks `webhook-signature` over id, timestamp and body,
and knows a second delivery by `webhook-id`. The address stands in the spec and is its owner's choice; redirects are
not followed, and nothing that comes back is read.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import aiohttp
import orjson

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.consumers.consuming import Connection, DeadLettered, Within
from dictamesh.runtime.consumers.hub import traceparent_of
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.observe import trace
from dictamesh.specs.model.events import Hook

_LOG = logging.getLogger("dictamesh.events")

PREFIX = "hook:"
_FIRST_RETRY, _LONGEST_RETRY = 0.5, 30.0
_PASSING = frozenset({408, 425, 429})
_SECRET = "whsec_"  # noqa: S105 - how Standard Webhooks writes keys


class _Undelivered(Exception):  # noqa: N818 - says what happened
    """A receiver did not take an event; `passing`: it may yet."""

    def __init__(self, what: str, *, passing: bool) -> None:
        super().__init__(what)
        self.passing = passing


@dataclass(slots=True)
class HookConsumer:
    """One hook as a group of its own; it begins with what comes after it was declared.

    `retries` gives how often a delivery is tried again before it is a dead letter.
    """

    name: str
    hook: Hook
    key: bytes = field(repr=False)
    plan: Callable[[], Plan]
    retries: Callable[[], int]
    dead: DeadLettered
    limit: int = 50
    from_end: bool = True
    whole: bool = True

    @property
    def group(self) -> str:
        return f"{PREFIX}{self.name}"

    def topics(self) -> Collection[str]:
        entities = self.plan().entities
        named = self.hook.entities or tuple(entities)
        return {entities[address].topic.name for address in named if address in entities}

    async def handle(self, events: Sequence[LoggedEvent]) -> Within:
        """Deliver, and leave the dead letters of what was not taken to the transaction."""
        by_partition: dict[tuple[str, int], list[LoggedEvent]] = defaultdict(list)
        for event in events:
            by_partition[event.topic, event.partition].append(event)
        undelivered: list[tuple[LoggedEvent, int]] = []
        timeout = aiohttp.ClientTimeout(total=self.hook.timeout)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            lanes = [self._in_order(session, lane, undelivered) for lane in by_partition.values()]
            await asyncio.gather(*lanes)

        async def bury(connection: Connection) -> None:
            for event, attempts in undelivered:
                await self.dead(connection, self.group, event, attempts)

        return bury

    async def _in_order(
        self, session: aiohttp.ClientSession, events: Sequence[LoggedEvent], undelivered: list[tuple[LoggedEvent, int]]
    ) -> None:
        for event in events:
            attempts = await self._delivered(session, event)
            if attempts:
                undelivered.append((event, attempts))

    async def _delivered(self, session: aiohttp.ClientSession, event: LoggedEvent) -> int:
        """Deliver an event; returns 0, or how often it was tried in vain."""
        body = orjson.dumps(event.envelope)
        tries = 1 + self.retries()
        for attempt in range(1, tries + 1):
            span = trace.begin(traceparent_of(event.envelope))
            try:
                await self._post(session, str(event.event_id), body, span.traceparent())
            except _Undelivered as failure:
                what = {"hook": self.name, "event_id": str(event.event_id), "attempt": attempt, "reason": str(failure)}
                _LOG.warning("a hook did not take an event", extra=what)
                if not failure.passing or attempt == tries:
                    return attempt
            else:
                return 0
            await asyncio.sleep(min(_FIRST_RETRY * 2 ** (attempt - 1), _LONGEST_RETRY))
        return tries

    async def _post(self, session: aiohttp.ClientSession, event_id: str, body: bytes, traceparent: str) -> None:
        headers = signed(self.key, event_id, int(time.time()), body) | {
            "Content-Type": "application/json",
            "User-Agent": "dictamesh",
            "traceparent": traceparent,
        }
        status = 0
        try:
            async with session.post(self.hook.url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = type(error).__name__  # its text may quote the address with what stands in it
            raise _Undelivered(what, passing=not isinstance(error, ValueError)) from None
        if not 200 <= status < 300:
            raise _Undelivered(f"status {status}", passing=status >= 500 or status in _PASSING)


def signed(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that identify and sign a message (Standard Webhooks, `v1`)."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def signing_key(secret: str) -> bytes:
    """Return the key that a secret stands for: what follows `whsec_` is base64, any other text is the key itself."""
    if secret.startswith(_SECRET):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
