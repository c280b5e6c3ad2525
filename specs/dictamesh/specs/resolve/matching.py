# SPDX-License-Identifier: Apache-2.0
"""Which fields and entities a policy governs (S13)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model.policy import Match, Selector
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.resolve.sensitivity import Vocabulary, covers
from dictamesh.specs.resolved import Field, ResolvedEntity
from dictamesh.specs.suggest import suggest

FieldTest = Callable[[ResolvedEntity, Field], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that a selector may name."""

    words: Vocabulary
    products: frozenset[str]
    complete: bool  # false where a document could not be read, so that a name may be one of its
    entities: Mapping[str, ResolvedEntity]


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Callable[[str], object]:
    """A matcher for a name with `*` and `?`; every other character stands for itself."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts) + r"\Z", re.DOTALL).match


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def entity_matches(selector: Selector, entity: ResolvedEntity) -> bool:
    """Whether the `products` and `entities` of a selector hold for an entity."""
    if selector.products is not None and not any(glob(p)(entity.product.name) for p in selector.products):
        return False
    if selector.entities is None:
        return True
    return any(glob(p)(entity.address if "#" in p else entity.model.name) for p in selector.entities)


def field_matches(selector: Selector, entity: ResolvedEntity, field: Field) -> bool:
    """Whether `tags`, `tiers` and `fields` of a selector hold for a field; the entity is tested apart."""
    if selector.tags is not None and not any(covers(tag, mine) for tag in selector.tags for mine in field.tags):
        return False
    if selector.tiers is not None and field.tier not in selector.tiers:
        return False
    if selector.fields is None:
        return True
    return any(glob(pattern)(spoken(pattern, entity, field)) for pattern in selector.fields)


def spoken(pattern: str, entity: ResolvedEntity, field: Field) -> str:
    """The name of a field in the form that the pattern uses: with product, with entity, or bare."""
    path = field.address.removeprefix(entity.address + ".")
    if "#" in pattern:
        return field.address
    head, dot, _ = pattern.partition(".")
    return f"{entity.model.name}.{path}" if dot and glob(head)(entity.model.name) else path


def matched(match: Match, entities: Iterable[ResolvedEntity]) -> Iterator[tuple[ResolvedEntity, Field]]:
    """Every field that a policy governs, members of objects included; `except` is taken away."""
    unless = match.except_
    for entity in entities:
        if not entity_matches(match, entity):
            continue
        excluded = unless is not None and entity_matches(unless, entity)
        for field in every_field(entity.fields.values()):
            if field_matches(match, entity, field) and not (
                excluded and unless is not None and field_matches(unless, entity, field)
            ):
                yield entity, field


def matched_entities(match: Match, entities: Iterable[ResolvedEntity]) -> Iterator[ResolvedEntity]:
    """Every entity whose rows a policy governs; an `except` that names only products or entities takes some away."""
    unless = match.except_
    for entity in entities:
        whole = unless is not None and unless.tags is None and unless.tiers is None and unless.fields is None
        if entity_matches(match, entity) and not (whole and unless is not None and entity_matches(unless, entity)):
            yield entity


def every_field(fields: Iterable[Field]) -> Iterator[Field]:
    """Fields and, below objects, their members."""
    for field in fields:
        yield field
        yield from every_field(field.members)


def by_name(match: Match) -> bool:
    """Whether an allow of this policy counts on sensitive fields: it binds by tag, tier or a field's own name (S16)."""
    named = match.fields is not None and not any(is_glob(text.rpartition(".")[2]) for text in match.fields)
    return match.tags is not None or match.tiers is not None or named


def check_selector(selector: Selector, site: Site, known: Known, findings: Findings) -> None:
    """Record names that nothing in the mesh bears."""
    if not selector.model_fields_set:
        findings.error(
            "DM401", site, "this matches nothing in particular", "Give tags, tiers, products, entities or fields."
        )
    for index, tag in enumerate(selector.tags or ()):
        if tag not in known.words.tags and not any(covers(tag, other) for other in known.words.tags):
            _unknown("DM204", "tag", tag, known.words.tags, _entry(site / "tags", index), findings)
    for index, tier in enumerate(selector.tiers or ()):
        if tier not in TIERS:
            _unknown("DM205", "tier", tier, TIERS, _entry(site / "tiers", index), findings)
    if known.complete:
        _check_names(selector, site, known, findings)
    if isinstance(selector, Match) and selector.except_ is not None:
        check_selector(selector.except_, site / "except", known, findings)


def _check_names(selector: Selector, site: Site, known: Known, findings: Findings) -> None:
    for index, name in enumerate(selector.products or ()):
        if not is_glob(name) and name not in known.products:
            _unknown("DM402", "product", name, known.products, _entry(site / "products", index), findings)
    types = {entity.model.name for entity in known.entities.values()}
    for index, name in enumerate(selector.entities or ()):
        names = set(known.entities) if "#" in name else types
        if not is_glob(name) and name not in names:
            _unknown("DM402", "entity", name, names, _entry(site / "entities", index), findings)
    fields = [(entity, field) for entity in known.entities.values() for field in every_field(entity.fields.values())]
    for index, pattern in enumerate(selector.fields or ()):
        if not any(glob(pattern)(spoken(pattern, entity, field)) for entity, field in fields):
            names = {spoken(pattern, entity, field) for entity, field in fields}
            _unknown("DM402", "field", pattern, names, _entry(site / "fields", index), findings)


def _entry(site: Site, index: int) -> Site:
    return site / index if (site / index).exists else site


def _unknown(code: str, what: str, name: str, names: Iterable[str], site: Site, findings: Findings) -> None:
    near = suggest(name, names)
    hint = f"did you mean '{near}'?" if near else f"Nothing in this mesh is a {what} of that name."
    findings.error(code, site, f"unknown {what} '{name}'", hint)
