# SPDX-License-Identifier: Apache-2.0
"""What a way of noticing changes gives, and what it gets back; every way speaks these words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

Kind = Literal["poll", "snapshot", "webhook", "postgres", "kafka"]
Stage = Literal["decode", "map", "key", "publish", "handle"]


@dataclass(frozen=True, slots=True)
class StateId:
    """Whose state it is: it survives a change of the mapping, and not one of table, cursor or server."""

    mesh: str
    entity: str  # product#Entity
    kind: Kind
    server: str
    cursor: str  # what the position counts by: a column, a slot, a topic; with the table


@dataclass(slots=True)
class Seen:
    """A record as its source told of it; never changed, and not frozen, which takes three times as long to make.

    `columns` are source columns by physical name with the driver's values; `fields` are mapped values instead, where
    the way reads through the mapping. With `deleted` only the key is needed, and columns may hold no more than it.
    `at`: when the source says that it changed. `origin`: where in the source it stands, for bad records and headers.
    `event_id`: set where the source makes a delivery known, so that a second one adds nothing. `traceparent`: the
    caller's place in a trace. `present`: only that there is a record with this key; columns may hold no more than it.
    """

    columns: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] | None = None
    deleted: bool = False
    at: datetime | None = None
    origin: str = ""
    event_id: str | None = None
    traceparent: str | None = None
    present: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that no event can be made of; `body` is what came, kept sealed, so that it can be tried again."""

    stage: Stage
    rule: str  # DATA_INVALID, INVALID_JSON, ... and the address of the field at fault where there is one
    error: str  # a text of ours, never a value of the record
    origin: str
    body: bytes | None = None
    key: str | None = None  # canonical key, where it could be read
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one entity, and where their source stands after them; all in one transaction or nothing.

    `position` None leaves the stored one. A way goes on behind the position that it finds: what it tells again is known
    by its event alone, and a record that had not changed then made none.

    A full pass has an id of the way's choice: its first batch, an empty one before anything is read, says when it
    began; its last one is `complete`, and records of the entity that were not seen since then, by whatever way, are
    deleted; where most would be and it has a position, only once a second pass in a row did not see them (`doubted`).
    These alone come in transactions of their own, `position` last.
    """

    state: StateId
    seen: Sequence[Seen] = ()
    bad: Sequence[Bad] = ()
    position: Mapping[str, Any] | None = None
    complete: str | None = None  # id of the full pass
    pass_id: str | None = None  # id of the full pass that these records belong to


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch, as counts."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    bad: int = 0
    positions: Mapping[str, int] = field(default_factory=dict)  # the next offset by `topic/partition`
    newest: datetime | None = None  # of the changes that became events, when the newest happened by its source
    doubted: int = 0  # records that a full pass did not find; deleted if another one does not either
    unknown: Sequence[int] = ()  # places in `seen` of records that are `present` and of which no version is known


class Ousted(Exception):  # noqa: N818 - the name says what is the case
    """Another owner took over what this one captured; nothing of the batch was written."""


class CaptureFailed(Exception):  # noqa: N818 - the name says what is the case
    """A source cannot be followed as it is now: a text of ours, `cure` says what helps. It is tried again."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}" if self.cure else self.message


class CaptureLost(CaptureFailed):
    """A source cannot be followed any more without losing changes: a person has to decide."""


class Recorder(Protocol):
    """Writes batches: events, state of records, dead letters and position in one transaction."""

    async def record(self, batch: Batch) -> Recorded:
        """Write a batch; raises `CatalogUnavailable` or `Ousted`, and nothing of it is there then."""

    async def position(self, state: StateId) -> Mapping[str, Any] | None:
        """Return where a source stood, None before the first batch; raises `CatalogUnavailable`."""

    async def unseen(self, state: StateId, pass_id: str) -> int:
        """Return how many records a full pass did not see so far; raises `CatalogUnavailable`."""


class StreamRecorder(Recorder, Protocol):
    """A recorder of several entities whose changes come together."""

    async def record_all(self, batches: Sequence[Batch]) -> Sequence[Recorded]:
        """Write batches, one of an entity at most, in one transaction; none of them completes a pass.

        Raises as `record` does, and nothing of any of them is there then.
        """


class Way(Protocol):
    """A way of noticing changes of one entity, run by the replica that holds its lease."""

    state: StateId

    async def run(self) -> None:
        """Notice changes until cancelled; raises what a caller should tell and try again after a while."""
