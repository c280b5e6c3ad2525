# SPDX-License-Identifier: Apache-2.0
"""Published schemas compared: GraphQL by graphql-core's change finder, Avro by the rules of schema resolution."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.change import Change, Class


def graphql_changes(old_sdl: str, new_sdl: str) -> Iterator[Change]:
    """Yield the breaking (breaking) and dangerous (review) changes between two schemas; the rest is safe and silent.

    `address` is the coordinate that graphql-core names, such as `Customer.email`.
    """
    if old_sdl == new_sdl:
        return
    # 60 ms that a comparison of equal schemas need not pay
    from graphql import build_schema  # noqa: PLC0415
    from graphql.utilities import find_breaking_changes, find_dangerous_changes  # noqa: PLC0415

    old, new = build_schema(old_sdl), build_schema(new_sdl)
    for each in find_breaking_changes(old, new):
        yield _graphql(Class.BREAKING, each.type.name, each.description)
    for dangerous in find_dangerous_changes(old, new):
        yield _graphql(Class.REVIEW, dangerous.type.name, dangerous.description)


_NAME = r"[A-Za-z_]\w*"
_COORDINATES = (
    re.compile(rf"field (?P<field>{_NAME}) on input type (?P<type>{_NAME}) "),
    re.compile(rf"^(?P<field>{_NAME}) was (?:added to|removed from) (?:enum|union) type (?P<type>{_NAME})\."),
    re.compile(rf" on (?P<type>{_NAME})\.(?P<field>{_NAME}) was added"),
    re.compile(rf"^(?P<type>{_NAME})\.(?P<field>{_NAME})\b"),
    re.compile(rf"^(?P<type>{_NAME})\b"),
)
"""How graphql-core words what a change is about; the finder gives no coordinate of its own."""


def _graphql(cls: Class, kind: str, description: str) -> Change:
    found = next(filter(None, (pattern.search(description) for pattern in _COORDINATES)), None)
    named = found.groupdict() if found else {"type": description}
    coordinate = ".".join(filter(None, (named["type"], named.get("field"))))
    return Change(cls, f"graphql {kind.lower().replace('_', ' ')}", coordinate, None, description)


def avro_changes(old: Plan, new: Plan) -> Iterator[Change]:
    """Yield topics whose new schema cannot read what the old one wrote (BACKWARD compatibility, SR-3)."""
    for address in sorted(old.entities.keys() & new.entities.keys()):
        before, after = old.entities[address], new.entities[address]
        if before.avro == after.avro or before.topic.name != after.topic.name:
            continue
        for place, why in avro_faults(reader=after.avro, writer=before.avro):
            yield Change(Class.BREAKING, "avro", address, place, why, document=f"DataProduct/{after.product}")


def avro_faults(reader: Any, writer: Any) -> tuple[tuple[str, str], ...]:
    """Return why a reader's schema cannot read a writer's: (place in the schema, reason); empty where it can."""
    import json  # noqa: PLC0415 - the library takes text

    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType  # noqa: PLC0415
    from avro.schema import parse  # noqa: PLC0415 - 50 ms that most comparisons need not pay

    checker: Any = ReaderWriterCompatibilityChecker
    schemas = [parse(json.dumps(_plain(each)), validate_enum_symbols=False) for each in (reader, writer)]
    found = checker().get_compatibility(*schemas)
    if found.compatibility is SchemaCompatibilityType.compatible:
        return ()
    places = sorted(map(str, found.locations)) or ["/"]
    reasons = sorted(found.messages) or ["the schemas cannot be resolved"]
    return tuple((place, reasons[min(index, len(reasons) - 1)]) for index, place in enumerate(places))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
