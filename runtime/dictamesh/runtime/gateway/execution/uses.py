# SPDX-License-Identifier: Apache-2.0
"""Uses of fields that are not clear for the caller, found before any source is asked (S20)."""

from collections.abc import Iterable, Iterator

from dictamesh.runtime.adapters.shown import telling_ends
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan
from dictamesh.runtime.gateway.execution.filters import Entities, followed, used
from dictamesh.runtime.gateway.execution.picks import EntityPick, Page, RootPick, entity_picks
from dictamesh.runtime.governance.access import Access, Use

Found = tuple[FieldPlan, Use]


def forbidden_uses(roots: tuple[RootPick, ...], access: Access, entities: Entities) -> list[FieldPlan]:
    """Return the fields that the caller may not use as the operation does; each once, by address."""
    refused = {
        field.address: field
        for field, use in _uses(roots, access, entities)
        if not _permitted(field, use, access, entities)
    }
    return [refused[address] for address in sorted(refused)]


def all_uses(roots: tuple[RootPick, ...], access: Access, entities: Entities) -> list[tuple[FieldPlan, Use, bool]]:
    """Return every field that an operation uses other than by showing it, how, and whether the caller may."""
    found = {(field.address, use): field for field, use in _uses(roots, access, entities)}
    return [(field, use, _permitted(field, use, access, entities)) for (_, use), field in sorted(found.items())]


def _permitted(field: FieldPlan, use: Use, access: Access, entities: Entities) -> bool:
    entity = entities[field.address.rpartition(".")[0]]
    if use != "relation" and entity.surrogate is not None and field.name in entity.key:
        return use == "lookup"  # what is shown is a pseudonym; comparing with the key itself would tell it
    return access.may_use(field.address, use)


def _uses(roots: tuple[RootPick, ...], access: Access, entities: Entities) -> Iterator[Found]:
    for root in roots:
        if root.kind == "one":
            for name in root.entity.key:
                yield root.entity.field(name), "lookup"
        yield from _of_page(root.entity, root.page, access, entities)
    yield from _of_links(entity_picks(roots), access, entities)


def _of_links(picks: Iterable[EntityPick], access: Access, entities: Entities) -> Iterator[Found]:
    for pick in picks:
        for link in pick.links:
            yield from _of_ends(pick.entity, link.link, access, entities)
            if link.page is not None:
                yield from _of_page(link.below.entity, link.page, access, entities)


def _of_page(entity: EntityPlan, page: Page, access: Access, entities: Entities) -> Iterator[Found]:
    if page.filter is not None:
        for field in used(entity, page.filter, entities):
            yield field, "filter"
        for link in followed(entity, page.filter):
            yield from _of_ends(entity, link, access, entities)
    for name, _ in page.order:
        yield entity.field(name), "sort"
        if page.offset:
            yield entity.field(name), "cursor"  # leafing tells the rank of every row


def _of_ends(entity: EntityPlan, link: LinkPlan, access: Access, entities: Entities) -> Iterator[Found]:
    yield from ((end, "relation") for end in telling_ends(access, entity, link, entities[link.target]))
