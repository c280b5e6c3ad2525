# SPDX-License-Identifier: Apache-2.0
"""Changes noticed by asking for rows whose cursor grew; deletes by comparing all keys now and then."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from dictamesh.runtime.adapters.cells import Invalid
from dictamesh.runtime.adapters.convert import Reading, converter
from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.capture.contract import Batch, Recorder, Seen, StateId, Way
from dictamesh.runtime.capture.passes import LARGEST, FullPass
from dictamesh.runtime.capture.recorder import DOUBTED
from dictamesh.runtime.capture.rhythm import Rhythm
from dictamesh.runtime.capture.running import Making
from dictamesh.runtime.capture.source import Columns, SourceRows
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.manifest import SourceColumn
from dictamesh.specs.model.events import PollChanges
from dictamesh.specs.types import Kind

_TEXTS = Reading(text_values=True)
_KEYS = 1000  # keys of a page at least: they weigh little
_MARGIN = 1.0  # seconds that a clock may be read late


@dataclass(slots=True)
class PollWay:
    """Polls one entity. The position holds the cursor, when keys were compared last, and a pass under way."""

    state: StateId
    entity: EntityPlan
    settings: PollChanges
    rows: SourceRows
    cursor: SourceColumn
    recorder: Recorder
    _highest: Any = None

    async def run(self) -> None:
        """Poll in the declared rhythm, until cancelled; raises what stands in the way."""
        compared = False  # just now: a comparison that takes longer than its rhythm leaves room for what is newer
        while True:
            at = await self.recorder.position(self.state) or {}
            since = self._read(at.get("cursor"))
            if since is None or "pass" in at:
                await self._begin(at)
            elif self._compares(at) and not compared:
                await self._compare(at)
                compared = True
            else:
                await self._newer(at, since)
                compared = False
            await asyncio.sleep(self._pause(at))

    def _pause(self, at: Mapping[str, Any]) -> float:
        if self.settings.deletes is None:
            return self.settings.every
        left = Rhythm.of(at.get("compared"), self.settings.deletes).left(datetime.now(UTC))
        return min(self.settings.every, max(left, min(self.settings.every, 0.05)))

    def _compares(self, at: Mapping[str, Any]) -> bool:
        if self.settings.deletes is None:
            return DOUBTED in at  # by the first pass, which has to be confirmed
        return not Rhythm.of(at.get("compared"), self.settings.deletes).left(datetime.now(UTC))

    async def _begin(self, at: Mapping[str, Any]) -> None:
        """Read everything; changes from the beginning of that on are newer than the cursor that is kept for it."""
        if "pass" not in at:
            top = await self._top()
            at = {**at, "cursor": _written(None if top is None else self._capped(top))}
        began, clock = datetime.now(UTC), monotonic()
        self._highest = None
        whole = self._pass(keys_only=False)
        await whole.run(at, lambda: self._after_pass(at, began, monotonic() - clock))

    def _after_pass(self, at: Mapping[str, Any], began: datetime, took: float) -> dict[str, Any]:
        cursor = at.get("cursor")
        if cursor is None and self._highest is not None:
            # a source that cannot sort: no change made during the pass is older than its newest row less its length
            known = self._highest
            if self.cursor.type.kind is Kind.TIMESTAMP:
                known -= timedelta(seconds=took + _MARGIN)
            cursor = _written(self._capped(known))
        return {"cursor": cursor, "compared": began.isoformat()}

    async def _compare(self, at: Mapping[str, Any]) -> None:
        began = datetime.now(UTC)
        keep = {"cursor": at.get("cursor"), "compared": began.isoformat()}
        # a pass that is broken off begins anew: the position names none
        whole = self._pass(keys_only=self.rows.pages_by_key() and self.entity.capabilities.get)
        await whole.run(at, lambda: keep)

    def _pass(self, *, keys_only: bool) -> FullPass:
        page, pause = max(self.settings.page, _KEYS if keys_only else 0), self.settings.pause
        return FullPass(self.state, self.rows, self.recorder, page, pause, self._seen, keys_only)

    async def _top(self) -> Any:
        """Return the highest cursor of all, None where there is none or the source cannot sort by it."""
        order = self.rows.latest()
        found = await self.rows.page(1, None, order) if order else []
        return self._cursor_of(found[0]) if found else None

    async def _newer(self, at: Mapping[str, Any], since: Any) -> None:
        """Read what is not older than the cursor: rows that share its value may have come since."""
        order = self.rows.by_cursor()
        start, highest, offset = self._back(since), since, 0
        while True:
            found = await self.rows.page(self.settings.page, self.rows.since(start), order, offset)
            cursors = [value for row in found if (value := self._cursor_of(row)) is not None]
            highest = max([highest, *cursors])
            last = len(found) < self.settings.page
            upto = self._capped(highest)
            moved = {**at, "cursor": _written(upto)} if (order or last) and upto > since else None
            await self._record(found, moved)
            if last:
                return
            if order and cursors and cursors[-1] > start:
                start, offset = cursors[-1], 0
            else:  # a page of rows that share one cursor, or a source that does not sort
                offset += len(found)

    async def _record(self, found: list[Columns], position: Mapping[str, Any] | None) -> None:
        if not found:
            await self.recorder.record(Batch(self.state))  # it was asked: seen from outside, and refused once ousted
        for at in range(0, len(found), LARGEST):
            end = at + LARGEST >= len(found)
            seen = [self._seen(row) for row in found[at : at + LARGEST]]
            await self.recorder.record(Batch(self.state, seen, position=position if end else None))

    def _capped(self, value: Any) -> Any:
        """A cursor that lies ahead of the clock must not hide what comes before it."""
        now = datetime.now(UTC)
        match self.cursor.type.kind:
            case Kind.TIMESTAMP:
                return min(value, now)
            case Kind.DATE:
                return min(value, now.date())
            case _:
                return value

    def _back(self, since: Any) -> Any:
        if not self.settings.look_back:
            return since
        return since - timedelta(seconds=self.settings.look_back)

    def _seen(self, row: Columns) -> Seen:
        value = self._cursor_of(row)
        if value is not None and (self._highest is None or value > self._highest):
            self._highest = value
        return Seen(columns=row, at=value if isinstance(value, datetime) else None)

    def _cursor_of(self, row: Columns) -> Any:
        try:
            return self.rows.cursor_of(row)
        except Invalid:
            return None

    def _read(self, text: object) -> Any:
        try:
            return converter(self.cursor.type, _TEXTS)(text) if isinstance(text, str) else None
        except Invalid:
            return None


def _written(value: Any) -> str | None:
    return None if value is None else str(json_form(value))


def poll(making: Making) -> Way:
    """Make the way of an entity with `changes.poll`; raises LookupError where it has no line or no such column."""
    changes = making.entity.changes
    if changes is None or changes.poll is None or making.line is None:
        raise LookupError(making.entity.address)
    cursor = cursor_column(making.entity, changes.poll.cursor)
    rows = SourceRows(making.entity, making.line, cursor, changes.poll.parameter)
    return PollWay(making.state, making.entity, changes.poll, rows, cursor, making.recorder)


def cursor_column(entity: EntityPlan, name: str) -> SourceColumn:
    """Return the column that a cursor names, itself or by the field that shows it; raises LookupError."""
    columns = {column.name: column for column in entity.source.columns}
    if name not in columns:
        field = next((each for each in entity.fields if each.name == name and each.column is not None), None)
        name = str(field.column) if field is not None else name
    return columns[name]
