# SPDX-License-Identifier: Apache-2.0
"""Full passes: every row of an entity is read once, with pauses, and what was not met is deleted."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dictamesh.connectors.sdk import Order
from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.adapters.records import key_is_personal, key_values
from dictamesh.runtime.capture.contract import Batch, Recorder, Seen, StateId
from dictamesh.runtime.capture.source import Columns, SourceRows

LARGEST = 500  # records of one batch

Position = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FullPass:
    """How an entity is read whole.

    `seen` makes a record of a row. With `keys_only` just keys are read, and rows only of records that nobody knows.
    """

    state: StateId
    rows: SourceRows
    recorder: Recorder
    size: int
    pause: float
    seen: Callable[[Columns], Seen]
    keys_only: bool = False

    async def run(self, position: Position, done: Callable[[], Position]) -> None:
        """Read all rows; `position` is kept while the pass runs, with where it is, and `done` gives that after it.

        A pass that was broken off goes on where it was, as far as its source lets it; a key that is personal data is
        not kept for that, so that such a pass begins anew.
        """
        under_way = position.get("pass") or {}
        pass_id = str(under_way.get("id") or uuid.uuid4().hex)
        after = under_way.get("after")
        start = key_values(self.rows.entity, after) if isinstance(after, list) else None
        await self._record([], position, pass_id, start)
        safe = await self._read(position, pass_id, start)
        if not safe and await self.recorder.unseen(self.state, pass_id):
            # pages by number move when rows go: what seems to be gone is looked for again
            await self._read(position, pass_id, None)
        await self.recorder.record(Batch(self.state, complete=pass_id, position=dict(done())))

    async def _read(self, position: Position, pass_id: str, start: Key | None) -> bool:
        """Read to the end; returns whether it went from key to key, so that no row that stays can be missed."""
        order, after, offset = self.rows.by_key(), start, 0
        by_key = self.rows.pages_by_key()
        while True:
            found = await self._page(order, after if by_key else None, 0 if by_key else offset)
            keys = [key for row in found if (key := self.rows.key(row)) is not None]
            if by_key and not keys:
                # nothing but rows without a key that could be asked for: these come last, or all is read
                await self._record([self._seen(row) for row in found], position, pass_id, after)
                return len(found) < self.size
            after, offset = keys[-1] if keys else after, offset + len(found)
            await self._found(found, position, pass_id, after if by_key else None)
            if len(found) < self.size:
                return by_key
            await asyncio.sleep(self.pause)

    async def _page(self, order: tuple[Order, ...], after: Key | None, offset: int) -> list[Columns]:
        where = self.rows.after(after) if after is not None else None
        return await self.rows.page(self.size, where, order, offset, keys_only=self.keys_only)

    def _seen(self, row: Columns) -> Seen:
        return Seen(columns=row, present=True) if self.keys_only else self.seen(row)

    async def _found(self, found: Sequence[Columns], position: Position, pass_id: str, after: Key | None) -> None:
        for at in range(0, len(found), LARGEST):
            part = found[at : at + LARGEST]
            last = after if at + LARGEST >= len(found) else None
            await self._record([self._seen(row) for row in part], position, pass_id, last)

    async def _record(self, seen: list[Seen], position: Position, pass_id: str, after: Key | None) -> None:
        told = None if after is None or key_is_personal(self.rows.entity) else [json_form(value) for value in after]
        at = {**position, "pass": {"id": pass_id, "after": told}}
        moved = at if told is not None or not seen else None
        done = await self.recorder.record(Batch(self.state, seen, position=moved, pass_id=pass_id))
        unknown = [key for place in done.unknown if (key := self.rows.key(seen[place].columns or {})) is not None]
        if unknown:
            rows = await self.rows.of_keys(unknown)
            for start in range(0, len(rows), LARGEST):
                part = [self.seen(row) for row in rows[start : start + LARGEST]]
                await self.recorder.record(Batch(self.state, part, pass_id=pass_id))
