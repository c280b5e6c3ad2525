# SPDX-License-Identifier: Apache-2.0
"""From sampled rows to columns of single values: members of objects, entries of lists, JSON within text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from dictamesh.runtime.adapters.cells import CellError
from dictamesh.runtime.scan.column import Column, leaves
from dictamesh.runtime.scan.formats.contact import known_region
from dictamesh.specs.pii import joined
from dictamesh.specs.resolved import Field

_MOST_PATHS = 50  # paths of keys within one column of documents
_MOST_JSON = 64 * 1024  # characters of a text that is read as JSON
_COUNTRY = frozenset(
    ("country", "countrycode", "land", "pays", "pais", "paese", "nation", "region", "landcode", "iso2")
)
_REGIONS = 8


def member_values(field: Field, values: Sequence[Any]) -> Iterator[tuple[str, Field, list[Any]]]:
    """The leaves of a field with their paths below it and their values; the field itself where it has no members."""
    if not field.members:
        yield field.name, field, list(_entries(values))
        return
    for member in field.members:
        inner = [each.get(member.name) for each in _entries(values) if isinstance(each, dict)]
        for path, leaf, found in member_values(member, inner):
            yield f"{field.name}.{path}", leaf, found


def _entries(values: Iterable[Any]) -> Iterator[Any]:
    """Values with lists opened; what is no value is left out as null."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _entries(value)
        else:
            yield None if isinstance(value, CellError) else value


def columns_of(name: str, values: Sequence[Any], *, of_people: bool, regions: tuple[str, ...]) -> list[Column]:
    """A column, or one for each path where its values are documents."""
    if not any(isinstance(value, dict) or _may_be_json(value) for value in values[:20]):
        return [Column(name, tuple(values), of_people=of_people, regions=regions)]
    by_path: dict[str, list[Any]] = {}
    for value in values:
        for path, leaf in leaves(_opened(value)):
            if path in by_path or len(by_path) < _MOST_PATHS:
                by_path.setdefault(path, []).append(leaf)
    return [
        Column(path or name, tuple(found), secret_name=bool(path), of_people=of_people, regions=regions)
        for path, found in by_path.items()
    ]


def _may_be_json(value: Any) -> bool:
    return isinstance(value, str) and value[:1] in {"{", "["} and value[-1:] in {"}", "]"}


def _opened(value: Any) -> Any:
    if not _may_be_json(value) or len(value) > _MOST_JSON:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def regions_of(fields: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """Countries that a field of an entity names by their codes of two letters: national phone numbers are theirs."""
    for name, values in fields.items():
        if joined(name) in _COUNTRY:
            found = dict.fromkeys(value.upper() for value in values if isinstance(value, str) and len(value) == 2)
            regions = tuple(region for region in found if known_region(region))
            if regions:
                return regions[:_REGIONS]
    return ()
