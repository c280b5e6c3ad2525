# SPDX-License-Identifier: Apache-2.0
"""When something is due again that was done at a time that may lie before this process began."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Something done `every` so many seconds; never done yet is due at once."""

    last: datetime | None
    every: float

    @classmethod
    def of(cls, text: object, every: float) -> "Rhythm":
        """Read a time as ISO 8601 text; anything else is no time."""
        try:
            last = datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            last = None
        return cls(last if last is None or last.tzinfo is not None else None, every)

    def left(self, now: datetime) -> float:
        """Return the seconds until it is due, `every` at most whatever clocks say, 0 where it is."""
        if self.last is None:
            return 0.0
        return min(max(self.every - (now - self.last).total_seconds(), 0.0), self.every)

    async def wait(self) -> None:
        """Wait until it is due."""
        await asyncio.sleep(self.left(datetime.now(UTC)))
