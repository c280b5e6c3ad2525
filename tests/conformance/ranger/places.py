# SPDX-License-Identifier: Apache-2.0
"""Resources as fields of a mesh: the first level is a product, the second an entity, the third a field.

A resource of fewer levels is the field `self` of its entity, or of the entity `self` of its product. A path is a field
of its own, and in the rows of its entity the column `path`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from tests.conformance.ranger.model import (
    ACCESS,
    Elements,
    Level,
    Pattern,
    Reason,
    Resource,
    Service,
    Tag,
    Unsaid,
    Zone,
)
from tests.conformance.ranger.names import word, written

SELF = "self"
OTHERS = tuple("zqkwvyxjbpgfmcdlhrstnuaieo0123456789")
"""Names of which one is not among those that are excluded."""

TOKENS = re.compile(r"\$\{\{.*?\}\}|\{USER\}|\{OWNER\}")
Relation = Literal["self", "below", "above"]
Ordered = tuple[tuple[Level, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A resource that may be asked for; `zone` is empty outside all zones."""

    elements: Ordered
    product: str
    entity: str
    field: str
    path: str | None
    tags: tuple[Tag, ...]
    zone: str

    @property
    def address(self) -> str:
        return f"{self.product}#{self.entity}.{self.field}"


@dataclass(slots=True)
class Places:
    """The resources that a setting's questions are about."""

    service: Service
    tagged: tuple[tuple[Resource, tuple[Tag, ...]], ...]
    zones: tuple[Zone, ...]
    extra: tuple[Tag, ...] = ()  # what every request says of its resource
    known: dict[Ordered, Place] = field(default_factory=dict)
    _paths: dict[tuple[str, str], str] = field(default_factory=dict)

    def place(self, elements: Elements) -> Place | None:
        """The place of a resource; None where Ranger has no such levels, so that no policy matches."""
        chain = self.service.chain(frozenset(elements), ACCESS)
        if chain is None:
            return None
        ordered = tuple((level, elements[level.name]) for level in chain)
        found = self.known.get(ordered)
        if found is None:
            found = self.known[ordered] = self._made(ordered)
        return found

    def _made(self, ordered: Ordered) -> Place:
        if len(ordered) > 3 or any(not level.separator for level, _ in ordered):
            raise Unsaid(Reason.LEVELS if len(ordered) > 3 else Reason.MATCHER)
        if any(level.path for level, _ in ordered[:-1]):
            raise Unsaid(Reason.BELOW_PATH)
        path = next((value for level, value in ordered if level.path), None)
        names = [f"{word(level.name)}_{written(value, level)}" for level, value in ordered if not level.path]
        product = SELF
        if ordered:
            level, value = ordered[0]
            product = word(level.name) if level.path else f"{word(level.name)}.{written(value, level)}"
        entity = f"{product.replace('.', '_')}__{names[1] if len(names) > 1 else SELF}"
        last = self._path(product, ordered[-1]) if path is not None else names[2] if len(names) > 2 else SELF
        return Place(ordered, product, entity, last, path, self._tags(ordered), self._zone(ordered))

    def _path(self, product: str, last: tuple[Level, str]) -> str:
        key = (product, last[1])
        return self._paths.setdefault(key, f"{word(last[0].name)}_{len(self._paths) + 1}")

    def _tags(self, ordered: Ordered) -> tuple[Tag, ...]:
        borne = [tag for one, tags in self.tagged if relation(one, ordered) in {"self", "above"} for tag in tags]
        return tuple(dict.fromkeys([*self.extra, *borne]))

    def _zone(self, ordered: Ordered) -> str:
        within = {
            zone.name
            for zone in self.zones
            if any(relation(one, ordered) in {"self", "above"} for one in zone.resources)
        }
        return within.pop() if len(within) == 1 else ""


def relation(resource: Resource, ordered: Ordered) -> Relation | None:
    """How a resource of a policy lies to a place: it is the place, is below it or above. Tokens may be anything."""
    common = min(len(resource), len(ordered))
    for pattern, (level, value) in zip(resource[:common], ordered[:common], strict=True):
        if pattern.level.name != level.name or not matches(pattern, value):
            return None
    if len(resource) <= len(ordered):
        return "self" if len(resource) == len(ordered) else "above"
    return "self" if all(pattern.any and not pattern.excludes for pattern in resource[common:]) else "below"


def matches(pattern: Pattern, value: str) -> bool:
    """Whether a value of a level matches, or may: a token such as {USER} stands for anything."""
    if pattern.any:
        return not pattern.excludes
    if value in {"", "*"}:
        return False
    if pattern.excludes and any(TOKENS.search(text) for text in pattern.values):
        return True
    return any(_matcher(pattern, text)(value) for text in pattern.values) != pattern.excludes


@lru_cache(maxsize=4096)
def _matcher(pattern: Pattern, text: str) -> Callable[[str], object]:
    level, slash = pattern.level, re.escape(pattern.level.separator)
    if level.path and pattern.recursive and level.wildcard and text.endswith(level.separator):
        text += "*"
    body = "".join(_part(each, level) for each in re.split(r"(\$\{\{.*?\}\}|\{USER\}|\{OWNER\}|[*?])", text) if each)
    if level.path and pattern.recursive:
        body = f"{body.removesuffix(slash)}({slash}.*)?"
    return re.compile(body + r"\Z", re.DOTALL | (re.IGNORECASE if level.ignore_case else 0)).match


def _part(text: str, level: Level) -> str:
    if (level.tokens and text in {"{USER}", "{OWNER}"}) or (level.expressions and text.startswith("${{")):
        return ".*"
    if level.wildcard and text in {"*", "?"}:
        return ".*" if text == "*" else "."
    return re.escape(text)


def witness(pattern: Pattern, user: str | None) -> Iterator[str]:
    """Values of a level that match: one for each of the pattern's."""
    if pattern.excludes:
        yield from [each for each in OTHERS if matches(pattern, each)][:1]
        return
    for text in ["anything"] if pattern.any else pattern.values:
        filled = text.replace("{USER}", user or "") if pattern.level.tokens else text
        filled = filled.replace("${{USER._name}}", user or "") if pattern.level.expressions else filled
        yield filled.replace("*", "w").replace("?", "q") if pattern.level.wildcard else filled


def within(resource: Resource, ordered: Ordered, user: str | None) -> Iterator[Elements]:
    """Resources below a place that a policy's resource matches."""
    if relation(resource, ordered) is None or len(resource) <= len(ordered):
        return
    given = {level.name: value for level, value in ordered}
    found: list[dict[str, str]] = [given]
    for pattern in resource[len(ordered) :]:
        found = [{**one, pattern.level.name: value} for one in found for value in witness(pattern, user)]
    yield from found


def starting(resource: Resource, ordered: Ordered, user: str | None, told: str) -> Iterator[Elements]:
    """Resources that a policy's resource matches, whose last value begins with a place's, or lies right below it.

    `told` is SELF_OR_PREFIX or SELF_OR_CHILD.
    """
    if len(resource) < len(ordered) or not ordered:
        return
    level, value = ordered[-1]
    same = [(pattern.level.name, one[0].name) for pattern, one in zip(resource, ordered, strict=False)]
    if any(ours != theirs for ours, theirs in same) or not all(each.any for each in resource[len(ordered) :]):
        return
    if not all(matches(pattern, one[1]) for pattern, one in zip(resource, ordered[:-1], strict=False)):
        return
    start = {one.name: text for one, text in ordered[:-1]}
    for text in witness(resource[len(ordered) - 1], user):
        if _leads(value, text, level, told):
            yield {**start, level.name: text}


def _leads(value: str, text: str, level: Level, told: str) -> bool:
    if level.ignore_case:
        value, text = value.lower(), text.lower()
    if told == "SELF_OR_PREFIX":
        return text.startswith(value)
    slash = level.separator
    return text.rstrip(slash).rpartition(slash)[0] == value.removesuffix(slash)


def zone_tags(zones: Iterable[Zone]) -> dict[str, str]:
    """The tag of each zone, and under the empty name that of what lies outside all; none without zones."""
    names = [zone.name for zone in zones]
    return {name: f"zone.z{number}" for number, name in enumerate(["", *names])} if names else {}
