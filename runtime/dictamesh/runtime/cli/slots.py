# SPDX-License-Identifier: Apache-2.0
"""Replication slots dropped on request: `state reset --drop-slot`."""

from collections.abc import Sequence

from dictamesh.connectors.postgres.manifest import PostgresServer
from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.kept import drop
from dictamesh.runtime.capture.state import Stand
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver

Slot = tuple[str, str, str]
"""A server, a slot there, and its publication."""


def slots_of(stands: Sequence[Stand]) -> list[Slot]:
    """Return the slots that the positions of some states name."""
    found = {
        (each.server, str(each.position["slot"]), str(each.position.get("publication", "")))
        for each in stands
        if each.kind == "postgres" and each.position is not None and each.position.get("slot")
    }
    return sorted(found)


class Dropping:
    """Drops slots at the servers of a plan."""

    def __init__(self, plan: Plan, resolver: Resolver) -> None:
        self._plan = plan
        self._resolver = resolver

    async def drop(self, server: str, slot: str, publication: str) -> bool:
        """Drop one slot, and its publication where it is ours; raises StartFailed."""
        declared = self._plan.servers.get(server)
        if declared is None:
            cure = f"run there: SELECT pg_drop_replication_slot('{slot}')"
            raise StartFailed(f"the mesh has no server '{server}' any more, so its slot cannot be dropped", cure)
        options = self._resolver.options(PostgresServer, declared.options, f"servers.{server}")
        try:
            dropped, _ = await drop(options.dsn, slot, publication)
        except CaptureFailed as failed:
            raise StartFailed(failed.message, failed.cure) from None
        return dropped
