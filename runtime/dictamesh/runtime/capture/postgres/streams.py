# SPDX-License-Identifier: Apache-2.0
"""Which entities share a slot: those of one product on one server, so that a transaction stays one."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dictamesh.runtime.capture.contract import StateId
from dictamesh.runtime.compile.captured import counted
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.specs.model.events import PostgresChanges

LONGEST_NAME = 63
_PREFIX = "dictamesh_"
_DIGITS = 8
_FOREIGN = re.compile(r"[^a-z0-9_]")


@dataclass(frozen=True, slots=True)
class Stream:
    """What one slot is for. `named`: the slot's name is the spec's, not made here.

    `published` are the physical names of all tables that share the publication, other streams' among them. `page` is
    in rows, `pause` and `heartbeat` in seconds.
    """

    mesh: str
    product: str
    server: str
    slot: str
    publication: str
    named: bool
    entities: tuple[EntityPlan, ...]
    published: tuple[str, ...]
    heartbeat: float
    page: int
    pause: float

    @property
    def states(self) -> Mapping[str, StateId]:
        """Whose positions these are, by the entity's address."""
        return {
            entity.address: StateId(self.mesh, entity.address, "postgres", each.server, each.cursor)
            for entity in self.entities
            for each in counted(entity)
            if each.kind == "postgres"
        }

    @property
    def names(self) -> Mapping[str, str]:
        """What stands with each position, so that the slot is found when the plan knows of it no more."""
        return {"slot": self.slot, "publication": self.publication}


def streams(plan: Plan) -> tuple[Stream, ...]:
    """Return what is to be streamed, in a stable order."""
    groups: dict[tuple[str, str, str, str], list[EntityPlan]] = defaultdict(list)
    tables: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entity in plan.entities.values():
        changes = _changes(entity)
        if changes is None:
            continue
        slot = changes.slot or default_name(plan.name, entity.product, entity.server)
        publication = changes.publication or slot
        groups[entity.product, entity.server, slot, publication].append(entity)
        tables[entity.server, publication].add(entity.source.physical_name)
    return tuple(
        _stream(plan.name, key, entities, tuple(sorted(tables[key[1], key[3]])))
        for key, entities in sorted(groups.items())
    )


def default_name(mesh: str, product: str, server: str) -> str:
    """Return a name that PostgreSQL takes for a slot; one that had to be changed ends in digits of a hash."""
    whole = f"{_PREFIX}{mesh}_{product}_{server}"
    plain = _FOREIGN.sub("_", whole.lower())
    if plain == whole and len(plain) <= LONGEST_NAME:
        return plain
    digits = hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]
    return f"{plain[: LONGEST_NAME - _DIGITS - 1]}_{digits}"


def _stream(
    mesh: str, key: tuple[str, str, str, str], entities: list[EntityPlan], published: tuple[str, ...]
) -> Stream:
    said = [changes for entity in entities if (changes := _changes(entity)) is not None]
    product, server, slot, publication = key
    return Stream(
        mesh,
        product,
        server,
        slot,
        publication,
        any(each.slot for each in said),
        tuple(sorted(entities, key=lambda entity: entity.address)),
        published,
        min(each.heartbeat for each in said),
        min(each.page for each in said),
        max(each.pause for each in said),
    )


def _changes(entity: EntityPlan) -> PostgresChanges | None:
    return entity.changes.postgres if entity.changes is not None else None
