# SPDX-License-Identifier: Apache-2.0
"""What a record is called outside its source: in the catalog's graph, where no key that is personal data may stand."""

from dataclasses import dataclass

import orjson

from dictamesh.runtime.adapters.cells import CellError, Invalid, Key
from dictamesh.runtime.adapters.convert import Reading, converter
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.compile.plan import EntityPlan

_TEXTS = Reading(text_values=True)


@dataclass(frozen=True, slots=True)
class RecordIds:
    """From keys to ids and back, in one mesh."""

    surrogates: Surrogates

    def of(self, entity: EntityPlan, key: Key) -> str | None:
        """Return the id of the record with a key: its canonical text (S6), of its pseudonym where it has one.

        None where a part has no value, and where the key is personal data without a pseudonym.
        """
        if any(part is None or isinstance(part, CellError) for part in key):
            return None
        if entity.surrogate is not None:
            return canonical(tuple(self.surrogates.of(entity, part) for part in key))
        return None if key_is_personal(entity) else canonical(key)


def key_is_personal(entity: EntityPlan) -> bool:
    """Whether the key of an entity is personal data."""
    return any(entity.field(name).pii for name in entity.key)


def key_of(entity: EntityPlan, record: str) -> Key | None:
    """Return the key whose canonical text is ``record``; None where it is no key.

    None, too, where the key is personal data: a pseudonym leads nowhere, and of others nobody may ask here.
    """
    if entity.surrogate is not None or key_is_personal(entity):
        return None
    parts: list[object] | None = [record] if len(entity.key) == 1 else _parts(record)
    key = key_values(entity, parts) if parts is not None else None
    return None if key is None or canonical(key) != record else key


def key_values(entity: EntityPlan, parts: list[object]) -> Key | None:
    """Return the key whose parts are written in their JSON forms; None where they are none."""
    if len(parts) != len(entity.key):
        return None
    try:
        key = tuple(
            converter(entity.field(name).type, _TEXTS)(part) for name, part in zip(entity.key, parts, strict=True)
        )
    except Invalid:
        return None
    return None if None in key else key


def _parts(record: str) -> list[object] | None:
    try:
        found = orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, list) else None
