# SPDX-License-Identifier: Apache-2.0
"""What an operation selects, as a tree over the plan: aliases resolved, fragments merged, directives decided."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan

Path = tuple[str, ...]
"""Response keys from the root, without indices."""


@dataclass(frozen=True, slots=True)
class FieldPick:
    """A field of a row, or of an object in it; `members` are what is selected below an object."""

    key: str
    field: FieldPlan
    members: tuple["FieldPick", ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Arguments of a list, as coerced: what was not given is None."""

    filter: dict[str, Any] | None = None
    order: tuple[tuple[str, bool], ...] = ()  # field, descending
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class LinkPick:
    """A relation of `holder`; `page` is None for a to-one relation."""

    key: str
    path: Path
    holder: EntityPlan
    link: LinkPlan
    page: Page | None
    below: "EntityPick"


@dataclass(frozen=True, slots=True)
class EntityPick:
    """What is selected of an entity."""

    entity: EntityPlan
    fields: tuple[FieldPick, ...]
    links: tuple[LinkPick, ...]


@dataclass(frozen=True, slots=True)
class RootPick:
    """A root field: one row by its key, a list of rows, or their count."""

    key: str
    path: Path
    kind: Literal["one", "list", "count"]
    entity: EntityPlan
    id: Key = ()
    page: Page = field(default_factory=Page)
    below: EntityPick | None = None


@dataclass(frozen=True, slots=True)
class WatchPick:
    """The root field of a subscription; `events` and `nodes` hold what is selected of each, by response key."""

    key: str
    entity: EntityPlan
    record: str | None
    page: Page
    after: str | None
    events: dict[str, tuple[tuple[str, str], ...]]  # response key, name
    nodes: dict[str, EntityPick]

    @property
    def roots(self) -> tuple[RootPick, ...]:
        """The same as root fields of a query, for the rules on uses of fields."""
        kind: Literal["one", "list"] = "list" if self.record is None else "one"
        below: list[EntityPick | None] = [*self.nodes.values()] or [None]
        return tuple(RootPick(self.key, (self.key,), kind, self.entity, page=self.page, below=each) for each in below)


def entity_picks(roots: tuple[RootPick, ...]) -> Iterator[EntityPick]:
    """Yield every selection of an entity, parents first."""
    waiting = [root.below for root in roots if root.below is not None]
    while waiting:
        pick = waiting.pop()
        yield pick
        waiting.extend(link.below for link in pick.links)
