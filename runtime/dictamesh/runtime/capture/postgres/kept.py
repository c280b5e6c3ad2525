# SPDX-License-Identifier: Apache-2.0
"""Slots that no product reads any more: they keep the source's log until somebody drops them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dictamesh.runtime.capture.postgres.publication import unpublish
from dictamesh.runtime.capture.postgres.session import session
from dictamesh.runtime.capture.postgres.slot import drop_slot
from dictamesh.runtime.capture.postgres.streams import streams
from dictamesh.runtime.capture.state import Stand
from dictamesh.runtime.compile.plan import Plan

_NAME = "dictamesh-state"


@dataclass(frozen=True, slots=True)
class Kept:
    """A slot that is still there for entities which left the mesh, `since` then."""

    server: str
    slot: str
    publication: str
    entities: tuple[str, ...]
    since: datetime

    def overdue(self, keep: float, now: datetime | None = None) -> bool:
        """Whether it was kept for more than `keep` seconds."""
        return ((now or datetime.now(UTC)) - self.since).total_seconds() > keep


def kept(stands: Iterable[Stand], plan: Plan) -> tuple[Kept, ...]:
    """Return the slots that only paused states know of; pure."""
    used = {(stream.server, stream.slot) for stream in streams(plan)}
    found: dict[tuple[str, str], list[Stand]] = {}
    for stand in stands:
        slot = str((stand.position or {}).get("slot", ""))
        if stand.kind == "postgres" and slot and (stand.server, slot) not in used:
            found.setdefault((stand.server, slot), []).append(stand)
    return tuple(_kept(server, slot, each) for (server, slot), each in sorted(found.items()))


async def drop(dsn: str, slot: str, publication: str) -> tuple[bool, bool]:
    """Drop a slot at its source, and the publication of it that is ours; says which of both were there.

    For whoever asked for just that: changes that were not read are read by the next full pass only. Raises
    `CaptureFailed`, `SourceGone` where the slot is in use.
    """
    async with session(dsn, _NAME) as connection:
        dropped = await drop_slot(connection, slot)
        return dropped, await unpublish(connection, publication)


def _kept(server: str, slot: str, stands: Sequence[Stand]) -> Kept:
    since = max((each.paused_at or each.updated_at) for each in stands)
    publication = next((str(each.position["publication"]) for each in stands if each.position), slot)
    return Kept(server, slot, publication, tuple(sorted(each.entity for each in stands)), since)
