# SPDX-License-Identifier: Apache-2.0
"""What requests to a mesh leave in its catalog: usage, service levels, relations, cached rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.recording.cached import CacheCounts, EntityWatch
from dictamesh.runtime.catalog.recording.followed import FollowedRelations
from dictamesh.runtime.catalog.recording.levels import LevelCounts
from dictamesh.runtime.catalog.recording.recorder import Recorder, Told
from dictamesh.runtime.catalog.recording.usage import UsageCounts
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan, Plan
from dictamesh.runtime.gateway.execution.telling import Follower
from dictamesh.runtime.governance.principal import Principal


@dataclass(slots=True)
class Recording:
    """The collectors of a process; they outlive a plan."""

    usage: UsageCounts
    levels: LevelCounts = field(default_factory=LevelCounts)
    relations: FollowedRelations = field(default_factory=FollowedRelations)
    cache: CacheCounts = field(default_factory=CacheCounts)

    def recorder(self, pool: Pool, every: float, told: Told) -> Recorder:
        """Return who writes what they collect."""
        return Recorder(pool, (self.usage, self.levels, self.relations, self.cache), every, told)

    def use(self, plan: Plan) -> None:
        """Count as a plan says from now on."""
        self.usage.days = plan.mesh.usage.days

    def used(self, principal: Principal, addresses: Collection[str]) -> None:
        """Count an operation."""
        self.usage.used(principal.name if principal.authenticated else None, principal.purpose, addresses)

    def follower(self, plan: Plan, ids: RecordIds) -> Follower | None:
        """Return who hears of the relations that operations on a plan follow; None where nobody asked for it."""
        if not plan.mesh.catalog.observe:
            return None

        def followed(holder: EntityPlan, link: LinkPlan, target: EntityPlan, pairs: Sequence[tuple[Key, Key]]) -> None:
            self.relations.followed(holder, link, target, pairs, ids)

        return followed

    def watch(self, plan: Plan, entity: EntityPlan, ids: RecordIds) -> EntityWatch:
        """Return who hears of the cached rows of an entity."""
        return self.cache.watch(plan, entity, ids)
