# SPDX-License-Identifier: Apache-2.0
"""What is asked of an erasure, and what it answers: receipts of products, and the certificate in the audit."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dictamesh.runtime.audit.chain import Entry as AuditEntry
from dictamesh.runtime.lifecycle.ledger import Entry, State
from dictamesh.runtime.lifecycle.sources import Holding
from dictamesh.runtime.lifecycle.withdrawal import Withdrawn


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for an erasure, why and until when; `deadline` None leaves that of an earlier run, or the default."""

    by: str
    reason: str | None = None
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done in one product, and what its source still holds."""

    product: str
    owner: str | None
    holding: Holding
    code: str | None
    records: int
    source_records: int
    withdrawn: Withdrawn
    cache_keys: tuple[str, ...]
    regimes: tuple[str, ...] = ()  # what the entities concerned fall under

    @property
    def state(self) -> State:
        """Done once the source holds nothing more."""
        return "done" if self.holding == "gone" else "pending"

    def counts(self) -> dict[str, Any]:
        """Return what may be kept for good: numbers and names of ours."""
        return {
            "product": self.product,
            "owner": self.owner,
            "state": self.state,
            "source": self.holding,
            **({"code": self.code} if self.code else {}),
            "records": self.records,
            "sourceRecords": self.source_records,
            "archived": self.withdrawn.archived,
            "edgesClosed": self.withdrawn.edges,
            "eventsAppended": self.withdrawn.events,
            "cacheKeys": len(self.cache_keys),
            "regimes": list(self.regimes),
        }


@dataclass(frozen=True, slots=True)
class Erased:
    """The outcome of one run; `certificate` are the rows of the audit that attest it, none where nothing was left."""

    entry: Entry
    receipts: tuple[Receipt, ...]
    key_destroyed: bool
    certificate: tuple[AuditEntry, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values; the keys of caches hold ids, as whoever asked for it knows them."""
        entry = self.entry
        names = ("product", "entity_type", "day", "sequence", "id", "hash")
        return {
            "id": str(entry.id),
            "subject": {"kind": entry.subject_kind, "token": entry.subject_token},
            "state": entry.state,
            "requestedAt": entry.requested_at.isoformat(),
            "requestedBy": entry.requested_by,
            "reason": entry.reason,
            "deadline": entry.deadline.isoformat(),
            "keyDestroyed": self.key_destroyed,
            "receipts": [
                {**each.counts(), "deadline": entry.deadline.isoformat(), "dropFromCaches": list(each.cache_keys)}
                for each in self.receipts
            ],
            "regimes": sorted({name for each in self.receipts for name in each.regimes}),
            "certificate": [{name: row[name] for name in names} for row in self.certificate],
        }
