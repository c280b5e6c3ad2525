# SPDX-License-Identifier: Apache-2.0
"""Ranger's policies as policies of ours: access, masks and row filters, one for one where no priority interferes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.conformance.ranger.drafts import TIER, Doc, Draft, Origin, name_of
from tests.conformance.ranger.filters import row_rules
from tests.conformance.ranger.masks import DATES, mask
from tests.conformance.ranger.model import ACCESS, FILTER, MASK, Policy, Reason, Tag, Unsaid
from tests.conformance.ranger.names import tag_name
from tests.conformance.ranger.places import Place, matches, relation
from tests.conformance.ranger.selectors import Match, expanded, matching
from tests.conformance.ranger.speech import Words, all_of, any_of, exceptions, on_path, opposite, speaks, words

SUPER = "super-users"


@dataclass(frozen=True, slots=True)
class Binding:
    """One way in which a policy applies: what it matches, which known places that are, and a condition besides."""

    match: Match
    places: tuple[Place, ...]
    where: tuple[str, ...]
    tag: Tag | None = None


def write(draft: Draft) -> None:
    """Write every policy of a setting."""
    for place, policy in enumerate(draft.setting.policies):
        for number, binding in enumerate(_bindings(policy, draft)):
            _write(policy, binding, f"{name_of(policy)}.{place}.{number}", draft)
    roles = _supers(draft)
    if roles:
        match = {"tiers": [TIER]}
        draft.policy(SUPER, match, Origin(-1, ACCESS), [{"name": "super", "roles": roles, "effect": "allow"}])


def _supers(draft: Draft) -> list[str]:
    users, groups = draft.setting.supers
    return sorted([*(f"user:{each}" for each in users), *(f"group:{each}" for each in groups)])


def _bindings(policy: Policy, draft: Draft) -> Iterator[Binding]:
    try:
        found = list(_of_tags(policy, draft) if policy.tag else _of_resources(policy, draft))
    except Unsaid as reason:
        places = tuple(place for place in draft.known if _may_govern(policy, place))
        unknown = draft.said.unknowns.sql(f"{name_of(policy)}: {policy.resources}", str(reason))
        found = [Binding(_listed(places), places, (unknown,))] if places else []
    yield from found


def _of_resources(policy: Policy, draft: Draft) -> Iterator[Binding]:
    within = [place for place in draft.known if place.zone == policy.zone]
    zone = [draft.zone_tags[policy.zone]] if draft.zone_tags else []
    for resource in policy.resources:
        for one, who in expanded(resource, draft.users):
            match = matching(one, within)
            if match is not None:
                places = tuple(place for place in within if relation(one, place.elements) == "self")
                path = on_path(one)
                also = {"tags": zone} if zone else {}
                yield Binding({**match, "tiers": [TIER], **also}, places, (*who, *([path] if path else [])))


def _of_tags(policy: Policy, draft: Draft) -> Iterator[Binding]:
    """By the types of tags; where conditions may read attributes, by each tag that a resource bears."""
    governed = [place for place in draft.known if _zone_fits(policy, place, draft)]
    tags = {tag: None for place in governed for tag in place.tags if _names(policy, tag)}
    if any(tag.expires for tag in tags):
        raise Unsaid(Reason.TAG_EXPIRES)
    conditioned = bool(policy.conditions) or any(item.conditions for item in policy.items)
    groups: dict[str, tuple[Tag | None, list[Tag]]] = {}
    for tag in tags:
        name = f"{tag_name(tag.type)}.{tag.instance}" if conditioned else tag_name(tag.type)
        groups.setdefault(name, (tag if conditioned else None, []))[1].append(tag)
    everywhere = len(governed) == len(draft.known)
    apart = [draft.zone_tags[zone.name] for zone in draft.setting.zones if zone.own_tags]
    for name, (tag, borne) in groups.items():
        places = tuple(place for place in governed if set(borne) & set(place.tags))
        match: Match = {"tags": [name]}
        if not everywhere:
            match = {"tags": [name], "except": {"tags": apart}} if not policy.zone else _listed(places)
        yield Binding(match, places, (), tag)


def _names(policy: Policy, tag: Tag) -> bool:
    return any(matches(resource[0], tag.type) for resource in policy.resources)


def _zone_fits(policy: Policy, place: Place, draft: Draft) -> bool:
    """A zone with policies on tags of its own has only these, all else those of no zone."""
    own = {zone.name for zone in draft.setting.zones if zone.own_tags}
    return policy.zone == (place.zone if place.zone in own else "")


def _may_govern(policy: Policy, place: Place) -> bool:
    if policy.tag:
        return any(_names(policy, tag) for tag in place.tags)
    return any(relation(resource, place.elements) is not None for resource in policy.resources)


def _listed(places: Iterable[Place]) -> Match:
    return {"fields": sorted(place.address for place in places), "tiers": [TIER]}


def _write(policy: Policy, binding: Binding, name: str, draft: Draft) -> None:
    """Write a policy as it is bound, in parts where policies of a higher rank silence it on some places only."""
    by_guard: dict[tuple[str, ...], list[Place]] = {}
    for place in binding.places:
        by_guard.setdefault(tuple(_guards(policy, place, draft)), []).append(place)
    for number, (guards, places) in enumerate(by_guard.items()):
        match = binding.match if len(by_guard) == 1 else _listed(places)
        part = name if len(by_guard) == 1 else f"{name}.{number}"
        origin = Origin(policy.id, policy.type)
        whole = (*binding.where, *guards, *(draft.said.sql(each, binding.tag) for each in policy.conditions))
        agreements = _agreements(policy, part, draft)
        whole = (*whole, *([agreements] if isinstance(agreements, str) else []))
        during = agreements if isinstance(agreements, list) else []
        if policy.type == FILTER:
            row_rules(policy, part, match, places, Words(None, None, whole), during, draft, binding.tag)
            continue
        rules = list(_rules(policy, binding.tag, Words(None, None, whole), during, origin, draft))
        draft.policy(part, match, origin, rules)
        if any(item.mask and item.mask[0] in DATES for item in policy.gives):
            draft.dated |= {place.address for place in places}


def _agreements(policy: Policy, name: str, draft: Draft) -> list[str] | str:
    """The agreements that a policy's schedules become; a condition where dates do not tell."""
    names = []
    try:
        for number, schedule in enumerate(policy.schedules):
            names.append(f"{name}-valid-{number}")
            draft.agreement(names[-1], [schedule])
    except Unsaid as reason:
        return draft.said.unknowns.sql(f"{name}: {policy.schedules}", str(reason))
    return names


def _rules(
    policy: Policy, tag: Tag | None, whole: Words, during: list[str], origin: Origin, draft: Draft
) -> Iterator[Doc]:
    """Denials, then grants, then denial of all else; or the masks in their order."""
    said = draft.said
    parts = [("deny", policy.deny, policy.not_deny), ("allow", policy.allow, policy.not_allow)]
    if policy.type == MASK:
        parts = [("mask", policy.gives, ())]
    for effect, items, besides in parts:
        if not any(item.accesses for item in items):
            continue
        unless = exceptions(besides, said, tag)
        for number, item in enumerate(items):
            for variant, each in enumerate(words(item, said, tag)):
                name = f"{effect}-{number}-{variant}"
                origin.items[name] = item
                given = each.also(*whole.where, *unless)
                try:
                    yield rule(name, given, during, mask(item.mask) if effect == "mask" else {"effect": effect})
                except Unsaid as reason:
                    unknown = said.unknowns.sql(f"mask {item.mask}", str(reason))
                    yield rule(name, given.also(unknown), during, mask(("MASK", None)))
    if policy.deny_all_else:
        yield rule("deny-all-else", whole, during, {"effect": "deny"})


def rule(name: str, words_: Words, during: list[str], effect: Doc) -> Doc:
    """A rule of ours."""
    found: Doc = {"name": name}
    if words_.roles is not None:
        found["roles"] = list(words_.roles)
    if words_.purposes is not None:
        found["purposes"] = list(words_.purposes)
    if during:
        found["agreements"] = during
    conditions = [each for each in words_.where if each != "TRUE"]
    return {**found, **({"where": all_of(conditions)} if conditions else {}), **effect}


def _guards(policy: Policy, place: Place, draft: Draft) -> Iterator[str]:
    """The conditions under which no policy of a higher rank speaks of a place."""
    roles = _supers(draft)
    if roles:
        yield opposite(Words(tuple(roles), None).sql)
    for other in draft.setting.policies:
        if other.type == policy.type and rank(other) > rank(policy):
            told = any_of(_speaks_of(other, place, draft))
            if told != "FALSE":
                yield opposite(told)


def rank(policy: Policy) -> tuple[int, bool]:
    """What goes first: a higher priority, and of masks and filters those on tags."""
    return policy.priority, policy.type != ACCESS and policy.tag


def _speaks_of(policy: Policy, place: Place, draft: Draft) -> Iterator[str]:
    try:
        if policy.tag:
            if _zone_fits(policy, place, draft):
                yield from (speaks(policy, draft.said, tag) for tag in place.tags if _names(policy, tag))
            return
        for resource in policy.resources if place.zone == policy.zone else ():
            for one, who in expanded(resource, draft.users):
                if relation(one, place.elements) == "self":
                    path = on_path(one)
                    yield all_of([*who, *([path] if path else []), speaks(policy, draft.said, None)])
    except Unsaid as reason:
        yield draft.said.unknowns.sql(f"{name_of(policy)} speaks", str(reason))
