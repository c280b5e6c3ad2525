# SPDX-License-Identifier: Apache-2.0
"""Which fields and entities a policy governs (S13)."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Agreement
from dictamesh.specs.model.policy import Match, Selector
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.resolve.sensitivity import Vocabulary, covers, unknown_tag
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity
from dictamesh.specs.suggest import suggest

FieldTest = Callable[[ResolvedEntity, Field], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that a policy may name. `every` is each field with its entity, members of objects included."""

    words: Vocabulary
    products: frozenset[str]
    complete: bool  # false where a document could not be read, so that a name may be one of its
    entities: Mapping[str, ResolvedEntity]
    every: tuple[tuple[ResolvedEntity, Field], ...]
    agreements: Mapping[str, Declared[Agreement]] = dataclasses.field(default_factory=dict)


def known(
    words: Vocabulary,
    products: Iterable[str],
    entities: Mapping[str, ResolvedEntity],
    agreements: Mapping[str, Declared[Agreement]],
    *,
    complete: bool,
) -> Known:
    """Gather everything that a policy may name."""
    every = tuple((entity, each) for entity in entities.values() for each in every_field(entity.fields.values()))
    return Known(words, frozenset(products), complete, entities, every, agreements)


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
    return any(names_field(pattern, entity, field) for pattern in selector.fields)


def names_field(pattern: str, entity: ResolvedEntity, field: Field) -> bool:
    """Whether a pattern names a field, or an object that the field belongs to: what binds the whole binds its parts."""
    path = field.address.removeprefix(entity.address + ".")
    matches = glob(pattern)
    while path:
        if matches(spoken(pattern, entity, path)):
            return True
        path = path.rpartition(".")[0]
    return False


def spoken(pattern: str, entity: ResolvedEntity, path: str) -> str:
    """The name of a field in the form that the pattern uses: with product, with entity, or bare."""
    if "#" in pattern:
        return f"{entity.address}.{path}"
    head, dot, _ = pattern.partition(".")
    return f"{entity.model.name}.{path}" if dot and glob(head)(entity.model.name) else path


def matched(match: Match, everything: Known) -> Iterator[tuple[ResolvedEntity, Field]]:
    """Every field that a policy governs, members of objects included; `except` is taken away."""
    unless = match.except_
    bound: dict[str, bool] = {}
    for entity, field in everything.every:
        inside = bound.get(entity.address)
        if inside is None:
            inside = bound[entity.address] = entity_matches(match, entity)
        if not inside or not field_matches(match, entity, field):
            continue
        if unless is None or not (entity_matches(unless, entity) and field_matches(unless, entity, field)):
            yield entity, field


def matched_entities(match: Match, entities: Iterable[ResolvedEntity]) -> Iterator[ResolvedEntity]:
    """Every entity whose rows a policy governs; `except` takes some away."""
    unless = match.except_
    for entity in entities:
        if entity_matches(match, entity) and not (unless is not None and entity_matches(unless, entity)):
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


def check_selector(selector: Selector, site: Site, known: Known, findings: Findings, *, sound: bool) -> None:
    """Record names that nothing in the mesh bears; `sound`: nothing was left out of the selector."""
    if not selector.model_fields_set and sound:
        hint = "Give tags, tiers, products, entities or fields."
        findings.error("DM401", site, "this matches nothing in particular", hint)
    for index, tag in enumerate(selector.tags or ()):
        if not any(covers(tag, other) for other in known.words.tags):
            unknown_tag(tag, known.words, _entry(site / "tags", index), findings)
    for index, tier in enumerate(selector.tiers or ()):
        if tier not in TIERS:
            near = suggest(tier, TIERS)
            hint = f"did you mean '{near}'?" if near else f"The tiers are {', '.join(TIERS)}."
            findings.error("DM205", _entry(site / "tiers", index), f"unknown tier '{tier}'", hint)
    if known.complete:
        _check_names(selector, site, known, findings)
    if isinstance(selector, Match) and selector.except_ is not None:
        check_selector(selector.except_, site / "except", known, findings, sound=sound)


def _check_names(selector: Selector, site: Site, known: Known, findings: Findings) -> None:
    for index, name in enumerate(selector.products or ()):
        _check_name("product", name, known.products, _entry(site / "products", index), findings)
    types = {entity.model.name for entity in known.entities.values()}
    for index, name in enumerate(selector.entities or ()):
        names = known.entities if "#" in name else types
        _check_name("entity", name, names, _entry(site / "entities", index), findings)
    for index, pattern in enumerate(selector.fields or ()):
        if not any(names_field(pattern, *each) for each in known.every):
            names = {spoken(pattern, entity, _path(entity, field)) for entity, field in known.every}
            _unknown("field", pattern, names, _entry(site / "fields", index), findings)


def _path(entity: ResolvedEntity, field: Field) -> str:
    return field.address.removeprefix(entity.address + ".")


def _check_name(what: str, name: str, names: Iterable[str], site: Site, findings: Findings) -> None:
    if not any(map(glob(name), names)):
        _unknown(what, name, names, site, findings)


def _entry(site: Site, index: int) -> Site:
    return site / index if (site / index).exists else site


def _unknown(what: str, name: str, names: Iterable[str], site: Site, findings: Findings) -> None:
    if is_glob(name):
        findings.error("DM402", site, f"no {what} matches '{name}'", "Correct the pattern, or remove it.")
        return
    near = suggest(name, sorted(names))
    hint = f"did you mean '{near}'?" if near else f"No {what} of this mesh has that name."
    findings.error("DM402", site, f"unknown {what} '{name}'", hint)
