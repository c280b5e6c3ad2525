# SPDX-License-Identifier: Apache-2.0
"""From a verified body to the delivery that it is: what it tells, and what makes it known. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from dictamesh.connectors.rows import follow
from dictamesh.runtime.adapters.cells import Invalid
from dictamesh.runtime.adapters.convert import Reading, converter
from dictamesh.runtime.adapters.mapping import reading
from dictamesh.runtime.capture.contract import Bad, Seen
from dictamesh.runtime.capture.packing import packed
from dictamesh.runtime.capture.payload import Undecodable, parsed, told
from dictamesh.runtime.capture.webhook.known import Mark
from dictamesh.runtime.capture.webhook.signature import Claim, Headers
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.identity import delivery_event
from dictamesh.runtime.events.seal import Seal
from dictamesh.specs.model.events import WebhookChanges
from dictamesh.specs.types import Kind, Type

HEADER = "header:"
_LONGEST_ID = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request told: a record, or a bad one; `mark` is what is remembered of it."""

    told: Seen | Bad
    mark: Mark


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the deliveries of one entity; `seal` makes the hashes that stand for ids and keys.

    `identify` says how topics name a row.
    """

    entity: EntityPlan
    declared: WebhookChanges
    seal: Seal
    identify: Callable[[Mapping[str, Any]], str | None]

    def read(self, body: bytes, claim: Claim, headers: Headers, traceparent: str) -> Delivery:
        """Read a body whose claim was verified; never raises for what is wrong in it."""
        document: Any = None
        try:
            document = parsed(body)
            found = told(document, self.entity, self.declared.payload, self.declared.event)
        except Undecodable as wrong:
            ids = self._ids(document, body, claim, headers)
            bad = Bad(stage="decode", rule=wrong.rule, error=wrong.text, origin=self._origin(ids), body=body)
            return Delivery(bad, Mark(ids))
        ids = self._ids(document, body, claim, headers)
        grown = None if found.deleted else grown_of(self.entity, found.columns)
        seen = Seen(
            columns=found.columns,
            deleted=found.deleted,
            at=grown.at if grown else None,
            origin=self._origin(ids),
            event_id=str(delivery_event(self.entity.address, ids[0])) if ids else None,
            traceparent=traceparent,
        )
        key = packed(Seen(columns={name: found.columns.get(name) for name in self.entity.source.key}))
        record = self.seal.fingerprint(self.entity.address.encode(), key)
        if grown is None:
            return Delivery(seen, Mark(ids, record))
        return Delivery(seen, Mark(ids, record, grown.number, self.identify(found.columns), grown.at))

    def _ids(self, document: Any, body: bytes, claim: Claim, headers: Headers) -> tuple[bytes, ...]:
        """What makes a delivery known: the id that is declared; what was signed with a time, which only a replay bears.

        Without both nothing does: the same body may come again rightly, when a record is again what it was.
        """
        given = self._declared_id(document, headers)
        ids = [] if given is None else [self._digest(b"id", given.encode(errors="replace"))]
        inside = given is not None and not (self.declared.id or "").startswith(HEADER)
        if claim.time is not None and not inside:  # an id in the body is signed itself
            ids.append(self._digest(b"signed", claim.time.encode(), body))
        return tuple(ids)

    def _declared_id(self, document: Any, headers: Headers) -> str | None:
        where = self.declared.id
        if where is None:
            return None
        if where.startswith(HEADER):
            values = headers.getall(where.removeprefix(HEADER).strip(), ())
            found: Any = values[0] if len(values) == 1 else None
        else:
            found = follow(document, where)
        if isinstance(found, bool) or not isinstance(found, str | int):
            return None
        return str(found) if 0 < len(str(found)) <= _LONGEST_ID else None

    def _digest(self, *parts: bytes) -> bytes:
        return self.seal.fingerprint(self.entity.address.encode(), *parts)

    def _origin(self, ids: tuple[bytes, ...]) -> str:
        return f"webhook {ids[0].hex()[:16]}" if ids else "webhook"


@dataclass(frozen=True, slots=True)
class Grown:
    """How far a record had grown: its cursor as a number, and as a time where it is one."""

    number: Decimal
    at: datetime | None = None


def grown_of(entity: EntityPlan, columns: Mapping[str, Any]) -> Grown | None:
    """Return the cursor of the poll beside a webhook, where the row bears it and it can be compared."""
    poll = entity.changes.poll if entity.changes else None
    if poll is None:
        return None
    name, type_ = _cursor(entity, poll.cursor)
    if type_ is None or columns.get(name) is None:
        return None
    usual = reading(entity)
    try:
        value = converter(type_, Reading(coerce=True, timezone=usual.timezone, text_values=True))(columns[name])
    except Invalid:
        return None
    match value:
        case datetime():
            return Grown(Decimal((value - _EPOCH) // timedelta(microseconds=1)), value)
        case bool():
            return None
        case int() | Decimal():
            return Grown(Decimal(value))
        case _:
            return None


def _cursor(entity: EntityPlan, written: str) -> tuple[str, Type | None]:
    """The column that a cursor is, and its type where it is declared and grows as numbers do."""
    named = next((each for each in entity.fields if each.name == written and each.column is not None), None)
    name = named.column if named is not None and named.column is not None else written
    type_ = next((each.type for each in entity.source.columns if each.name == name), None)
    kinds = {Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.TIMESTAMP}
    return name, type_ if type_ is not None and type_.kind in kinds else None
