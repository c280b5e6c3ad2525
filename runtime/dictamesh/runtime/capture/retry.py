# SPDX-License-Identifier: Apache-2.0
"""Trying a dead letter again, once its spec is mended: by what came, or by what its source holds now.

An event that a consumer could not handle is handed to it again as it stands in the log.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from dictamesh.runtime.adapters.ask import ReadFailed
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture.contract import Bad, Batch, Kind, Recorder, Seen, StateId
from dictamesh.runtime.capture.folding import delivery_id
from dictamesh.runtime.capture.hashing import Hashes
from dictamesh.runtime.capture.messages import MessageReader, SchemasOf, message_of
from dictamesh.runtime.capture.packing import Unpackable, unpacked
from dictamesh.runtime.capture.payload import Undecodable, columns_of, parsed, told
from dictamesh.runtime.capture.reading import Gone, Live, RecordReader
from dictamesh.runtime.capture.records import delivered
from dictamesh.runtime.capture.source import SourceRows
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.kept_letters import Letter, failed_again, settle
from dictamesh.runtime.events.log import LoggedEvent, read_events
from dictamesh.runtime.events.seal import Seal, Unreadable

_SENT: frozenset[str] = frozenset({"webhook", "kafka"})  # what came is all there is of it
_KINDS: dict[str, Kind] = {kind: kind for kind in ("poll", "snapshot", "webhook", "postgres", "kafka")}
# A state without a version and a bad record is that of one which was deleted before any event told of it.
_NEWER = b"""
SELECT EXISTS (SELECT FROM dictamesh_event_log l
                WHERE l.entity_type = %(type)s AND l.entity_id = %(id)s AND l.ingested_at > %(at)s)
    OR (%(stage)s <> 'decode'
        AND EXISTS (SELECT FROM dictamesh_entity_state s WHERE s.entity = %(entity)s AND s.entity_id = %(id)s
                       AND s.mesh = %(mesh)s AND s.bad_hash = '')) AS newer
"""

Handle = Callable[[str, LoggedEvent], Awaitable[bool]]
"""Lets the consumers of a group handle an event; whether they did. LookupError: there is no such group."""

Became = Literal["retried", "superseded", "failed", "kept"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try: `superseded` where its record changed since, so that it must not be undone; `kept` where
    it cannot be tried here, with the reason in `error`.
    """

    became: Became
    rule: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Retrying:
    """What trying again needs of a mesh; `line` gives the line of a server, None where it cannot be opened."""

    pool: Pool
    plan: Plan
    seal: Seal
    ids: RecordIds
    key: bytes
    recorder: Callable[[EntityPlan], Recorder]
    line: Callable[[str], Awaitable[Line | None]]
    handle: Handle
    schemas: SchemasOf | None = None

    async def retry(self, letter: Letter) -> Outcome:
        """Try one letter; it is settled where that succeeds, and counts an attempt where it fails.

        Raises `CatalogUnavailable`, and what asking for a schema raises.
        """
        if letter.stage == "handle":
            return await self._handled(letter)
        entity = self.plan.entities.get(letter.entity)
        if letter.kind not in _KINDS or entity is None:
            return Outcome("kept", error=_ELSEWHERE if entity is not None else _UNKNOWN)
        try:
            seen = await self._seen(letter, entity)
        except (Unreadable, Unpackable):
            return Outcome("kept", error="the body cannot be read: it is gone, or was sealed by another key")
        except ReadFailed as failed:
            return Outcome("kept", rule=failed.code, error="the source cannot be asked")
        if isinstance(seen, Bad):
            return await self._failed(letter, seen)
        read = RecordReader(entity, self.ids, Hashes(self.key, entity.fields)).read(seen, 0, datetime.now(UTC))
        bad = getattr(read, "bad", None)
        if bad is not None or not isinstance(read, Live | Gone):
            return await self._failed(letter, bad or _NO_RECORD)
        if letter.kind in _SENT and await self._newer(letter, entity, read.id):
            await self._settle(letter, "dropped")
            return Outcome("superseded", error="the record changed since")
        state = self._state(letter, entity)
        await self.recorder(entity).record(Batch(state, [await self._anew(state, read)]))
        await self._settle(letter, "retried")
        return Outcome("retried")

    async def _anew(self, state: StateId, read: Live | Gone) -> Seen:
        """What is recorded now; where the log holds its event, without the field at fault, this is another one."""
        known = delivery_id(state, read)
        if known is None:
            return read.seen
        async with self.pool.transaction() as connection:
            told = await delivered(connection, [known])
        return replace(read.seen, event_id=f"{known} again") if told else read.seen

    async def _handled(self, letter: Letter) -> Outcome:
        event = await self._logged(letter)
        if event is None or letter.group is None:
            return Outcome("kept", error="the log does not hold the event any more")
        try:
            done = await self.handle(letter.group, event)
        except LookupError:
            return Outcome("kept", error="the mesh does not have the consumers any more")
        if not done:
            await failed_again(self.pool, letter, letter.rule, letter.error, letter.key)
            return Outcome("failed", letter.rule, letter.error)
        await self._settle(letter, "retried")
        return Outcome("retried")

    async def _logged(self, letter: Letter) -> LoggedEvent | None:
        """The event of a letter, by where it stands in the log."""
        topic, _, place = letter.origin.partition("/")
        partition, _, offset = place.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            return None
        found = await read_events(self.pool, topic, int(partition), int(offset), 1)
        return found[0] if found and found[0].event_id == letter.event_id else None

    async def _seen(self, letter: Letter, entity: EntityPlan) -> Seen | Bad:
        body = letter.body(self.seal)
        if body is None:
            raise Unpackable("the body is gone")
        if letter.stage == "decode":
            return await self._decoded(letter, entity, body)
        seen = unpacked(body)
        if letter.kind in _SENT:
            columns = None if seen.columns is None else columns_of(entity, seen.columns)
            return replace(seen, columns=columns)
        return await self._held(entity, seen)

    async def _decoded(self, letter: Letter, entity: EntityPlan, body: bytes) -> Seen | Bad:
        changes = entity.changes
        if letter.kind == "kafka" and changes is not None and changes.kafka is not None:
            schemas = None if self.schemas is None else self.schemas(entity)
            return await MessageReader(entity, changes.kafka, schemas).read(message_of(unpacked(body)))
        webhook = changes.webhook if changes is not None else None
        if letter.kind != "webhook" or webhook is None:
            raise Unpackable("its way of noticing changes is not declared any more")
        try:
            found = told(parsed(body), entity, webhook.payload, webhook.event)
        except Undecodable as wrong:
            return Bad("decode", wrong.rule, wrong.text, letter.origin)
        return Seen(columns=found.columns, deleted=found.deleted, origin=letter.origin)

    async def _held(self, entity: EntityPlan, seen: Seen) -> Seen:
        """What the source holds of a record now; what was seen of it where it cannot be asked by key."""
        line = await self.line(entity.server)
        if line is None:
            raise ReadFailed("SOURCE_UNAVAILABLE")
        rows = SourceRows(entity, line)
        key = rows.key(seen.columns or {})
        if key is None:
            return seen
        found = await rows.of_keys([key])
        return Seen(columns=found[0], origin=seen.origin) if found else replace(seen, deleted=True)

    async def _newer(self, letter: Letter, entity: EntityPlan, record: str) -> bool:
        wanted = {
            "type": entity.name,
            "entity": entity.address,
            "mesh": self.plan.name,
            "id": record,
            "at": letter.last_failed_at,
            "stage": letter.stage,
        }
        return bool((await self.pool.rows(_NEWER, wanted))[0]["newer"])

    def _state(self, letter: Letter, entity: EntityPlan) -> StateId:
        kind = _KINDS[str(letter.kind)]
        declared = states_of(self.plan.name, entity)
        table = entity.source.physical_name
        otherwise = StateId(self.plan.name, entity.address, kind, entity.server, table)
        return next((each for each in declared if each.kind == kind), otherwise)

    async def _failed(self, letter: Letter, bad: Bad) -> Outcome:
        await failed_again(self.pool, letter, bad.rule, bad.error, bad.key)
        return Outcome("failed", bad.rule, bad.error)

    async def _settle(self, letter: Letter, status: Literal["retried", "dropped"]) -> None:
        async with self.pool.transaction() as connection:
            await settle(connection, letter.mesh, [letter.id], status, to=self.plan.mesh.events.dead_letters.topic)


_ELSEWHERE = "an event that could not be published is published again by 'events replay'"
_UNKNOWN = "the mesh does not have the entity any more"
_NO_RECORD = Bad("map", "DATA_INVALID", "it is no record", "")
