# SPDX-License-Identifier: Apache-2.0
"""Rows and numbers of the audit log under the names that its interfaces give them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter

from dictamesh.runtime.audit.queries import AuditStats


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A row as it was hashed: its place in the chain of a product, who did what, and what it told of."""

    product: str
    day: str
    sequence: int
    previous_hash: str
    hash: str
    id: str
    occurred_at: str
    recorded_at: str
    principal: str | None
    purpose: str | None
    operation: str
    entity_type: str
    fields: tuple[str, ...]
    denied_fields: tuple[str, ...]
    pii_access: bool
    success: bool
    error_code: str | None
    subject_tokens: tuple[str, ...]
    subject_count: int
    occurrences: int
    plan_hash: str
    trace_id: str | None
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers over rows of the audit log: ``total`` operations stand in ``rows`` rows; durations in milliseconds."""

    rows: int
    total: int
    unique_principals: Annotated[int, Field(alias="uniquePrincipals")]
    failures: int
    denials: int
    pii_reads: Annotated[int, Field(alias="piiReads")]
    avg_duration_ms: Annotated[float | None, Field(alias="avgDurationMs")]
    max_duration_ms: Annotated[float | None, Field(alias="maxDurationMs")]
    first_at: Annotated[datetime | None, Field(alias="firstAt")]
    last_at: Annotated[datetime | None, Field(alias="lastAt")]


_NUMBERS: TypeAdapter[Numbers] = TypeAdapter(Numbers)


def numbers(stats: AuditStats) -> Numbers:
    """Return statistics for an interface; `as_json` writes them."""
    return Numbers(**asdict(stats))


def as_json(found: Numbers) -> dict[str, object]:
    """Return numbers as JSON values."""
    values: dict[str, object] = _NUMBERS.dump_python(found, mode="json", by_alias=True)
    return values
