# SPDX-License-Identifier: Apache-2.0
"""From what a sender wrote to the record that it tells of: JSON, kind of change, row (webhooks and topics). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.connectors import exact_json
from dictamesh.connectors.rows import MISSING, deeper, follow, walked
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.model.events import EventTypes

DEEPEST = 64
_MOST_PARTS = 1_000_000  # 16 MiB of `{}` would become 360 MB of objects


class Undecodable(Exception):  # noqa: N818 - the name says what is the case
    """A message that tells of no record; rule and text are ours and hold nothing of it."""

    def __init__(self, rule: str) -> None:
        super().__init__(_TEXTS[rule])
        self.rule = rule
        self.text = _TEXTS[rule]


_TEXTS = {
    "INVALID_JSON": "the message is no JSON",
    "TOO_DEEP": f"the message is nested deeper than {DEEPEST}, or has more than {_MOST_PARTS:,} parts",
    "UNKNOWN_EVENT_TYPE": "the message does not say what happened in a word that the spec knows",
    "NO_ROW": "there is no row where the spec says that it stands",
    "NO_KEY": "the message has no value for the primary key",
    "INVALID_AVRO": "the message is no Avro of the schema that it names",
    "UNKNOWN_SCHEMA": "the registry does not know the schema that the message names",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A row by columns of its source, and whether it is gone; then it may hold no more than its key."""

    columns: Mapping[str, Any]
    deleted: bool


def parsed(body: bytes) -> Any:
    """Return a JSON text with exact numbers; raises Undecodable."""
    if body.count(b"{") + body.count(b"[") + body.count(b",") > _MOST_PARTS:
        raise Undecodable("TOO_DEEP")
    try:
        document = exact_json.loads(body)
    except ValueError:
        raise Undecodable("INVALID_JSON") from None
    if isinstance(document, dict | list) and deeper(document, DEEPEST):
        raise Undecodable("TOO_DEEP")
    return document


def told(document: Any, entity: EntityPlan, payload: str | None, event: EventTypes | None) -> Told:
    """Return what a message tells; without `event` it is a record that is there. Raises Undecodable."""
    deleted = event is not None and deletes(document, event)
    row = follow(document, payload)
    if not isinstance(row, dict):
        raise Undecodable("NO_ROW")
    columns = columns_of(entity, row)
    if any(columns.get(name) is None for name in entity.source.key):
        raise Undecodable("NO_KEY")
    return Told(columns, deleted)


def columns_of(entity: EntityPlan, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row by physical names, dotted ones looked up; what else it holds stays, as a mended spec may read it."""
    found = {str(name): value for name, value in row.items()}
    for column in entity.source.columns:
        value = walked(row, column.name)
        if value is not MISSING:
            found[column.name] = value
    return found


def deletes(document: Any, event: EventTypes) -> bool:
    """Say whether a message tells of a delete; raises Undecodable where it says nothing that the spec knows."""
    word = follow(document, event.path)
    if isinstance(word, str):
        if word in event.deleted:
            return True
        if word in (*event.created, *event.updated):
            return False
    raise Undecodable("UNKNOWN_EVENT_TYPE")
