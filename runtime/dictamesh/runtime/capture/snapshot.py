# SPDX-License-Identifier: Apache-2.0
"""Changes noticed by reading everything now and then, and comparing it with what is known."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dictamesh.runtime.capture.contract import Recorder, Seen, StateId, Way
from dictamesh.runtime.capture.passes import FullPass
from dictamesh.runtime.capture.rhythm import Rhythm
from dictamesh.runtime.capture.running import Making
from dictamesh.runtime.capture.source import SourceRows
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.model.events import SnapshotChanges


@dataclass(slots=True)
class SnapshotWay:
    """Full passes in a rhythm that survives restarts."""

    state: StateId
    entity: EntityPlan
    settings: SnapshotChanges
    rows: SourceRows
    recorder: Recorder

    async def run(self) -> None:
        """Read everything in the declared rhythm, until cancelled; raises what stands in the way."""
        while True:
            at = await self.recorder.position(self.state) or {}
            if "pass" not in at:
                await Rhythm.of(at.get("at"), self.settings.every).wait()
            whole = FullPass(
                self.state,
                self.rows,
                self.recorder,
                self.settings.page,
                self.settings.pause,
                lambda row: Seen(columns=row),
            )
            await whole.run(at, partial(_done, datetime.now(UTC)))


def _done(began: datetime) -> dict[str, Any]:
    return {"at": began.isoformat()}


def snapshot(making: Making) -> Way:
    """Make the way of an entity with `changes.snapshot`; raises LookupError where it has no line."""
    changes = making.entity.changes
    if changes is None or changes.snapshot is None or making.line is None:
        raise LookupError(making.entity.address)
    rows = SourceRows(making.entity, making.line)
    return SnapshotWay(making.state, making.entity, changes.snapshot, rows, making.recorder)
