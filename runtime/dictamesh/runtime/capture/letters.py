# SPDX-License-Identifier: Apache-2.0
"""Where a recorder's bad records go: sealed into the table of dead letters, in the transaction of their batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.capture.contract import Bad, StateId
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.events.dead_letters import DeadLetter, put
from dictamesh.runtime.events.seal import Seal


@dataclass(frozen=True, slots=True)
class KeptLetters:
    """Keeps bad records; `topic` is the dead-letter topic."""

    seal: Seal
    topic: str

    async def put(
        self, connection: psycopg.AsyncConnection[TupleRow], entity: EntityPlan, state: StateId, bad: Sequence[Bad]
    ) -> None:
        """Keep some bad records; raises what psycopg raises."""
        letters = [letter(each, state.kind) for each in bad]
        await put(connection, state.mesh, entity.topic.name, entity.address, letters, self.seal, to=self.topic)


def letter(bad: Bad, kind: str) -> DeadLetter:
    """Return a bad record as a dead letter; `kind` is how it was noticed."""
    return DeadLetter(
        stage=bad.stage,
        rule=bad.rule,
        error=bad.error,
        origin=bad.origin,
        body=bad.body,
        key=bad.key,
        attempts=bad.attempts,
        kind=kind,
    )
