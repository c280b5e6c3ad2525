# SPDX-License-Identifier: Apache-2.0
"""The schemas of a mesh's topics in a registry: all compared before any is registered (SR-1, SR-3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from dictamesh.runtime.bus.codec import thawed
from dictamesh.runtime.bus.registry import Registered, RegistryRefused, SchemaRegistry
from dictamesh.runtime.bus.topics import Wanted
from dictamesh.runtime.compile.system_topics import SCHEMA
from dictamesh.runtime.diff.schemas import avro_faults

Schema = Mapping[str, Any]


class Incompatible(Exception):  # noqa: N818 - the name says what is the case
    """A topic's schema does not fit the one that its registry holds; `place` names the field."""

    def __init__(self, topic: str, place: str, reason: str, level: str) -> None:
        super().__init__(f"the schema of topic {topic} is not {level} compatible: {place}: {reason}")
        self.topic = topic
        self.place = place


@dataclass(slots=True)
class Schemas:
    """What a registry knows of some topics; `ids` are of the schemas that this mesh writes by, by topic."""

    registry: SchemaRegistry
    level: str
    ids: dict[str, int] = field(default_factory=dict, init=False)
    _known: dict[str, Schema] = field(default_factory=dict, init=False, repr=False)

    async def check(self, topics: Mapping[str, Wanted]) -> None:
        """Compare every schema with those registered, and change nothing.

        Raises Incompatible, `RegistryUnavailable` and `RegistryRefused`.
        """
        for name, topic in topics.items():
            schema = schema_of(topic)
            for before in await self._earlier(subject(name)):
                fault = next(faults(schema, before.schema, self.level), None)
                if fault is not None:
                    raise Incompatible(name, *fault, self.level)

    async def register(self, topics: Mapping[str, Wanted]) -> None:
        """Register the schemas that are new, and know the ids of all; raises as `check` does."""
        for name, topic in topics.items():
            schema = schema_of(topic)
            if self._known.get(name) == schema and name in self.ids:
                continue
            await self.registry.set_compatibility(subject(name), self.level)
            try:
                self.ids[name] = await self.registry.register(subject(name), thawed(schema))
            except RegistryRefused as refused:
                if refused.status == 409:
                    raise Incompatible(name, "/", "the registry refuses it", self.level) from None
                raise
            self._known[name] = schema

    async def _earlier(self, name: str) -> list[Registered]:
        latest = await self.registry.latest(name)
        if latest is None or self.level == "NONE":
            return []
        if self.level != "BACKWARD_TRANSITIVE":
            return [latest]
        numbers = await self.registry.versions(name)
        found = [await self.registry.version(name, number) for number in numbers]
        return [each for each in found if each is not None]


def subject(topic: str) -> str:
    """Return the name under which the schema of a topic's values is registered."""
    return f"{topic}-value"


def schema_of(topic: Wanted) -> Schema:
    """Return the Avro schema of what a topic bears."""
    return topic.entity.avro if topic.entity is not None else SCHEMA


def faults(new: Any, old: Any, level: str) -> Iterator[tuple[str, str]]:
    """Yield in what two schemas do not fit at a level: (field, reason)."""
    if level in {"BACKWARD", "BACKWARD_TRANSITIVE", "FULL"}:
        yield from named_faults(new, old)
    if level in {"FORWARD", "FULL"}:
        yield from named_faults(old, new)


def named_faults(reader: Any, writer: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield why a reader's schema cannot read a writer's, down to the fields of records, nullable ones included."""
    found = avro_faults(reader, writer)
    if not found:
        return
    pairs = _common(reader, writer)
    deeper = [each for name, (own, other) in pairs.items() for each in _below(own, other, f"{at}.{name}".lstrip("."))]
    if deeper:
        yield from deeper
        return
    place, reason = found[0]
    named = _named(reader, place)
    yield ".".join(filter(None, (at, named))) or "/", reason


def _below(reader: Any, writer: Any, at: str) -> Iterator[tuple[str, str]]:
    try:
        yield from named_faults(reader, writer, at)
    except Exception:  # noqa: BLE001 - a part that names a type declared elsewhere cannot be read alone
        return


def _common(reader: Any, writer: Any) -> dict[str, tuple[Any, Any]]:
    """The types of the fields that two records share; a nullable record is one."""
    ours, theirs = _record(reader), _record(writer)
    if ours is None or theirs is None:
        return {}
    types = {each["name"]: each["type"] for each in theirs["fields"]}
    return {each["name"]: (each["type"], types[each["name"]]) for each in ours["fields"] if each["name"] in types}


def _record(schema: Any) -> Mapping[str, Any] | None:
    if isinstance(schema, list | tuple):
        schema = next((each for each in schema if isinstance(each, Mapping) and each.get("type") == "record"), None)
    return schema if isinstance(schema, Mapping) and schema.get("type") == "record" else None


def _named(schema: Any, place: str) -> str:
    """The names of the fields that a place within a schema leads through."""
    names: list[str] = []
    steps = [step for step in place.split("/") if step]
    for step, after in pairwise([*steps, ""]):
        try:
            schema = schema[int(step)] if step.isdecimal() else schema[step]
            if step == "fields":
                names.append(str(schema[int(after)]["name"]))
        except (KeyError, IndexError, TypeError, ValueError):
            break
    return ".".join(names)
