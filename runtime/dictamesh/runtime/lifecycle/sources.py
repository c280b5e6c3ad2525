# SPDX-License-Identifier: Apache-2.0
"""What sources still hold of a data subject: asked directly, past cache and policies; the mesh only reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, ReadFailed
from dictamesh.runtime.adapters.cells import CellError
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.product import unrestricted
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.lifecycle.subjects import Place, Subject
from dictamesh.specs.model.mesh import Limits

MOST_ROWS = 100_000
"""Rows that one place may be searched for; a source that can look ids up is asked for them alone."""

Holding = Literal["holds", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a source holds at one place: ids of records as the catalog names them; `code` says why nobody knows."""

    holding: Holding
    records: frozenset[str] = frozenset()
    code: str | None = None


class Sources:
    """The sources of a plan; a server without a line could not be opened."""

    def __init__(self, plan: Plan, lines: Mapping[str, Line], surrogates: Surrogates) -> None:
        reachable = {address: entity for address, entity in plan.entities.items() if entity.server in lines}
        self._adapters = Adapters(replace(plan, entities=reachable), lines)
        self._surrogates = surrogates

    async def held(self, subject: Subject, place: Place) -> Held:
        """Ask whether a source holds records of a subject at a place."""
        entity = place.entity
        if entity.address not in self._adapters.entities:
            return Held("unknown", code="SOURCE_UNAVAILABLE")
        value = (subject.value(place),)
        ask = Ask(frozenset({*entity.key, place.field.name}))
        try:
            found = await self._adapters.by_values(entity.address, (place.field.name,), [value], ask, _operation())
        except ReadFailed as failed:
            return Held("unknown", code=failed.code)
        if found.failed:
            return Held("unknown", code=next(iter(found.failed.values())))
        keys = [tuple(row[name] for name in entity.key) for row in found.rows.get(value, ())]
        if any(isinstance(part, CellError) or part is None for key in keys for part in key):
            return Held("unknown", code="SOURCE_DATA_INVALID")
        records = frozenset(self.record(entity, key) for key in keys)
        return Held("holds" if records else "gone", records)

    def record(self, entity: EntityPlan, key: tuple[object, ...]) -> str:
        """Return the id under which the catalog knows a record: its canonical key, of pseudonyms where it has such."""
        if entity.surrogate is None:
            return canonical(key)
        return canonical(tuple(self._surrogates.of(entity, part) for part in key))


def _operation() -> Operation:
    return unrestricted(Limits(rows=MOST_ROWS, max_scan=MOST_ROWS))
