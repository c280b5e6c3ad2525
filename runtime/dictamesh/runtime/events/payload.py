# SPDX-License-Identifier: Apache-2.0
"""What of a record may stand in its topic, as whoever makes events asks for it."""

from collections.abc import Mapping
from typing import Any, Protocol

from dictamesh.runtime.compile.plan import EntityPlan


class PayloadMaker(Protocol):
    """Makes payloads: JSON values by field name, those of encrypted fields under `ENCRYPTED` as text by field name.

    `row` holds the mapped values of all fields of the entity, as adapters give them; None for a deleted record.
    """

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the payload, None where the topic's readers may see nothing of the record."""


class NoPayload:
    """Payloads of a mesh that gives none."""

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> None:  # noqa: ARG002 - the protocol's words
        """Return None."""
