# SPDX-License-Identifier: Apache-2.0
"""Which fields and entities of an earlier plan showed the same data, whatever they were called. Pure.

A field that is new, or reads something else than before, is held against those that read its columns.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.specs.expressions.tree import columns

Place = tuple[Any, ...]


def readers(plan: Plan) -> Mapping[Place, list[FieldPlan]]:
    """Return the fields of a plan by each source column that they read, members of objects by their path below it."""
    found: dict[Place, list[FieldPlan]] = {}
    for entity in plan.entities.values():
        for field in entity.fields:
            for below, leaf in _leaves(field, ()):
                for place in _columns(plan, entity, field, below):
                    found.setdefault(place, []).append(leaf)
    return found


def moved(old: Plan, new: Plan) -> Iterator[tuple[FieldPlan, list[list[FieldPlan]]]]:
    """Yield each leaf of `new` that reads other columns than its address did, with the earlier readers of each."""
    known = readers(old)
    before = {field.address: field.expr for entity in old.entities.values() for field in entity.fields}
    for entity in new.entities.values():
        for field in entity.fields:
            if before.get(field.address) == field.expr:
                continue
            for below, leaf in _leaves(field, ()):
                earlier = [known[place] for place in _columns(new, entity, field, below) if place in known]
                if earlier:
                    yield leaf, earlier


def twins(old: Plan, new: Plan) -> Iterator[tuple[EntityPlan, list[EntityPlan]]]:
    """Yield each entity of `new` that `old` lacks and the entities of `old` over the same rows."""
    rows: dict[Place, list[EntityPlan]] = {}
    for entity in old.entities.values():
        for place in _tables(old, entity):
            rows.setdefault(place, []).append(entity)
    for entity in new.entities.values():
        found = [twin for place in _tables(new, entity) for twin in rows.get(place, ())]
        if entity.address not in old.entities and found:
            yield entity, found


def _columns(plan: Plan, entity: EntityPlan, field: FieldPlan, below: tuple[str, ...]) -> Iterator[Place]:
    for table in _tables(plan, entity):
        for path in sorted(columns(field.expr)):
            yield (*table, path, below)


def _tables(plan: Plan, entity: EntityPlan) -> Iterator[Place]:
    """A table by the name of its server, and by what the server's options say, should the server be renamed."""
    server = plan.servers[entity.server]
    yield "named", server.id, entity.source.physical_name
    yield "like", server.connector, repr(sorted(server.options.items())), entity.source.physical_name


def _leaves(field: FieldPlan, below: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldPlan]]:
    if not field.members:
        yield below, field
    for member in field.members:
        yield from _leaves(member, (*below, member.name))
