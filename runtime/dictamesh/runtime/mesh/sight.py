# SPDX-License-Identifier: Apache-2.0
"""What one caller may know of the catalog, by the policies of the plan being served."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dictamesh.runtime.adapters.adapters import Adapters
from dictamesh.runtime.adapters.ask import Ask, Operation, ReadFailed, Shown, Spent
from dictamesh.runtime.adapters.records import key_of
from dictamesh.runtime.adapters.shown import may_follow, shown_rows
from dictamesh.runtime.catalog.directory import KnownType, RelationKind
from dictamesh.runtime.catalog.sight import Existing, Seen
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.places import leaves
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.mesh.store import guarded
from dictamesh.specs.rules import Effect


@dataclass(frozen=True, slots=True)
class Sights:
    """The eyes of every caller of one plan."""

    adapters: Adapters
    access_for: Callable[[Principal], Access]
    by_name: Mapping[str, EntityPlan]
    guarded: frozenset[str]  # names of entities

    def of(self, principal: Principal) -> "Eyes":
        """Return what a principal may know."""
        access = self.access_for(principal)
        return Eyes(principal, access, self, shown_rows(access, self.adapters.plan))


def sights(adapters: Adapters, access_for: Callable[[Principal], Access]) -> Sights:
    """Return the eyes of the callers of the adapters' plan."""
    plan = adapters.plan
    by_name = {each.name: each for each in plan.entities.values()}
    return Sights(adapters, access_for, by_name, frozenset(n for n, each in by_name.items() if guarded(each, plan)))


@dataclass(frozen=True, slots=True)
class Eyes:
    """The `Sight` of a principal in one plan."""

    principal: Principal
    access: Access
    mesh: Sights
    shown: Callable[[str], Shown]

    @property
    def name(self) -> str:
        return self.principal.name

    def has_role(self, roles: Collection[str]) -> bool:
        return not self.principal.roles.isdisjoint(roles)

    def type(self, known: KnownType) -> bool:
        """A type of the plan is seen where some row and its key are; another where nothing of it was ever hidden."""
        entity = self.mesh.by_name.get(known.entity_type)
        if entity is None:
            return not known.guarded or self._edits()
        keyed = entity.surrogate is not None or self.access.key_visible(entity.address)
        return keyed and self.access.rows(entity.address) is not False

    def relation(self, kind: RelationKind) -> bool:
        """A relation of the plan is seen where it may be followed; another between types that hide nothing."""
        subject, object_ = self.mesh.by_name.get(kind.subject), self.mesh.by_name.get(kind.object)
        found = _link(subject, kind.name, object_) or _link(object_, kind.inverse, subject)
        if found is not None:
            return may_follow(self.access, *found)
        return self.mesh.guarded.isdisjoint({kind.subject, kind.object}) or self._edits()

    def field(self, entity_type: str, name: str) -> Seen:
        entity = self.mesh.by_name.get(entity_type)
        found = next((each for each in entity.fields if each.name == name.partition(".")[0]), None) if entity else None
        if found is None:
            return "deny"
        decisions = [self.access.field(leaf.address) for leaf in leaves(found)]
        if all(decision.clear for decision in decisions):
            return "allow"
        denied = all(d.constant is not None and d.constant.effect is Effect.DENY for d in decisions)
        return "deny" if denied else "mask"

    def filtered(self, entity_type: str) -> bool:
        entity = self.mesh.by_name.get(entity_type)
        return entity is not None and not self.shown(entity.address).everything

    async def existing(self, entity_type: str, ids: Collection[str]) -> Existing:
        """Of records with a pseudonym for a key none is shown: it leads to no row that could be checked."""
        entity = self.mesh.by_name.get(entity_type)
        if entity is None:
            return Existing(frozenset())
        keys = {key: record for record in ids if (key := key_of(entity, record)) is not None}
        if not keys:
            return Existing(frozenset())
        try:
            ask = Ask(frozenset(entity.key))
            found = await self.mesh.adapters.by_values(entity.address, entity.key, list(keys), ask, self._operation())
        except ReadFailed:
            return Existing(frozenset(), complete=False)
        there = frozenset(keys[key] for key, rows in found.rows.items() if rows)
        return Existing(there, complete=not found.failed)

    def _operation(self) -> Operation:
        now = datetime.now(UTC)
        limits = self.mesh.adapters.plan.mesh.gateway.limits
        return Operation(
            shown=self.shown,
            parameters={**self.access.parameters, "now": now, "today": now.date()},
            spent=Spent(limits.rows),
            max_scan=limits.max_scan,
        )

    def _edits(self) -> bool:
        return self.has_role(self.mesh.adapters.plan.mesh.catalog.editors)


def _link(
    holder: EntityPlan | None, name: str | None, target: EntityPlan | None
) -> tuple[EntityPlan, LinkPlan, EntityPlan] | None:
    if holder is None or target is None or name is None:
        return None
    link = holder.link(name)
    return (holder, link, target) if link is not None and link.target == target.address else None
