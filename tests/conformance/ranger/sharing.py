# SPDX-License-Identifier: Apache-2.0
"""Shared resources as policies, and the datasets and projects that grant them as agreements with dates."""

from collections.abc import Iterable

from tests.conformance.ranger.drafts import TIER, Doc, Draft, Origin
from tests.conformance.ranger.filters import address, carried
from tests.conformance.ranger.masks import mask
from tests.conformance.ranger.model import ACCESS, FILTER, MASK, Grant, Item, Reason, Share, Unsaid
from tests.conformance.ranger.places import SELF, Place, matches, relation
from tests.conformance.ranger.selectors import matching
from tests.conformance.ranger.speech import CURRENT, OWNER, Words, all_of, any_of, opposite, scheduled


def write(draft: Draft) -> None:
    """Write every share of a setting."""
    agreed = {share.id: _agreements(share, draft) for share in draft.setting.shares}
    for share in draft.setting.shares:
        match = matching(share.resource, [place for place in draft.known if place.zone == share.zone])
        if match is not None and agreed[share.id]:
            zone = {"tags": [draft.zone_tags[share.zone]]} if draft.zone_tags else {}
            rule = {"name": "shared", "agreements": agreed[share.id], "effect": "allow", **_unless_known(share, draft)}
            draft.policy(f"share-{share.id}", {**match, "tiers": [TIER], **zone}, Origin(-1, ACCESS), [rule])
    tables: dict[str, list[Place]] = {}
    for place in draft.known:
        _masks(place, agreed, draft)
        if place.field == SELF:
            tables.setdefault(address(place), []).append(place)
    for name, (place, *_) in tables.items():
        _filters(name, place, draft, agreed)


def _unless_known(share: Share, draft: Draft) -> Doc:
    return {"where": draft.said.unknowns.sql(f"share {share.id}", Reason.SCRIPT)} if share.conditional else {}


def _agreements(share: Share, draft: Draft) -> list[str]:
    names = []
    for number, grant in enumerate(share.grants):
        purposes = sorted(grant.item.accesses & share.accesses)
        roles = _roles(grant.item)
        name = f"share-{share.id}.{number}"
        if not purposes or roles == []:
            continue
        consumer: Doc = {"purposes": purposes, **({"roles": roles} if roles is not None else {})}
        try:
            draft.agreement(name, grant.schedules, consumer)
        except Unsaid as reason:
            if str(reason) != Reason.EMPTY_SCHEDULE:
                raise
            continue
        draft.grants[name] = grant.name
        draft.origins[name] = Origin(grant.policy, ACCESS)
        if grant.project:
            draft.projects.add(name)
        names.append(name)
    return names


def _roles(item: Item) -> list[str] | None:
    """The roles that are party to an agreement; None for everybody."""
    if item.conditions or {CURRENT, OWNER} & set(item.users):
        raise Unsaid(Reason.SCRIPT if item.conditions else Reason.OWNER_NAME)
    if "public" in item.groups:
        return None
    named = [*(f"user:{each}" for each in item.users), *(f"group:{each}" for each in item.groups)]
    return [*named, *(f"role:{each}" for each in item.roles)]


def _speaks(share: Share, draft: Draft) -> str:
    """When somebody may use a share, in SQL."""
    told = [_granted(share, grant) for grant in share.grants if grant.item.accesses & share.accesses]
    unknown = _unless_known(share, draft)
    return all_of([any_of(told), *([unknown["where"]] if unknown else [])])


def _granted(share: Share, grant: Grant) -> str:
    roles = _roles(grant.item)
    who = Words(tuple(roles) if roles is not None else None, tuple(sorted(grant.item.accesses & share.accesses)))
    return all_of([who.sql, *(scheduled(each) for each in grant.schedules)])


def _masks(place: Place, agreed: dict[int, list[str]], draft: Draft) -> None:
    """A column is masked where every share that gives it masks it."""
    shares = [share for share in _governing(place, draft) if len(place.elements) == len(share.resource)]
    masked = {share.id: found for share in shares if (found := _mask(share, place)) is not None}
    clear = [_speaks(share, draft) for share in shares if share.id not in masked]
    for share in shares:
        if share.id in masked and agreed[share.id]:
            unless = {"where": opposite(any_of(clear))} if clear else {}
            item = Item((), (), (), share.accesses, mask=masked[share.id])
            rule = {"name": "masked", "agreements": agreed[share.id], **unless, **mask(masked[share.id])}
            match = {"fields": [place.address], "tiers": [TIER]}
            name = f"share-{share.id}.mask.{place.field}"
            draft.policy(name, match, Origin(-1, MASK, {"masked": item}), [rule])


def _governing(place: Place, draft: Draft) -> list[Share]:
    found = (share for share in draft.setting.shares if share.zone == place.zone)
    return [share for share in found if relation(share.resource, place.elements) == "self"]


def _mask(share: Share, place: Place) -> tuple[str, str | None] | None:
    last = share.resource[-1]
    value = place.elements[-1][1]
    for values, found in share.masks:
        if matches(type(last)(last.level, values), value):
            return found
    return None


def _filters(name: str, place: Place, draft: Draft, agreed: dict[int, list[str]]) -> None:
    """What shares of a table show together: the rows of any of them, all where one shows all."""
    shares = [
        share
        for share in draft.setting.shares
        if share.zone == place.zone and agreed[share.id] and _of_table(share, place)
    ]
    filtered = [share for share in shares if share.filter]
    if not filtered:
        return
    match, origin = {"entities": [name]}, Origin(-1, FILTER)
    if len(shares) == 1 and not shares[0].conditional:
        row: Doc = {"name": "shared", "agreements": agreed[shares[0].id], "keep": _kept(shares[0], name, draft)}
    else:
        kept = (all_of([_speaks(share, draft), _kept(share, name, draft)]) for share in shares)
        row = {"name": "shared", "keep": any_of(kept)}
    draft.policy(f"share.rows.{name.replace('#', '.')}", match, origin, rows=[row])


def _kept(share: Share, entity: str, draft: Draft) -> str:
    return carried(share.filter or "", [entity], draft)


def _of_table(share: Share, place: Place) -> bool:
    """Whether a share is of a table or of columns of it."""
    depth = len(place.elements)
    return depth > 1 and relation(share.resource[:depth], place.elements) == "self"


def datasets(names: Iterable[str], draft: Draft, *, projects: bool) -> set[str]:
    """The datasets, or projects, of some agreements."""
    return {draft.grants[name] for name in names if (name in draft.projects) == projects}
