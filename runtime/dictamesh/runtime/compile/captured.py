# SPDX-License-Identifier: Apache-2.0
"""Which states a plan captures: what `plan` and `diff` say is what capture does."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from dictamesh.runtime.compile.plan import EntityPlan

Kind = Literal["poll", "snapshot", "webhook", "postgres", "kafka"]


class Counted(NamedTuple):
    """A way of noticing changes, and what its position counts by; another one begins with a full pass."""

    kind: Kind
    server: str
    cursor: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.cursor} on {self.server}"


def counted(entity: EntityPlan) -> Iterator[Counted]:
    """Yield one for each way that an entity's spec declares.

    A cursor counts for its table alone, and so does a slot that has no name of its own; a topic has one.
    """
    changes, table = entity.changes, entity.source.physical_name
    if changes is None:
        return
    if changes.poll is not None:
        yield Counted("poll", entity.server, f"{table}.{changes.poll.cursor}")
    if changes.snapshot is not None:
        yield Counted("snapshot", entity.server, table)
    if changes.webhook is not None:
        yield Counted("webhook", entity.server, table)
    if changes.postgres is not None:
        slot = changes.postgres.slot
        yield Counted("postgres", entity.server, f"{slot}:{table}" if slot else table)
    if changes.kafka is not None:
        yield Counted("kafka", entity.server, changes.kafka.topic)
