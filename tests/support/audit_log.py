# SPDX-License-Identifier: Apache-2.0
"""An audit log of several products and days, with signed heads, as a mesh would have written it over some days."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from dictamesh.runtime.audit.append import _APPEND, _TIPS
from dictamesh.runtime.audit.chain import Entry, Tip, genesis, linked, untouched
from dictamesh.runtime.audit.heads import _STORE
from dictamesh.runtime.audit.keys import Signer, signer_from
from dictamesh.runtime.audit.statements import SignedHead, signed
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.governance.audit import AuditRow

MESH = "acme"
SIGNER = signer_from(b"the signing key of the tests, long enough")
D1, D2, D3 = "2026-01-10", "2026-01-11", "2026-01-13"
DAYS = {
    D1: {"customers": 6, "invoices": 4},
    D2: {"customers": 6, "products": 3},
    D3: {"customers": 6, "invoices": 4},
}


@dataclass
class Written:
    """A log in memory: rows in the order of writing, heads in the order of signing."""

    entries: list[Entry] = field(default_factory=list)
    heads: list[SignedHead] = field(default_factory=list)
    tips: dict[str, Tip] = field(default_factory=dict)
    signer: Signer = SIGNER

    def add(self, rows: Iterable[AuditRow], now: datetime) -> None:
        rows = list(rows)
        for row in rows:
            self.tips.setdefault(row.product, untouched(row.product))
        self.entries += linked(rows, self.tips, now)

    def sign(self, now: datetime) -> None:
        last = self.heads[-1] if self.heads else None
        self.heads.append(signed(MESH, last, now, self.tips.values(), self.signer, complete=True))

    def at(self, product: str, day: str, sequence: int) -> Entry:
        return next(
            each
            for each in self.entries
            if (each["product"], each["day"], each["sequence"]) == (product, day, sequence)
        )


def row(product: str, number: int, now: datetime) -> AuditRow:
    return AuditRow(
        f"caller-{number % 3}",
        product,
        product.capitalize().rstrip("s"),
        "plan-1",
        purpose="service",
        fields=("email", "name") if number % 2 else (),
        denied_fields=() if number % 2 else ("email",),
        subject_tokens=(f"t{number}",),
        subject_count=1 + number,
        error_code=None if number % 2 else "FORBIDDEN",
        success=bool(number % 2),
        trace_id=f"{number:032x}",
        duration_ms=number + 0.25,
        occurred_at=now - timedelta(seconds=1),
    )


def written() -> Written:
    """Three days. Heads stand behind the third row of each product and day, at the end of D1 and D2, and on D3 behind
    the fourth row: there the last two rows of `customers` are unsigned."""
    log = Written()
    for day, products in DAYS.items():
        now = datetime.fromisoformat(f"{day}T08:00:00+00:00").astimezone(UTC)
        for number in range(1, max(products.values()) + 1):
            now += timedelta(minutes=10)
            log.add([row(product, number, now) for product, count in products.items() if number <= count], now)
            if number in ({3, 4} if day == D3 else {3, 6}):
                log.sign(now + timedelta(minutes=1))
    return log


async def store(pool: Pool, log: Written, path: Path | None = None) -> None:
    """Write a log into a migrated database, and its heads into a published file."""
    wanted = [{"product": product, "genesis": genesis(product)} for product in log.tips]
    parameters = {"entries": _json(log.entries), "tips": _json(list(log.tips.values()))}
    async with pool.transaction() as connection:
        await connection.execute(_TIPS, (_json(wanted),))
        await connection.execute(_APPEND, parameters)
        for head in log.heads:
            values = (MESH, head.number, head.signed_at, head.statement, head.key_id, head.signature)
            await connection.execute(_STORE, values)
    if path is not None:
        path.write_bytes(b"".join(head.line() for head in log.heads))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
