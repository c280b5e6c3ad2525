# SPDX-License-Identifier: Apache-2.0
"""Cached rows of changed records are given out no more, in every replica for itself (EV-11, S25).

A row whose record has changed expires at once: it is read anew, and stands in only where the source is down (last known
good). A row whose record is gone is dropped. Only whole rows by key are cached, so there are no lists to drop. A cache
that replicas share, once there is one, is to hear of it here, too: `forget` is told of every event before any
subscriber is.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.reading import Mention
from dictamesh.runtime.resilience import L1, namespace

_REMEMBERED = 100_000
_GONE = frozenset({"DELETED", "ARCHIVED"})


@dataclass(slots=True)
class Invalidation:
    """Ends rows in the cache of a process; `current` gives the plan that is served and how its records are called.

    `counted` hears how many rows of an entity are given out no more.
    """

    l1: L1
    current: Callable[[], tuple[Plan, RecordIds]]
    counted: Callable[[EntityPlan, int], None] = lambda _entity, _count: None
    _ids: dict[tuple[str, Key], str | None] = field(default_factory=dict, init=False)

    def forget(self, events: Sequence[LoggedEvent | Mention]) -> None:
        """End the rows of the records that events are about; those of deleted records are dropped."""
        plan, ids = self.current()
        changed: dict[str, set[str]] = defaultdict(set)
        gone: dict[str, set[str]] = defaultdict(set)
        for event in events:
            (gone if event.event_type in _GONE else changed)[event.entity_type].add(event.entity_id)
        for entity in plan.entities.values():
            if entity.cache_ttl <= 0:
                continue
            count = self._end(plan, entity, gone[entity.name], ids, gone=True)
            count += self._end(plan, entity, changed[entity.name] - gone[entity.name], ids, gone=False)
            if count:
                self.counted(entity, count)

    def _end(self, plan: Plan, entity: EntityPlan, records: set[str], ids: RecordIds, *, gone: bool) -> int:
        if not records:
            return 0
        prefix = namespace(plan.name, entity.name, entity.mapping_hash)
        if entity.surrogate is None:
            end = self.l1.forget if gone else self.l1.expire
            return sum(end(f"{prefix}{record}") for record in records)
        self.l1.tell(prefix, gone=gone)

        def concerned(row: Row) -> bool:
            return self._called(entity, tuple(row[name] for name in entity.key), ids) in records

        return (self.l1.delete_prefix if gone else self.l1.expire_prefix)(prefix, concerned)

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
