# SPDX-License-Identifier: Apache-2.0
"""What of an entity is looked at: fields without a pii tag, columns that only expressions read, live columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dictamesh.runtime.scan.columns import member_values
from dictamesh.runtime.scan.formats import FORMATS
from dictamesh.runtime.scan.sampling import Sample
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions.tree import columns
from dictamesh.specs.model.product import SourceColumnSpec
from dictamesh.specs.resolve.lookalikes import excluded
from dictamesh.specs.resolve.sensitivity import Vocabulary
from dictamesh.specs.resolved import Field, ResolvedEntity
from dictamesh.specs.types import STRING, Kind, Type

_SILENT = frozenset({Kind.BYTES, Kind.BOOLEAN})
_NAME = re.compile(r"[^\W\d][\w .$/-]{0,127}")
_SURE = 0.01  # base rate below which a format is met by no chance

What = Literal["field", "declared", "live"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a proposal is for: a field (`path` from the entity), a declared source column, or a live one.

    `site` is where the field or the declared column is written, for a live column the entity. `live_type` is in the
    words of the source.
    """

    entity: str
    what: What
    path: str
    site: Site
    column: str | None
    live_type: str = ""

    @property
    def address(self) -> str:
        return f"{self.entity}.{self.path}" if self.what == "field" else self.entity


@dataclass(frozen=True, slots=True)
class Values:
    """Sampled values; they are not shown, whoever prints what holds them."""

    of: Sequence[Any] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """A target with its names, the type of its single values, a sample of these, and the tags that it has already."""

    target: Target
    names: tuple[str, ...]
    type: Type
    values: Values
    tags: frozenset[str] = frozenset()


def subjects(entity: ResolvedEntity, sample: Sample, words: Vocabulary) -> Iterator[Subject]:
    """What is to be looked at of one entity; what the product has excluded or tagged is not."""
    quiet = excluded(entity.product, entity.model.name)
    for each in (*_fields(entity, sample), *_declared(entity, sample, words), *_live(entity, sample)):
        target = each.target
        if target.path not in quiet and (target.column or "") not in quiet and each.type.kind not in _SILENT:
            yield each


def readers(entity: ResolvedEntity) -> dict[str, list[Field]]:
    """The computed fields that read a source column, by the column's name without case."""
    found: dict[str, list[Field]] = {}
    for each in entity.fields.values():
        if each.column is None:
            for name in {path[0].casefold() for path in columns(each.expr)}:
                found.setdefault(name, []).append(each)
    return found


def _fields(entity: ResolvedEntity, sample: Sample) -> Iterator[Subject]:
    for name, top in entity.fields.items():
        for path, leaf, values in member_values(top, sample.fields.get(name, ())):
            if leaf.pii:
                continue
            target = Target(entity.address, "field", path, leaf.site, leaf.column)
            names = tuple(dict.fromkeys(filter(None, (leaf.name, leaf.column))))
            yield Subject(target, names, _single(leaf.type), Values(values), frozenset(leaf.tags))


def _single(type_: Type) -> Type:
    while type_.kind is Kind.ARRAY and type_.item is not None:
        type_ = type_.item
    return type_


def _declared(entity: ResolvedEntity, sample: Sample, words: Vocabulary) -> Iterator[Subject]:
    types = {column.name: column.type for column in entity.source.columns}
    read = readers(entity)
    for name, spec in entity.binding.columns.items():
        if isinstance(spec, SourceColumnSpec) and words.is_pii(spec.tags):
            continue
        known = read.get(name.casefold(), [])
        if known and all(each.pii for each in known):
            continue
        site = entity.product_site / "source" / entity.model.name / "columns" / name
        target = Target(entity.address, "declared", name, site, name)
        tags = frozenset(spec.tags) if isinstance(spec, SourceColumnSpec) else frozenset[str]()
        yield Subject(target, (name,), types.get(name, STRING), Values(sample.columns.get(name, ())), tags)


def _live(entity: ResolvedEntity, sample: Sample) -> Iterator[Subject]:
    for column in sample.live:
        if _is_name(column.name):
            site = entity.site / "name"
            target = Target(entity.address, "live", column.name, site, column.name, column.type)
            yield Subject(target, (column.name,), STRING, Values(sample.columns.get(column.name, ())))


def _is_name(text: str) -> bool:
    """Whether a text can be the name of a column: the first line of a file without a header holds values instead."""
    sure = (each for each in FORMATS if each.base_rate <= _SURE)
    return _NAME.fullmatch(text) is not None and not any(each.check(text) for each in sure)


def by_column(entity: ResolvedEntity) -> Mapping[str, list[tuple[str, Field]]]:
    """The leaves of plain fields by the path of the column that each reads, without case."""
    found: dict[str, list[tuple[str, Field]]] = {}
    for name, each in entity.fields.items():
        if each.column is not None:
            for path, column, leaf in _leaves(each, name, each.column):
                found.setdefault(column.casefold(), []).append((path, leaf))
    return found


def _leaves(field_: Field, path: str, column: str) -> Iterator[tuple[str, str, Field]]:
    if not field_.members:
        yield path, column, field_
    for member in field_.members:
        yield from _leaves(member, f"{path}.{member.name}", f"{column}.{member.column or member.name}")
