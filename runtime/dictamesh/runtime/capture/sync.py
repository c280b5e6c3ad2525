# SPDX-License-Identifier: Apache-2.0
"""A full pass asked for now: what was asked of whom, and how it goes (AD-17)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from dictamesh.runtime.capture.contract import Kind, StateId
from dictamesh.runtime.capture.state import Stand, stands
from dictamesh.runtime.catalog.lease import leased
from dictamesh.runtime.catalog.pool import Pool

PASSES: frozenset[Kind] = frozenset({"poll", "snapshot"})
"""Ways that read a source as a whole; the others follow what it tells."""

Progress = Literal["waiting", "running", "done", "failed"]

# Records keep their versions and hashes, and the state its key and what it knows of earlier passes: what did not change
# emits nothing, and a pass that misses most records is doubted as ever. The epoch ends the way that runs now.
_ASK = b"""
UPDATE dictamesh_capture_state
   SET position = NULL, pass_id = NULL, pass_started_at = NULL, pass_unsound = false, epoch = epoch + 1,
       updated_at = clock_timestamp()
 WHERE mesh = %(mesh)s AND entity = ANY (%(entities)s) AND kind = ANY (%(kinds)s)
   AND status NOT IN ('lost', 'paused')
RETURNING entity, kind, server, cursor, updated_at AS at
"""
_EVENTS = b"""
SELECT event_type, count(*) AS count FROM dictamesh_event_log
 WHERE entity_type = %(type)s AND ingested_at >= %(since)s GROUP BY event_type
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A pass that was asked for, and when by the database's clock."""

    state: StateId
    at: datetime


@dataclass(frozen=True, slots=True)
class Synced:
    """How one pass goes. `events` counts those of the entity since it was asked for, by type."""

    asked: Asked
    progress: Progress
    finished_at: datetime | None
    error: str | None
    live: int
    deleted: int
    bad: int
    events: Mapping[str, int] = field(default_factory=dict)


async def ask(pool: Pool, mesh: str, entities: Collection[str]) -> list[Asked]:
    """Ask for a full pass of entities, by address; returns the states that it met, none that waits for a person.

    A mesh that runs begins within `events.lease`, one that does not when it starts. Raises `CatalogUnavailable`.
    """
    wanted = {"mesh": mesh, "entities": sorted(entities), "kinds": sorted(PASSES)}
    rows = await pool.rows(_ASK, wanted)
    found = [Asked(StateId(mesh, row["entity"], row["kind"], row["server"], row["cursor"]), row["at"]) for row in rows]
    return sorted(found, key=lambda each: (each.state.entity, each.state.kind))


async def progress(pool: Pool, asked: Sequence[Asked]) -> list[Synced]:
    """Return how the passes go, in the order in which they were asked for; raises `CatalogUnavailable`."""
    found = []
    for each in asked:
        stand = next(
            stand for stand in await stands(pool, each.state.mesh, each.state.entity) if _is_of(stand, each.state)
        )
        told = {"type": each.state.entity.partition("#")[2], "since": each.at}
        events = {row["event_type"]: row["count"] for row in await pool.rows(_EVENTS, told)}
        finished = stand.last_pass_at if stand.last_pass_at is not None and stand.last_pass_at >= each.at else None
        found.append(
            Synced(each, _how(stand, finished), finished, stand.error, stand.live, stand.deleted, stand.bad, events)
        )
    return found


async def is_captured(pool: Pool, state: StateId) -> bool:
    """Return whether a mesh captures a state just now; raises `CatalogUnavailable`."""
    async with leased(pool, lease_of(state)) as free:
        return not free


def lease_of(state: StateId) -> str:
    """Return the name of the lease that whoever captures a state holds."""
    return f"capture {state.mesh} {state.entity} {state.kind} {state.server} {state.cursor}"


def _is_of(stand: Stand, state: StateId) -> bool:
    own = asdict(state)
    return all(getattr(stand, name) == own[name] for name in ("entity", "kind", "server", "cursor"))


def _how(stand: Stand, finished: datetime | None) -> Progress:
    if finished is not None:
        return "done"
    if stand.status in {"failed", "lost"}:
        return "failed"
    return "running" if stand.position is not None else "waiting"
