# SPDX-License-Identifier: Apache-2.0
"""What of a record may stand in its topic, as whoever makes events asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.compile.plan import EntityPlan

ENCRYPTED = "$encrypted"
"""Beside the fields of a payload: a mapping from the paths of encrypted fields to their text, `payload_encrypted`."""


class PayloadMaker(Protocol):
    """Makes payloads: JSON values by field name, those of encrypted fields as text by path under `ENCRYPTED`.

    A row holds the mapped values of all fields of the entity, as adapters give them.
    """

    async def ready(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        entity: EntityPlan,
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Get the keys of the data subjects of `rows` within the caller's transaction, before `of` is asked for them.

        Raises what psycopg raises, and `WrongWrappingKey`.
        """

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the payload; None for a deleted record, and where the topic's readers may see nothing of it.

        An encrypted field is left out where `ready` got no key, as after the erasure of its data subject.
        """


class NoPayload:
    """Payloads of a mesh that gives none."""

    async def ready(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        entity: EntityPlan,
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Do nothing."""

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> None:
        """Return None."""
