# SPDX-License-Identifier: Apache-2.0
"""Where a stream stands: stored with what was recorded, never behind what the source was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.lsn import lsn_of, text_of


@dataclass(frozen=True, slots=True)
class Position:
    """All that was committed before `lsn` on the cluster `system` is recorded.

    `part`: of the transaction committed at `part[0]`, which is too large for one write, the first `part[1]` changes
    are recorded, too.
    """

    lsn: int
    system: str
    part: tuple[int, int] | None = None

    def moved(self, lsn: int) -> "Position":
        """Return the position behind what was committed until `lsn`; a part stands until its transaction is through."""
        part = self.part if self.part is not None and self.part[0] >= lsn else None
        return Position(lsn, self.system, part)

    def plain(self) -> Mapping[str, Any]:
        """As JSON values, to be stored."""
        part = {"part": [text_of(self.part[0]), self.part[1]]} if self.part is not None else {}
        return {"lsn": text_of(self.lsn), "system": self.system, **part}


MAKING: Mapping[str, Any] = {"making": True}
"""Stands for a position from before a slot is made until the first pass is through."""


def is_making(stored: Mapping[str, Any] | None, slot: str) -> bool:
    """Whether a slot was made, or was about to be, by who wrote this."""
    return stored is not None and "making" in stored and stored.get("slot") == slot


def position_of(stored: Mapping[str, Any] | None) -> Position | None:
    """Read what `plain` wrote, None where nothing is through yet; raises `CaptureFailed`."""
    if stored is None or "making" in stored:
        return None
    try:
        part = stored.get("part")
        found = None if part is None else (lsn_of(part[0]), int(part[1]))
        return Position(lsn_of(stored["lsn"]), str(stored["system"]), found)
    except (KeyError, ValueError, TypeError, IndexError):
        raise CaptureFailed("the stored position is none of a slot", "reset the state of the entity") from None
