# SPDX-License-Identifier: Apache-2.0
"""Which states a plan captures. Pure: what `plan` and `diff` say is what capture does."""

from collections.abc import Iterator

from dictamesh.runtime.capture.contract import StateId
from dictamesh.runtime.capture.postgres.streams import slot_state, streams
from dictamesh.runtime.compile.plan import EntityPlan, Plan


def captured(plan: Plan) -> Iterator[StateId]:
    """Yield the states of all entities of a plan, in order of address."""
    for _, entity in sorted(plan.entities.items()):
        yield from states_of(plan.name, entity)


def states_of(mesh: str, entity: EntityPlan) -> tuple[StateId, ...]:
    """Return the states of one entity: one for each way that its spec declares.

    A cursor counts for its table alone, a slot for each of its tables, a topic has a name of its own.
    """
    changes, table = entity.changes, entity.source.physical_name
    if changes is None:
        return ()
    address, server = entity.address, entity.server
    found: list[StateId] = []
    if changes.poll is not None:
        found.append(StateId(mesh, address, "poll", server, f"{table}.{changes.poll.cursor}"))
    if changes.snapshot is not None:
        found.append(StateId(mesh, address, "snapshot", server, table))
    if changes.webhook is not None:
        found.append(StateId(mesh, address, "webhook", server, table))
    if changes.postgres is not None:
        found.append(slot_state(mesh, entity, changes.postgres))
    if changes.kafka is not None:
        found.append(StateId(mesh, address, "kafka", server, changes.kafka.topic))
    return tuple(found)


def together(plan: Plan) -> list[tuple[StateId, ...]]:
    """Return all states, in order of address, those whose changes come by one slot in one tuple."""
    alone = [(state,) for state in captured(plan) if state.kind != "postgres"]
    shared = [tuple(stream.states.values()) for stream in streams(plan)]
    return sorted([*alone, *shared], key=lambda states: (states[0].entity, states[0].kind))
