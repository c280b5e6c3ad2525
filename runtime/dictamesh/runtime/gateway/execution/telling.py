# SPDX-License-Identifier: Apache-2.0
"""What execution tells of its work: what an operation used, and the relations that it followed."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from dictamesh.runtime.adapters.cells import Key
from dictamesh.runtime.compile.plan import EntityPlan, LinkPlan
from dictamesh.runtime.gateway.execution.filters import Entities, followed, used
from dictamesh.runtime.gateway.execution.picks import FieldPick, Page, RootPick, entity_picks


class Follower(Protocol):
    """Hears of relations that were followed; must be quick and must not raise."""

    def __call__(
        self, holder: EntityPlan, link: LinkPlan, target: EntityPlan, pairs: Sequence[tuple[Key, Key]]
    ) -> None:
        """Rows of `holder` and of `target`, by their keys, belong together."""


def used_addresses(roots: tuple[RootPick, ...], entities: Entities) -> frozenset[str]:
    """Return the addresses of the entities that an operation reads, and of the fields that it shows or works with."""
    return frozenset(_addresses(roots, entities))


def _addresses(roots: tuple[RootPick, ...], entities: Entities) -> Iterator[str]:
    for root in roots:
        yield root.entity.address
        yield from _of_page(root.entity, root.page, entities)
        if root.kind == "one":
            yield from (root.entity.field(name).address for name in root.entity.key)
    for pick in entity_picks(roots):
        yield pick.entity.address
        for field in pick.fields:
            yield from _of_field(field)
        for link in pick.links:
            yield from _ends(pick.entity, link.link, entities)
            if link.page is not None:
                yield from _of_page(link.below.entity, link.page, entities)


def _of_field(pick: FieldPick) -> Iterator[str]:
    if not pick.members:
        yield pick.field.address
    for member in pick.members:
        yield from _of_field(member)


def _of_page(entity: EntityPlan, page: Page, entities: Entities) -> Iterator[str]:
    if page.filter is not None:
        yield from (field.address for field in used(entity, page.filter, entities))
        for link in followed(entity, page.filter):
            yield from _ends(entity, link, entities)
    yield from (entity.field(name).address for name, _ in page.order)


def _ends(holder: EntityPlan, link: LinkPlan, entities: Entities) -> Iterator[str]:
    target = entities[link.target]
    for own, other in zip(link.own, link.theirs, strict=True):
        yield holder.field(own).address
        yield target.field(other).address
