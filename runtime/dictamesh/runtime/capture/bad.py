# SPDX-License-Identifier: Apache-2.0
"""Where bad records go that a batch met: to the dead letters, or to the log of the process."""

import logging
from collections.abc import Sequence
from typing import Protocol

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.capture.contract import Bad, StateId
from dictamesh.runtime.compile.plan import EntityPlan

_LOG = logging.getLogger("dictamesh.capture")


class DeadLetters(Protocol):
    """Keeps bad records, within the transaction of the batch that met them."""

    async def put(
        self, connection: psycopg.AsyncConnection[TupleRow], entity: EntityPlan, state: StateId, bad: Sequence[Bad]
    ) -> None:
        """Keep some bad records; raises what psycopg raises."""


class Told:
    """Tells of bad records in the log of the process, and keeps none."""

    async def put(
        self,
        connection: psycopg.AsyncConnection[TupleRow],  # noqa: ARG002
        entity: EntityPlan,
        state: StateId,
        bad: Sequence[Bad],
    ) -> None:
        for each in bad:
            _LOG.warning(
                "a record is bad: %s (%s)",
                each.error,
                each.rule,
                extra={"entity": entity.address, "kind": state.kind},
            )
