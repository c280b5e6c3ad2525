# SPDX-License-Identifier: Apache-2.0
"""Fields without a pii tag whose names, or those of the columns they read, are names of personal data (GV-9)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Product, Property
from dictamesh.specs.pii import KINDS, KindName, strong_hint
from dictamesh.specs.resolve.sensitivity import Vocabulary
from dictamesh.specs.resolved import Declared, Field
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import Kind, Type

_MOMENTS = frozenset({Kind.DATE, Kind.TIME, Kind.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class Lookalike:
    """What a column seems to hold by its name, in words, and the tag of the taxonomy for it. `kind`: None for a tag's
    own `names`."""

    title: str
    tag: str | None
    kind: KindName | None


def looks_like_pii(name: str, words: Vocabulary) -> Lookalike | None:
    """What a name says of personal data, by the taxonomy's own `names` or by common ones."""
    tag = words.names.tag(name) if words.names else None
    if tag is not None:
        return Lookalike(f"'{tag}'", tag, None) if tag in words.pii else None
    found = strong_hint(name)
    if found is None:
        return None
    return Lookalike(KINDS[found.kind].title, words.choice.tag(found.kind), found.kind)


def can_hold(kind: KindName | None, type_: Type) -> bool:
    """Whether values of a type can be of a kind: a date is at most a date of birth, a choice of few words no name."""
    if kind is None:
        return True
    if type_.kind in _MOMENTS:
        return kind == "birthdate"
    return kind == "special-category" or (type_.kind is not Kind.BOOLEAN and not type_.values)


def excluded(product: Product, entity: str) -> Mapping[str, str]:
    """The fields and columns of an entity that `notPersonal` names, with the reasons."""
    split = ((key.partition("."), reason) for key, reason in product.not_personal.items())
    return {name: reason for (holder, _, name), reason in split if holder == entity}


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Warns of the lookalikes of one entity; `quiet` are names that the product has looked at."""

    words: Vocabulary
    quiet: Mapping[str, str]
    findings: Findings

    def warn(self, model: Property, path: str, read: Iterable[str], type_: Type, place: Site) -> None:
        """Record a field that reads a lookalike; `path` is its name within the entity, `read` are source columns."""
        if path in self.quiet or not all(tag in self.words.tags for tag in model.tags):
            return
        for name, found in self._suspects(model, read, type_):
            told = (
                f"looks like {found.title}" if name == model.name else f"reads '{name}', which looks like {found.title}"
            )
            plain = model.transform_logic is None or name == model.name
            at = place / ("name" if plain else "transformLogic")
            self.findings.warning("DM805", at, f"'{model.name}' {told}, and has no pii tag", _cure(found, model))
            return

    def _suspects(self, model: Property, read: Iterable[str], type_: Type) -> Iterator[tuple[str, Lookalike]]:
        own = looks_like_pii(model.name, self.words)
        if own is not None and can_hold(own.kind, type_):
            yield model.name, own
        for column in read:
            found = looks_like_pii(column, self.words) if column not in self.quiet else None
            if found is not None and (model.transform_logic is not None or can_hold(found.kind, type_)):
                yield column, found


def _cure(found: Lookalike, model: Property) -> str:
    if found.tag is None:
        what = "Declare a tag with 'pii: true' in the taxonomy and add it"
    else:
        what = f"Add {found.tag} to its tags" if model.tags else f"Add 'tags: [{found.tag}]'"
    return f"{what}, or say under 'notPersonal' of the product why it is none."


def check_exclusions(
    product: Declared[Product], fields: Mapping[str, Mapping[str, Field]], columns: Mapping[str, Iterable[str]]
) -> Iterator[tuple[str, Site, str, str]]:
    """Yield what is wrong with the entries of `notPersonal`: code, place, message, hint.

    `fields` and `columns` are those of the product's entities by name.
    """
    for key in product.model.not_personal:
        at = product.site / "notPersonal" / key
        entity, _, name = key.partition(".")
        if entity not in fields:
            near = suggest(entity, fields)
            hint = f"did you mean '{near}'?" if near else f"The entities here are: {', '.join(fields)}."
            yield "DM203", at, f"this product has no entity '{entity}'", f"{hint} Write Entity.field."
            continue
        known = {**dict.fromkeys(columns[entity]), **dict(paths(fields[entity]))}
        if name not in known:
            near = suggest(name, known)
            hint = f"did you mean '{entity}.{near}'?" if near else "Name a field, or a column of source.*.columns."
            yield "DM813", at, f"'{entity}' has no field or declared column '{name}', so this excludes nothing", hint
            continue
        field = known[name]
        if field is not None and field.pii:
            hint = "Remove one of the two."
            yield "DM812", at, f"'{key}' has a pii tag, and is said here to be no personal data", hint


def paths(fields: Mapping[str, Field]) -> Iterator[tuple[str, Field]]:
    """Every field of an entity and every member of its objects by its path of names."""
    for name, field in fields.items():
        yield name, field
        for path, member in paths({each.name: each for each in field.members}):
            yield f"{name}.{path}", member
