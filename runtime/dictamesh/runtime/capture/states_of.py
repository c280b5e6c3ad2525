# SPDX-License-Identifier: Apache-2.0
"""Which states a plan captures. Pure."""

from collections.abc import Iterator

from dictamesh.runtime.capture.contract import StateId
from dictamesh.runtime.capture.postgres.streams import streams
from dictamesh.runtime.compile.captured import counted
from dictamesh.runtime.compile.plan import EntityPlan, Plan


def captured(plan: Plan) -> Iterator[StateId]:
    """Yield the states of all entities of a plan, in order of address."""
    for _, entity in sorted(plan.entities.items()):
        yield from states_of(plan.name, entity)


def states_of(mesh: str, entity: EntityPlan) -> tuple[StateId, ...]:
    """Return the states of one entity: one for each way that its spec declares."""
    return tuple(StateId(mesh, entity.address, each.kind, each.server, each.cursor) for each in counted(entity))


def together(plan: Plan) -> list[tuple[StateId, ...]]:
    """Return all states, in order of address, those whose changes come by one slot in one tuple."""
    alone = [(state,) for state in captured(plan) if state.kind != "postgres"]
    shared = [tuple(stream.states.values()) for stream in streams(plan)]
    return sorted([*alone, *shared], key=lambda states: (states[0].entity, states[0].kind))
