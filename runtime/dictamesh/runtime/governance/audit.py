# SPDX-License-Identifier: Apache-2.0
"""What is audited, and the port through which it is (S30)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

Operation = Literal["CREATE", "READ", "UPDATE", "DELETE", "SEARCH", "EXPORT"]
LARGEST_TOKEN_LIST = 1000


class AuditUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The audit log cannot take a row, so the operation it stands for must be refused (GV-14)."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One (operation, entity type) that read a pii field in clear or was denied; names and tokens, never values.

    ``principal`` is the principal's name, None for anonymous. ``product`` is the name of the entity type's product;
    its rows make one chain. ``fields`` are the pii fields served in clear,
    ``denied_fields`` those withheld; ``success`` is False when the whole operation was refused, with ``error_code``.
    ``subject_tokens`` are keyed hashes of at most 1,000 records, ``subject_count`` counts all. ``duration_ms`` is that
    of the operation. ``occurrences`` is above 1 only in a sum. ``id`` makes writing twice harmless. Raises
    ``ValueError`` for too many tokens or a count below their number.
    """

    principal: str | None
    product: str
    entity_type: str
    plan_hash: str
    purpose: str | None = None
    operation: Operation = "READ"
    fields: tuple[str, ...] = ()
    denied_fields: tuple[str, ...] = ()
    subject_tokens: tuple[str, ...] = ()
    subject_count: int = 0
    success: bool = True
    error_code: str | None = None
    trace_id: str | None = None
    duration_ms: float | None = None
    occurrences: int = 1
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def __post_init__(self) -> None:
        if len(self.subject_tokens) > LARGEST_TOKEN_LIST:
            raise ValueError(f"at most {LARGEST_TOKEN_LIST} subject tokens; count the rest")
        if self.subject_count < len(self.subject_tokens):
            raise ValueError("subject_count counts the subject tokens too")


class AuditSink(Protocol):
    """Where audit rows go."""

    async def record(self, rows: Sequence[AuditRow]) -> None:
        """Return once the rows are safe on disk; raises ``AuditUnavailable`` when they are not."""
