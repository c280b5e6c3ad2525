# SPDX-License-Identifier: Apache-2.0
"""Keys that are personal data are shown as pseudonyms, and rows are found by these (S6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Found, Operation, ReadFailed
from dictamesh.runtime.adapters.cells import CellError, Key
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.governance.masks import MaskKeyMissing, pseudonym


@dataclass(frozen=True, slots=True)
class Surrogates:
    """The pseudonyms of one mesh; `keys` are the bytes of `security.keys` by name."""

    mesh: str
    keys: Mapping[str, bytes]

    def shows(self, entity: EntityPlan, field: str) -> bool:
        """Whether a field is shown as a pseudonym whatever policies say of it."""
        return entity.surrogate is not None and field in entity.key

    def of(self, entity: EntityPlan, value: Any) -> Any:
        """Return the pseudonym of one part of a key."""
        if value is None or isinstance(value, CellError):
            return value
        return pseudonym(self.keys[str(entity.surrogate)], self.mesh, canonical((value,)))

    async def find(
        self, entity: EntityPlan, shown: Iterable[Key], ask: Ask, adapters: Adapters, operation: Operation
    ) -> Found:
        """Return the rows whose pseudonyms are `shown`: a pseudonym leads nowhere, so the list is searched."""
        wanted = set(shown)
        ask = replace(ask, fields=ask.fields | frozenset(entity.key), limit=operation.max_scan + 1)
        rows = await adapters.rows(entity.address, ask, operation)
        if len(rows) > operation.max_scan:
            raise ReadFailed("SCAN_LIMIT")
        found = Found()
        for row in rows:
            key = tuple(self.of(entity, row[name]) for name in entity.key)
            if key in wanted:
                found.rows[key] = [row]
        return found


def surrogates(plan: Plan, keys: Mapping[str, bytes]) -> Surrogates:
    """Check that every key that `plan` names is there; raises MaskKeyMissing."""
    for entity in plan.entities.values():
        if entity.surrogate is not None and entity.surrogate not in keys:
            raise MaskKeyMissing(entity.surrogate)
    return Surrogates(plan.name, keys)
