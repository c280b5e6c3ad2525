# SPDX-License-Identifier: Apache-2.0
"""Cached rows of changed records are dropped, in every replica for itself (EV-11, S25).

Only whole rows by key are cached, so there are no lists to drop. A cache that replicas share, once there is one, is to
be emptied here, too: `forget` is told of every event before any subscriber is.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.resilience import L1, namespace

_REMEMBERED = 100_000


@dataclass(slots=True)
class Invalidation:
    """Drops rows from the cache of a process; `current` gives the plan that is served and how its records are called.

    `counted` hears how many rows of an entity were dropped.
    """

    l1: L1
    current: Callable[[], tuple[Plan, RecordIds]]
    counted: Callable[[EntityPlan, int], None] = lambda _entity, _count: None
    _ids: dict[tuple[str, Key], str | None] = field(default_factory=dict, init=False)

    def forget(self, events: Sequence[LoggedEvent]) -> None:
        """Drop the rows of the records that events are about."""
        plan, ids = self.current()
        by_type: dict[str, set[str]] = defaultdict(set)
        for event in events:
            by_type[event.entity_type].add(event.entity_id)
        for entity in plan.entities.values():
            records = by_type.get(entity.name)
            if records and entity.cache_ttl > 0:
                self.counted(entity, self._drop(plan, entity, records, ids))

    def _drop(self, plan: Plan, entity: EntityPlan, records: set[str], ids: RecordIds) -> int:
        prefix = namespace(plan.name, entity.name, entity.mapping_hash)
        if entity.surrogate is None:
            return sum(self.l1.forget(f"{prefix}{record}") for record in records)
        self.l1.forget_all(prefix)

        def concerned(row: Row) -> bool:
            return self._called(entity, tuple(row[name] for name in entity.key), ids) in records

        return self.l1.delete_prefix(prefix, concerned)

    def _called(self, entity: EntityPlan, key: Key, ids: RecordIds) -> str | None:
        """What a record is called in events; a pseudonym is computed once."""
        place: tuple[str, Any] = (f"{entity.address} {entity.surrogate}", key)
        try:
            return self._ids[place]
        except KeyError:
            if len(self._ids) >= _REMEMBERED:
                self._ids.clear()
            found = self._ids[place] = ids.of(entity, key)
            return found
        except TypeError:  # a cell that is no value
            return None
