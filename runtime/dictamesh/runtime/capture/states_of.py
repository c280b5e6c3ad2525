# SPDX-License-Identifier: Apache-2.0
"""Which states a plan captures. Pure: what `plan` and `diff` say is what capture does."""

from collections.abc import Iterator

from dictamesh.runtime.capture.contract import StateId
from dictamesh.runtime.compile.plan import EntityPlan, Plan


def captured(plan: Plan) -> Iterator[StateId]:
    """Yield the states of all entities of a plan, in order of address."""
    for _, entity in sorted(plan.entities.items()):
        yield from states_of(plan.name, entity)


def states_of(mesh: str, entity: EntityPlan) -> tuple[StateId, ...]:
    """Return the states of one entity: one for each way that its spec declares.

    A cursor counts for its table alone, a slot and a topic have names of their own.
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
        found.append(StateId(mesh, address, "postgres", server, table))
    if changes.kafka is not None:
        found.append(StateId(mesh, address, "kafka", server, changes.kafka.topic))
    return tuple(found)
