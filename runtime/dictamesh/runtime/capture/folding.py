# SPDX-License-Identifier: Apache-2.0
"""What is known of records, and what a batch makes of it: changes in order, and what is known then. Pure."""

import contextlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from dictamesh.runtime.capture.contract import Bad, StateId
from dictamesh.runtime.capture.hashing import Hashes
from dictamesh.runtime.capture.reading import Gone, Live, Present, Read, Spoiled
from dictamesh.runtime.events.identity import named

ChangeType = Literal["CREATED", "UPDATED", "DELETED"]
_DELIVERIES = uuid.UUID("8f0f7f0a-2f0b-5d0e-9b7c-3d1f5a6b7c8d").bytes
_PLACED = frozenset({"postgres", "kafka"})  # what `origin` says there is said of one change alone


@dataclass(slots=True)
class Known:
    """What is known of a record, never changed; `version` 0: nothing but a bad record.

    `bad`: which dead letter tells of it.
    """

    version: int = 0
    deleted: bool = True
    fields: bytes = b""
    content: bytes = b""
    bad: bytes = b""
    withdrawn: str | None = None

    @property
    def there(self) -> bool:
        return self.version > 0 and not self.deleted


_UNKNOWN = Known()


@dataclass(slots=True)
class Change:
    """One event to be made, never changed; `live` is the record as it is now, None where it was deleted."""

    type: ChangeType
    id: str
    version: int
    event_id: uuid.UUID
    fields: tuple[str, ...] = ()
    content: bytes = b""
    live: Live | None = None
    gone: Gone | None = None


@dataclass(slots=True)
class Folded:
    """What a batch comes to; `known` holds the records that are to be written, `touched` those that were only seen."""

    changes: list[Change] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    unknown: list[int] = field(default_factory=list)
    unchanged: int = 0
    unsound: bool = False


def delivery_id(state: StateId, read: Live | Gone) -> uuid.UUID | None:
    """Return the id of the event that a source's own words determine, so that it is the same when they come again."""
    given = read.seen.event_id
    if given is not None:
        if "/" not in given:  # no UUID has one, and each place in a source's log
            with contextlib.suppress(ValueError):
                return uuid.UUID(given)
        return named(_DELIVERIES, f"{state.mesh} {state.entity} {given}")
    if state.kind in _PLACED and read.seen.origin:
        return named(_DELIVERIES, f"{state.mesh} {state.entity} {state.server} {read.seen.origin} {read.id}")
    return None


class Folding:
    """Folds the records of a batch, one after the other, into what is known of them.

    `told` holds the hashes of bad records without a key that became dead letters before; it grows.
    """

    def __init__(
        self,
        hashes: Hashes,
        known: Mapping[str, Known],
        delivered: Iterable[uuid.UUID],
        told: set[bytes],
    ) -> None:
        self._hashes = hashes
        self._before = known
        self._delivered = set(delivered)
        self._told = told
        self.result = Folded()

    def add(self, read: Read, event_id: uuid.UUID | None = None) -> None:
        """Take in one record; `event_id` is its `delivery_id`."""
        match read:
            case Live() | Gone():
                self._change(read, event_id)
            case Present():
                self._present(read)
            case Spoiled():
                self._spoiled(read)

    def _known(self, record: str) -> Known:
        return self.result.known.get(record) or self._before.get(record) or _UNKNOWN

    def _change(self, read: Live | Gone, event_id: uuid.UUID | None) -> None:
        if event_id is not None:
            if event_id in self._delivered:
                self._same(read.id)
                return
            self._delivered.add(event_id)
        if isinstance(read, Gone):
            self._gone(read, event_id or uuid.uuid4())
        else:
            self._live(read, event_id or uuid.uuid4())

    def _live(self, live: Live, event_id: uuid.UUID) -> None:
        known = self._known(live.id)
        if known.withdrawn == "erasure":
            self._same(live.id)
            return
        if live.bad is not None and live.bad_hash != known.bad:
            self.result.bad.append(live.bad)
        there = known.there
        if known.fields == live.hashes and (there or known.withdrawn is not None):
            if known.bad != live.bad_hash:
                self.result.known[live.id] = replace(known, bad=live.bad_hash)
            self._same(live.id)
            return
        content = self._hashes.content(live.hashes)
        names = self._hashes.changed(known.fields, live.hashes) if there else self._hashes.names
        after = Known(known.version + 1 if names else known.version, False, live.hashes, content, live.bad_hash)
        self.result.known[live.id] = after
        if not names:  # the mapping lost a field, or has a new one that is empty
            self._same(live.id)
            return
        kind: ChangeType = "UPDATED" if there else "CREATED"
        self.result.changes.append(Change(kind, live.id, after.version, event_id, names, content, live))

    def _gone(self, gone: Gone, event_id: uuid.UUID) -> None:
        known = self._known(gone.id)
        if known.there:
            after = Known(known.version + 1)
            self.result.known[gone.id] = after
            self.result.changes.append(Change("DELETED", gone.id, after.version, event_id, gone=gone))
            return
        if known.withdrawn is not None or known.bad:
            self.result.known[gone.id] = Known(known.version)
        self.result.unchanged += 1

    def _present(self, present: Present) -> None:
        known = self._known(present.id)
        if known.there or known.withdrawn is not None or known.bad:
            self._same(present.id)
        else:
            self.result.unknown.append(present.place)

    def _spoiled(self, spoiled: Spoiled) -> None:
        if spoiled.id is None:
            self.result.unsound = True
            if spoiled.hash not in self._told:
                self._told.add(spoiled.hash)
                self.result.bad.append(spoiled.bad)
            return
        known = self._known(spoiled.id)
        if known.withdrawn == "erasure" or known.bad == spoiled.hash:
            self._same(spoiled.id)
            return
        self.result.bad.append(spoiled.bad)
        self.result.known[spoiled.id] = replace(known, bad=spoiled.hash)

    def _same(self, record: str) -> None:
        self.result.touched.add(record)
        self.result.unchanged += 1
