# SPDX-License-Identifier: Apache-2.0
"""From decisions to what exists for a caller: rows of entities, and relations that may be followed (S18, S20)."""

from collections.abc import Callable, Iterator

from dictamesh.runtime.adapters.ask import Shown
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, Plan
from dictamesh.runtime.governance.access import Access


def shown_rows(access: Access, plan: Plan) -> Callable[[str], Shown]:
    """Return which rows exist for the caller: row filters, and relations that restrict (S18)."""
    known: dict[str, Shown] = {}

    def shown(address: str) -> Shown:
        found = known.get(address)
        if found is None:
            found = known[address] = _rows(access, plan.entities[address])
        return found

    return shown


def telling_ends(access: Access, holder: EntityPlan, link: LinkPlan, target: EntityPlan) -> Iterator[FieldPlan]:
    """Yield the ends that a relation would tell through the other end, which has the same value.

    It may run over a key that neither end shows; where one end shows more than the other, it would undo the mask.
    """
    for own, other in zip(link.own, link.theirs, strict=True):
        ends = (holder.field(own), target.field(other))
        if access.one_shows_more(*(end.address for end in ends)):
            yield from ends


def may_follow(access: Access, holder: EntityPlan, link: LinkPlan, target: EntityPlan) -> bool:
    """Whether the caller may know which rows a relation joins (S20)."""
    return all(access.may_use(end.address, "relation") for end in telling_ends(access, holder, link, target))


def _rows(access: Access, entity: EntityPlan) -> Shown:
    keep = access.rows(entity.address)
    must = tuple(link.name for link in entity.links if link.restrict)
    if isinstance(keep, bool):
        return Shown(None, must, nothing=not keep)
    return Shown(keep, must)
