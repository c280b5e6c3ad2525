# SPDX-License-Identifier: Apache-2.0
"""Addresses of a plan: `product#Entity`, `product#Entity.field`, dotted below objects."""

from collections.abc import Iterator, Mapping

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan

Places = Mapping[str, FieldPlan]


def places(plan: Plan) -> Places:
    """Return every field of `plan` by address, members of objects included."""
    return {field.address: field for entity in plan.entities.values() for field in _all(entity.fields)}


def leaves(field: FieldPlan) -> Iterator[FieldPlan]:
    """Yield the fields that carry values: `field` itself, or what lies below an object (S2)."""
    if not field.members:
        yield field
    for member in field.members:
        yield from leaves(member)


def entity_address(address: str) -> str:
    """Return the `product#Entity` part of an address."""
    product, _, rest = address.partition("#")
    return f"{product}#{rest.partition('.')[0]}"


def shown(entity: EntityPlan, address: str) -> str:
    """Return the name of a field as callers know it: the GraphQL type and the path below it."""
    return entity.name + address.removeprefix(entity.address)


def _all(fields: tuple[FieldPlan, ...]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _all(field.members)
