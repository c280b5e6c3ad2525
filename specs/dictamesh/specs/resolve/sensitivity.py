# SPDX-License-Identifier: Apache-2.0
"""Tiers and tags: what is declared, what is carried along, and what is declared too low (S2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model.taxonomy import TIERS, Taxonomy
from dictamesh.specs.pii import Names, TagChoice
from dictamesh.specs.suggest import suggest

RANKS: Mapping[str | None, int] = {tier: position for position, tier in enumerate(TIERS)}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tags of the taxonomy: every tag by its full name, and which of them are personal data (S6).

    `complete` is false where a part of it could not be read, so that an unknown tag may be one of its. `names` are
    names of columns that it ties to tags, `choice` tells which tag means a kind of personal data.
    """

    tags: frozenset[str]
    pii: frozenset[str]
    file: str
    complete: bool = True
    names: Names = field(default_factory=lambda: Names({}))
    choice: TagChoice = field(default_factory=TagChoice)

    def is_pii(self, tags: Iterable[str]) -> bool:
        return any(tag in self.pii for tag in tags)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A tier (None: none declared, which counts as restricted) and tags."""

    tier: str | None
    tags: frozenset[str]

    @property
    def rank(self) -> int:
        return rank(self.tier)


def rank(tier: str | None) -> int:
    """Where a tier stands; higher is more sensitive, no tier is as high as `restricted`."""
    return RANKS.get(tier, len(TIERS) - 1)


def join(parts: Iterable[Sensitivity]) -> Sensitivity:
    """The highest tier and the union of tags; public and no tags of nothing."""
    tier, tags = 0, frozenset[str]()
    for part in parts:
        tier, tags = max(tier, part.rank), tags | part.tags
    return Sensitivity(TIERS[tier], tags)


def covers(tag: str, other: str) -> bool:
    """Whether `tag` is `other` or an ancestor of it."""
    return other == tag or other.startswith(tag + ".")


def vocabulary(taxonomy: Taxonomy, file: str, *, complete: bool) -> Vocabulary:
    """Spell out every tag with its children; a child is personal data where its parent is."""
    tags: set[str] = set()
    pii: set[str] = set()
    for name, tag in taxonomy.tags.items():
        names = [name, *(f"{name}.{child}" for child in tag.children)]
        tags.update(names)
        if tag.pii:
            pii.update(names)
    personal = {tag for tag in tags for parent in pii if covers(parent, tag)}
    every = frozenset(personal | pii)
    detects = {kind: name for name, tag in reversed(taxonomy.tags.items()) for kind in tag.detects if name in every}
    own = Names({name: tag.names for name, tag in taxonomy.tags.items() if tag.names})
    return Vocabulary(frozenset(tags), every, file, complete, own, TagChoice(every, detects))


def declared(tier: str | None, tags: Iterable[str], site: Site, words: Vocabulary, findings: Findings) -> Sensitivity:
    """Check a `classification` and `tags` as written at `site`; unknown ones are recorded and left out."""
    if tier is not None and tier not in TIERS:
        near = suggest(tier, TIERS)
        hint = f"did you mean '{near}'?" if near else f"The tiers are {', '.join(TIERS)}."
        findings.error("DM205", site / "classification", f"unknown tier '{tier}'", hint)
        tier = None
    known: set[str] = set()
    for index, tag in enumerate(tags):
        if tag in words.tags:
            known.add(tag)
            continue
        unknown_tag(tag, words, site / "tags" / index, findings)
    return Sensitivity(tier, frozenset(known))


def unknown_tag(tag: str, words: Vocabulary, at: Site, findings: Findings) -> None:
    """Record a tag that the taxonomy does not have, unless the taxonomy could not be read."""
    if not words.complete:
        return
    near = suggest(tag, sorted(words.tags))
    where = f"Tags are declared in {words.file}." if words.file else "No Taxonomy document declares any tag."
    hint = f"did you mean '{near}'? {where}" if near else where
    findings.error("DM204", at, f"unknown tag '{tag}'", hint)


def check_carried(own: Sensitivity, carried: Sensitivity, what: str, site: Site, findings: Findings) -> Sensitivity:
    """Record where a field declares less than it carries; return what it effectively has."""
    if own.rank < carried.rank:
        place = site / "classification"
        hint = f"Write 'classification: {carried.tier}', or read less."
        findings.error("DM206", place, f"'{own.tier}' is lower than '{carried.tier}', which {what} carries", hint)
    missing = sorted(tag for tag in carried.tags if not any(covers(tag, mine) for mine in own.tags))
    if missing:
        place = site / "tags" if (site / "tags").exists else site / "name"
        hint = f"Add {', '.join(missing)} to its tags."
        findings.error("DM207", place, f"the tags of {what} are missing: {', '.join(missing)}", hint)
    return join([own, carried])
