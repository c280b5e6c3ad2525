# SPDX-License-Identifier: Apache-2.0
"""Uses of fields that are not clear for the caller, found before any source is asked (S20)."""

from collections.abc import Iterable, Iterator

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan
from dictamesh.runtime.gateway.execution.filters import Entities, used
from dictamesh.runtime.gateway.execution.picks import EntityPick, Page, RootPick, entity_picks
from dictamesh.runtime.governance.access import Access, Use

Found = tuple[FieldPlan, Use]


def forbidden_uses(roots: tuple[RootPick, ...], access: Access, entities: Entities) -> list[FieldPlan]:
    """Return the fields that the caller may not use as the operation does; each once, by address."""
    refused = {
        field.address: field for field, use in _uses(roots, entities) if not _permitted(field, use, access, entities)
    }
    return [refused[address] for address in sorted(refused)]


def _permitted(field: FieldPlan, use: Use, access: Access, entities: Entities) -> bool:
    entity = entities[field.address.rpartition(".")[0]]
    if entity.surrogate is not None and field.name in entity.key:
        return use == "lookup"  # what is shown is a pseudonym; comparing with the key itself would tell it
    return access.may_use(field.address, use)


def _uses(roots: tuple[RootPick, ...], entities: Entities) -> Iterator[Found]:
    for root in roots:
        if root.kind == "one":
            for name in root.entity.key:
                yield root.entity.field(name), "lookup"
        yield from _of_page(root.entity, root.page, entities)
    yield from _of_links(entity_picks(roots), entities)


def _of_links(picks: Iterable[EntityPick], entities: Entities) -> Iterator[Found]:
    for pick in picks:
        for link in pick.links:
            if link.page is not None:
                yield from _of_page(link.below.entity, link.page, entities)


def _of_page(entity: EntityPlan, page: Page, entities: Entities) -> Iterator[Found]:
    if page.filter is not None:
        for field in used(entity, page.filter, entities):
            yield field, "filter"
    for name, _ in page.order:
        yield entity.field(name), "sort"
