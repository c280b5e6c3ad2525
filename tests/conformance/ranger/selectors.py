# SPDX-License-Identifier: Apache-2.0
"""Resources of Ranger's policies as `match` of ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dictamesh.specs.resolve.matching import glob
from tests.conformance.ranger.model import Pattern, Reason, Resource, Unsaid
from tests.conformance.ranger.names import NoGlob, globbed, quoted, word
from tests.conformance.ranger.places import SELF, Place, relation
from tests.conformance.ranger.speech import CURRENT, EXPRESSION, OWNER, PARTS

Match = dict[str, Any]
Users = Mapping[str, Mapping[str, str]]
"""Everybody whom the questions name, with attributes."""


def expanded(resource: Resource, users: Users) -> Iterator[tuple[Resource, list[str]]]:
    """A resource whose names hold {USER} or the like, written out for everybody known, with the condition who it is."""
    if not any(_tokens(pattern) for pattern in resource):
        yield resource, []
        return
    for user, attributes in users.items():
        try:
            filled = tuple(_filled(pattern, user, attributes) for pattern in resource)
        except KeyError:  # whoever lacks the attribute matches nothing
            continue
        yield filled, [f"principal.user = {quoted(user)}"]


def _tokens(pattern: Pattern) -> bool:
    if pattern.level.path:
        return False
    found = [part for text in pattern.values for part in PARTS.findall(text)]
    if pattern.level.tokens and OWNER in found:
        raise Unsaid(Reason.OWNER_NAME)
    return any(part == CURRENT if part in {CURRENT, OWNER} else pattern.level.expressions for part in found)


def _filled(pattern: Pattern, user: str, attributes: Mapping[str, str]) -> Pattern:
    if pattern.level.path:
        return pattern
    return replace(pattern, values=tuple(_fill(text, user, attributes) for text in pattern.values))


def _fill(text: str, user: str, attributes: Mapping[str, str]) -> str:
    parts = []
    for part in PARTS.split(text):
        if part.startswith("${{"):
            found = EXPRESSION.match(part)
            if found is None:
                raise Unsaid(Reason.RESOURCE_EXPRESSION)
            parts.append(user if found[1] == "_name" else attributes[found[1]])
        else:
            parts.append(user if part == CURRENT else part)
    return "".join(parts)


def matching(resource: Resource, places: Iterable[Place]) -> Match | None:
    """What matches exactly the known places that a resource matches; None where there are none.

    Globs say it where they can, else the fields are listed by name.
    """
    known = list(places)
    try:
        return _globs(resource, known)
    except (NoGlob, Unsaid):
        listed = sorted(place.address for place in known if relation(resource, place.elements) == "self")
        return {"fields": listed} if listed else None


def _globs(resource: Resource, known: list[Place]) -> Match | None:
    def open_from(depth: int) -> bool:
        return all(each.any and not each.excludes for each in resource[depth:])

    first, rest = resource[0], resource[1:]
    match: Match = {"products": _names(first, "{kind}.{name}") if not first.level.path else [word(first.level.name)]}
    entities, fields = [f"*__{SELF}"], [SELF]
    if rest and not rest[0].level.path:
        entities = _names(rest[0], "*__{kind}_{name}")
    last = resource[-1]
    if last.level.path:
        fields = [f"{word(last.level.name)}_*"]
    elif len(resource) == 3:
        fields = _names(last, "{kind}_{name}")
    match |= {"entities": entities, "fields": fields}
    for depth, key, own in ((0, "products", SELF), (1, "entities", f"*__{SELF}"), (len(resource) - 1, "fields", SELF)):
        if open_from(depth) and own not in match[key]:
            match[key].append(own)
    excluded = [
        (key, each) for key, each in zip(match, resource, strict=False) if each.excludes and not each.level.path
    ]
    if len(excluded) > 1 or (excluded and excluded[0][1].any):
        raise NoGlob
    return _known(match, excluded, known)


def _names(pattern: Pattern, form: str) -> list[str]:
    kind = word(pattern.level.name)
    values = ["*"] if pattern.any or pattern.excludes else [globbed(text, pattern.level) for text in pattern.values]
    return [form.format(kind=kind, name=value) for value in dict.fromkeys(values)]


def _known(match: Match, excluded: list[tuple[str, Pattern]], known: list[Place]) -> Match | None:
    """Leave out what names nothing, for that is an error in a policy of ours."""
    names: dict[str, Callable[[Place], str]] = {
        "products": lambda place: place.product,
        "entities": lambda place: place.entity,
        "fields": lambda place: place.field,
    }

    def present(key: str, patterns: Iterable[str]) -> list[str]:
        there = {names[key](place) for place in known}
        return [pattern for pattern in patterns if any(map(glob(pattern), there))]

    kept: Match = {key: present(key, patterns) for key, patterns in match.items()}
    if not all(kept.values()):
        return None
    for key, pattern in excluded:
        form = {"products": "{kind}.{name}", "entities": "*__{kind}_{name}", "fields": "{kind}_{name}"}[key]
        named = replace(pattern, excludes=False)
        without = present(key, _names(named, form))
        if without:
            kept["except"] = {key: without}
    return kept
