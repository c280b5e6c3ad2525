# SPDX-License-Identifier: Apache-2.0
"""What subscriptions need of others: where changes come from, and who counts."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.gateway.contract import Change

Transport = Literal["ws", "sse"]
Outcome = Literal["complete", "refused", "slow", "expired", "drained", "failed"]


class BadCursor(ValueError):  # noqa: N818 - the state of a value
    """A cursor that was not made here, or for another entity."""


class ChangeStream(Protocol):
    """The changes of an entity for one subscriber, each once and in the order of each record.

    `lost`: some of what came behind the cursor is no longer kept.
    """

    @property
    def lost(self) -> bool:
        """Whether changes are missing."""

    async def more(self, limit: int, seconds: float) -> Sequence[Change]:
        """Wait for changes, `seconds` at most, and return at most `limit`.

        A change is not given before this process has forgotten what it had cached of the record.
        """


class ChangeLog(Protocol):
    """Where changes come from."""

    def stream(
        self, entity: EntityPlan, record: str | None, after: str | None
    ) -> AbstractAsyncContextManager[ChangeStream]:
        """Begin now, or behind the cursor `after`; entering raises BadCursor, NotNow. `record`: to one record alone."""


def _uncounted(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Observer:
    """Is told of subscriptions; must be quick and must not raise.

    `active(transport, count)`, `ended(outcome)`, `sent(transport, seconds since the change)`.
    """

    active: Callable[[Transport, int], None] = _uncounted
    ended: Callable[[Outcome], None] = _uncounted
    sent: Callable[[Transport, float], None] = _uncounted
