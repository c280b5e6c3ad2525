# SPDX-License-Identifier: Apache-2.0
"""The replication slot: what it holds, whether it still fits what is stored, and how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.client import Identity
from dictamesh.runtime.capture.postgres.faults import CaptureStopped, SourceGone
from dictamesh.runtime.capture.postgres.lsn import lsn_of
from dictamesh.runtime.capture.postgres.position import Position
from dictamesh.runtime.capture.postgres.session import Connection, rows

_DOING = "looking at the replication slot"
# Columns differ from version to version: `conflicting` since 16, `invalidation_reason` since 17.
_FIND = b"""
SELECT to_jsonb(s) AS slot, current_database() AS base,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn) END AS held
  FROM pg_replication_slots s WHERE s.slot_name = %(name)s
"""
_RESET = "'dictamesh-runtime state reset' lets the entities be read anew, which finds what was missed"


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the source has it; `held` is the WAL it keeps, in bytes, `foreign` why it cannot be ours."""

    name: str
    active: bool
    lost: bool
    status: str
    confirmed: int
    held: int
    foreign: str | None


async def slot_of(connection: Connection, name: str) -> Slot | None:
    """Look at a slot; None where there is none. Raises `CaptureFailed`."""
    found = await rows(connection, _FIND, {"name": name}, doing=_DOING)
    if not found:
        return None
    slot: Mapping[str, Any] = found[0]["slot"]
    status = slot.get("wal_status") or "unknown"
    lost = status == "lost" or bool(slot.get("conflicting")) or bool(slot.get("invalidation_reason"))
    foreign = None
    if slot.get("plugin") != "pgoutput":
        foreign = "is not one of pgoutput"
    elif slot.get("database") != found[0]["base"]:
        foreign = "is one of another database"
    confirmed = lsn_of(slot["confirmed_flush_lsn"]) if slot.get("confirmed_flush_lsn") else 0
    return Slot(name, bool(slot["active"]), lost, status, confirmed, int(found[0]["held"] or 0), foreign)


async def drop_slot(connection: Connection, name: str) -> bool:
    """Drop a slot that nobody reads; False where there is none. Raises `CaptureFailed`."""
    slot = await slot_of(connection, name)
    if slot is None:
        return False
    if slot.active:
        raise SourceGone(f"the slot {name} is in use", "stop its reader; a replica that died frees it soon")
    statement = sql.SQL("SELECT pg_drop_replication_slot({})").format(sql.Literal(name))
    await rows(connection, statement, doing="dropping the replication slot")
    return True


def agree(name: str, slot: Slot | None, known: list[Position], identity: Identity) -> None:
    """See that a slot goes on where the stored positions end; raises `CaptureStopped` where changes may be missing."""
    if any(each.system != identity.system for each in known):
        raise CaptureStopped("other_system", "the source is another cluster than the one that was followed", _RESET)
    if slot is None:
        raise CaptureStopped("slot_missing", f"the slot {name} is gone from the source", _RESET)
    if slot.foreign is not None:
        raise CaptureStopped("slot_foreign", f"the slot {name} {slot.foreign}", "name another slot, or drop this one")
    if slot.lost:
        raise CaptureStopped("slot_lost", f"the source has invalidated the slot {name}", _RESET)
    if slot.confirmed > min(each.lsn for each in known):
        raise CaptureStopped("slot_ahead", f"the slot {name} has moved on further than what is recorded", _RESET)
    if max(each.lsn for each in known) > identity.end:
        raise CaptureStopped("source_behind", "the source's log ends before what is recorded: it was set back", _RESET)


def droppable(slot: Slot, *, ours: bool) -> None:
    """Refuse to drop a slot that may be somebody else's; raises `CaptureFailed`."""
    if slot.foreign is not None or not ours:
        why = slot.foreign or "was not made by this mesh"
        raise CaptureFailed(f"the slot {slot.name} {why}", "name another slot, or drop this one by hand")
