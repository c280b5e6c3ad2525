# SPDX-License-Identifier: Apache-2.0
"""Events out of changes: references and names, and values only where the product's policy lets them (EV-7, EV-9)."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from dictamesh.runtime.adapters.adapters import own_values
from dictamesh.runtime.adapters.cells import Row
from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture.contract import Batch, Seen
from dictamesh.runtime.capture.folding import Change
from dictamesh.runtime.capture.reading import record_id, with_time
from dictamesh.runtime.catalog.errors import InvalidRequest
from dictamesh.runtime.catalog.queries import CatalogEntity, located
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan, Plan
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace, RelationshipReference
from dictamesh.runtime.events.payload import PayloadMaker
from dictamesh.runtime.observe import trace

_SPAN = 8  # bytes
LONGEST_METADATA = 256  # characters of a routing value


@dataclass(frozen=True, slots=True)
class EventMaker:
    """Makes the events of one entity; `catalogued` says where its records are found, if the catalog knows."""

    plan: Plan
    entity: EntityPlan
    ids: RecordIds
    payload: PayloadMaker
    catalogued: CatalogEntity | None = None

    def events(self, batch: Batch, epoch: int | None, changes: list[Change], now: datetime) -> list[Event]:
        """Return the events of a batch, which are one trace but for those whose source says another one.

        Their metadata tells how a change was noticed, as `poll/3` by the third owner, and whether a full pass did,
        which may be long after it happened; `unread` names the fields that could not be read and are null therefore.
        """
        links = [link for link in self.entity.links if not link.many and link.by_key]
        root = trace.begin()
        told = {"capture": batch.state.kind if epoch is None else f"{batch.state.kind}/{epoch}"}
        if batch.pass_id is not None:
            told["snapshot"] = "true"
        entity = self.entity
        source = _Source(entity.topic.name, entity.name, entity.server, str(entity.catalog["domain"]), links, told)
        spans = secrets.token_hex(_SPAN * len(changes))  # at once: each asks the system
        ends = range(2 * _SPAN, len(spans) + 1, 2 * _SPAN)
        return [
            self._event(change, source, _trace(change, root, spans[end - 2 * _SPAN : end]), now)
            for change, end in zip(changes, ends, strict=True)
        ]

    def _event(self, change: Change, source: "_Source", at: EventTrace, now: datetime) -> Event:
        row = change.live.row if change.live is not None else None
        etag = change.content.hex() if change.content else None
        return Event(
            source.topic,
            change.type,
            EntityReference(source.type, change.id, str(change.version), self._url(change.id), etag),
            source.system,
            source.domain,
            at,
            change.fields,
            tuple(self._related(row, source.links)) if row is not None and source.links else (),
            self._metadata(change, row, source.told),
            self.payload.of(self.entity, row) if row is not None else None,
            timestamp=changed_at(change) or now,
            event_id=change.event_id,
        )

    def _url(self, record: str) -> str:
        if self.catalogued is None or self.catalogued.api_base_url is None:
            return ""
        try:
            return located(self.catalogued, record).url or ""
        except InvalidRequest:
            return ""

    def _related(self, row: Row, links: list[LinkPlan]) -> list[RelationshipReference]:
        found = []
        for link in links:
            target = self.plan.entities[link.target]
            key = own_values(row, link)
            other = record_id(self.ids, target, key) if key is not None else None
            if other is not None:
                found.append(RelationshipReference(target.name, other, target.server, link.name))
        return found

    def _metadata(self, change: Change, row: Row | None, told: dict[str, str]) -> dict[str, str]:
        unread = change.live.unread if change.live is not None else ()
        names = self.entity.topic.include if row is not None else ()
        if row is None or not (names or unread):
            return told
        texts = {name: _text(row[name]) for name in names if row[name] is not None}
        found = {name: text for name, text in texts.items() if len(text) <= LONGEST_METADATA} | told
        return found | {"unread": ",".join(unread)} if unread else found


@dataclass(frozen=True, slots=True)
class _Source:
    """What is the same in the events of a batch."""

    topic: str
    type: str
    system: str
    domain: str
    links: list[LinkPlan]
    told: dict[str, str]


def changed_at(change: Change) -> datetime | None:
    """Return when the source says that a record changed, as an aware time."""
    seen = _seen(change)
    return with_time(seen).at if seen is not None else None


def _seen(change: Change) -> Seen | None:
    if change.live is not None:
        return change.live.seen
    return change.gone.seen if change.gone is not None else None


def _text(value: Any) -> str:
    form = json_form(value)
    return form if isinstance(form, str) else orjson.dumps(form).decode()


def _trace(change: Change, root: trace.TraceContext, span: str) -> EventTrace:
    seen = _seen(change)
    caller = trace.parse(seen.traceparent) if seen is not None and seen.traceparent else None
    if caller is None:
        caller = root
    return EventTrace(caller.trace_id, span, caller.span_id)
