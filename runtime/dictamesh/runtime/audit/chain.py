# SPDX-License-Identifier: Apache-2.0
"""What a row of the audit chain is and how it is hashed (GV-5, S30). Pure; `docs/adr/0009-audit-chain.md`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import rfc8785

from dictamesh.runtime.governance.audit import AuditRow

FORMAT = "dictamesh-audit/1"
_LARGEST_INTEGER = 2**53 - 1  # beyond it JSON numbers are not exact (RFC 8785, 3.2.2.3)

Entry = Mapping[str, Any]
"""A row as JSON values under the names of its columns, `hash` included, `format` beside them."""


class Unhashable(ValueError):  # noqa: N818 - the state of a row, not a fault of the program
    """A row has no canonical form: a text that is no UTF-8, a number that JSON cannot hold."""


@dataclass(frozen=True, slots=True)
class Tip:
    """Where a product's chain ends: `sequence` counts from 1 within the day, `rows` over all its days."""

    product: str
    day: str
    sequence: int
    rows: int
    hash: str


def genesis(product: str) -> str:
    """Return what the first row of a product's first day names as the hash before it."""
    return hashlib.sha256(f"{FORMAT}\0{product}".encode()).hexdigest()


def untouched(product: str) -> Tip:
    """Return the tip of a product without rows."""
    return Tip(product, "0001-01-01", 0, 0, genesis(product))


def linked(rows: Iterable[AuditRow], tips: dict[str, Tip], now: datetime) -> list[Entry]:
    """Chain rows to the tips of their products, which move; raises Unhashable.

    `now` is the database's clock. The day of a chain is that of recording, in UTC, and never goes back: a row that was
    kept aside joins the chain of the day on which it arrives.
    """
    entries: list[Entry] = []
    recorded_at, today = moment(now), now.astimezone(UTC).date().isoformat()
    for row in rows:
        tip = tips[row.product]
        day = max(today, tip.day)
        sequence = tip.sequence + 1 if day == tip.day else 1
        entry = _content(row) | {
            "day": day,
            "sequence": sequence,
            "previous_hash": tip.hash,
            "recorded_at": recorded_at,
        }
        entry["hash"] = hash_of(entry)
        tips[row.product] = replace(tip, day=day, sequence=sequence, rows=tip.rows + 1, hash=entry["hash"])
        entries.append(entry)
    return entries


def hash_of(entry: Entry) -> str:
    """Return the SHA-256, in hex, of the canonical form (RFC 8785) of all but `hash`; raises Unhashable."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def canonical(entry: Entry) -> bytes:
    """Return the canonical form that is hashed; raises Unhashable.

    orjson is fifty times faster than the reference and writes the same: keys are ASCII, and the one number that is no
    integer is written by the reference.
    """
    plain = {key: value for key, value in entry.items() if key != "hash"}
    try:
        if any(type(value) is int and abs(value) > _LARGEST_INTEGER for value in plain.values()):
            raise Unhashable
        duration = plain.get("duration_ms")
        if duration is not None:
            plain["duration_ms"] = orjson.Fragment(rfc8785.dumps(duration))
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except (TypeError, rfc8785.CanonicalizationError):  # orjson's faults are TypeErrors
        raise Unhashable from None


def moment(value: datetime) -> str:
    """Return an instant as it stands in a canonical form: UTC, six digits of a second, `Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _content(row: AuditRow) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": str(row.id),
        "occurred_at": moment(row.occurred_at),
        "principal": row.principal,
        "purpose": row.purpose,
        "operation": row.operation,
        "product": row.product,
        "entity_type": row.entity_type,
        "fields": list(row.fields),
        "denied_fields": list(row.denied_fields),
        "pii_access": bool(row.fields),
        "success": row.success,
        "error_code": row.error_code,
        "subject_tokens": list(row.subject_tokens),
        "subject_count": row.subject_count,
        "occurrences": row.occurrences,
        "plan_hash": row.plan_hash,
        "trace_id": row.trace_id,
        "duration_ms": row.duration_ms,
    }
