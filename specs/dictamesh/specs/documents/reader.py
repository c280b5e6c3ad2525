# SPDX-License-Identifier: Apache-2.0
"""YAML text to trees of nodes, through libyaml's event stream.

Refused with a diagnostic: tags, merge keys, duplicate keys, keys that are not text, aliases that are unknown or
recursive, and whatever exceeds `MAX_NODES` or `MAX_DEPTH`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from dictamesh.specs.diagnostics import Findings, Source
from dictamesh.specs.documents.faults import report_syntax
from dictamesh.specs.documents.nodes import Collection, Mapping, Node, Place, Plain, Scalar, Sequence
from dictamesh.specs.documents.scalars import NumberRangeError, resolve

MAX_NODES = 100_000
"""Values in a file, aliases counted as what they stand for."""
MAX_DEPTH = 50
"""Levels of nesting, aliases counted as what they stand for."""

MAX_FAULTS = 1_000
"""Faults in a file after which the rest is not read."""

Event: TypeAlias = Any
"""An event of PyYAML. Its stubs leave the marks optional, which every parser sets."""


class EventStream(Protocol):
    """The part of a PyYAML parser that is used here."""

    def get_event(self) -> Event: ...


class Stop(Exception):  # noqa: N818 - control flow within this module, the finding is already recorded
    """The rest of the file cannot be read."""


def pure_events(text: str) -> EventStream:
    """PyYAML's own parser over a text: the same events, many times slower."""
    return yaml.BaseLoader(text)


def events(text: str) -> EventStream:
    """libyaml's parser over a text, or PyYAML's own where that extension is missing."""
    loader = getattr(yaml, "CBaseLoader", pure_events)
    stream: EventStream = loader(text)
    return stream


def read(source: Source, findings: Findings, parser: Callable[[str], EventStream] = events) -> tuple[Node, ...]:
    """The documents of a file, empty ones left out. Faults are recorded; documents before a syntax error are kept."""
    documents: list[Node] = []
    try:
        tree = _Tree(source, parser(source.text), findings)
        while (node := tree.document()) is not None:
            if node is not _EMPTY:
                documents.append(node)
    except Stop:
        pass
    except yaml.YAMLError as fault:
        report_syntax(fault, source, findings)
    return tuple(documents)


_EMPTY = Scalar(None, -1, -1)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A finished value that aliases may name, with its size in nodes and its height in levels."""

    value: Plain
    node: Collection | None
    nodes: int
    height: int


class _Tree:
    """Builds nodes from events; one per file."""

    def __init__(self, source: Source, stream: EventStream, findings: Findings) -> None:
        self._source = source
        self._next = stream.get_event
        self._findings = findings
        self._faults = 0
        self._anchors: dict[str, _Anchor | None] = {}
        self._nodes = 0
        self._depth = 0
        self._deepest = 0

    def document(self) -> Node | None:
        """The next document, `_EMPTY` for one without content, None at the end of the stream."""
        event = self._next()
        while event is not None and type(event) is not DocumentStartEvent:
            event = self._next()
        if event is None:
            return None
        self._anchors = {}
        first = self._next()
        self._count(1, first)
        node = self._node(first)
        while type(self._next()) is not DocumentEndEvent:
            pass
        if isinstance(node, Scalar) and node.start == node.end:
            return _EMPTY
        return node

    def _node(self, event: Event) -> Node:
        """The value that begins with an event, to its end."""
        if type(event) is ScalarEvent:
            return Scalar(self._scalar(event), *_place(event))
        value, inner = self._compound(event)
        return inner or Scalar(value, *_place(event))

    def _compound(self, event: Event) -> tuple[Plain, Collection | None]:
        """The plain value of a collection or alias, with the collection that is or stands behind it."""
        if type(event) is AliasEvent:
            return self._alias(event)
        node = self._collection(event)
        return node.value, node

    def _count(self, nodes: int, at: Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES:,} values in one file, aliases counted as what they stand for"
            self._report("DM020", _place(at), message)
            raise Stop

    def _reach(self, depth: int, at: Event) -> None:
        if depth > MAX_DEPTH:
            self._report("DM019", _place(at), f"values nested more than {MAX_DEPTH} levels deep")
            raise Stop
        self._deepest = max(self._deepest, depth)

    def _scalar(self, event: Event) -> str | int | float | bool | None:
        value: str | int | float | bool | None = event.value
        if event.tag is not None:
            self._tag(event)
        elif event.implicit[0]:
            try:
                value = resolve(event.value)
            except NumberRangeError:
                self._report("DM021", _place(event), "the number is out of range")
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, None, 1, 0)
        return value

    def _alias(self, event: Event) -> tuple[Plain, Collection | None]:
        name = event.anchor
        if name not in self._anchors:
            self._report("DM017", _place(event), f"no anchor '&{name}' stands before the alias '*{name}'")
            return None, None
        anchor = self._anchors[name]
        if anchor is None:
            self._report("DM018", _place(event), f"the alias '*{name}' stands within the value it names")
            return None, None
        self._count(anchor.nodes - 1, event)
        self._reach(self._depth + anchor.height, event)
        return anchor.value, anchor.node

    def _collection(self, event: Event) -> Collection:
        before, outer = self._nodes, self._deepest
        self._depth += 1
        self._deepest = 0
        self._reach(self._depth, event)
        if event.tag is not None:
            self._tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._mapping(event) if type(event) is MappingStartEvent else self._sequence(event)
        self._depth -= 1
        self._count(1 + len(node.value), event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(node.value, node, self._nodes - before, self._deepest - self._depth)
        self._deepest = max(outer, self._deepest)
        return node

    def _sequence(self, start: Event) -> Sequence:
        value: list[Plain] = []
        places: list[int] = []
        inner: dict[int, Collection] = {}
        follow = self._next
        event: Event = follow()
        last = start.end_mark.index
        while (kind := type(event)) is not SequenceEndEvent:
            first, last = event.start_mark.index, event.end_mark.index
            if kind is ScalarEvent:
                value.append(self._scalar(event))
            else:
                plain, node = self._compound(event)
                if node is not None:
                    inner[len(value)] = node
                    last = last if kind is AliasEvent else node.end
                value.append(plain)
            places += (first, last)
            event = follow()
        return Sequence(value, _whole(start, event, last), places, inner)

    def _mapping(self, start: Event) -> Mapping:
        value: dict[str, Plain] = {}
        places: list[int] = []
        inner: dict[str, Collection] = {}
        follow = self._next
        event: Event = follow()
        last = start.end_mark.index
        while type(event) is not MappingEndEvent:
            key = self._key(event, value, places)
            event = follow()
            first, last = event.start_mark.index, event.end_mark.index
            node = None
            if (kind := type(event)) is ScalarEvent:
                plain = self._scalar(event)
            else:
                plain, node = self._compound(event)
                last = last if node is None or kind is AliasEvent else node.end
            if key is not None:
                value[key] = plain
                places += (first, last)
                if node is not None:
                    inner[key] = node
            event = follow()
        return Mapping(value, _whole(start, event, last), places, inner)

    def _key(self, event: Event, before: dict[str, Plain], places: list[int]) -> str | None:
        """The key, its place appended; None for one that is refused."""
        if type(event) is not ScalarEvent:
            self._odd_key(event)
            return None
        key = self._scalar(event)
        if not isinstance(key, str):
            text = event.value or "null"
            self._report("DM014", _place(event), f"the key {text} is not text", f'Write "{text}" in quotes.')
            return None
        if key == "<<" and event.implicit[0]:
            self._report("DM016", _place(event), "merge keys (<<) are not part of the language")
            return None
        if key in before:
            at = 4 * list(before).index(key)
            first = self._source.span(places[at], places[at + 1])
            message = f"the key '{key}' stands twice in this mapping, first at {first.line}:{first.column}"
            self._report("DM013", _place(event), message)
            return None
        places += _place(event)
        return key

    def _odd_key(self, event: Event) -> None:
        at = self._faults
        node = self._node(event)
        if type(event) is AliasEvent:
            if self._faults == at:
                self._report("DM014", _place(event), "an alias as a key", "Write the key itself.")
            return
        what = "list" if isinstance(node, Sequence) else "mapping"
        hint = "Put text that begins with `{` or `[` in quotes."
        self._report("DM014", (node.start, node.end), f"a {what} as a key", hint)

    def _tag(self, event: Event) -> None:
        self._report("DM015", _place(event), "YAML tags are not part of the language")

    def _report(self, code: str, place: Place, message: str, hint: str | None = None) -> None:
        self._findings.error(code, self._source.span(*place), message, hint)
        self._faults += 1
        if self._faults == MAX_FAULTS:
            self._findings.error("DM023", self._source.span(*place), f"more than {MAX_FAULTS:,} faults in this file")
            raise Stop


def _place(event: Event) -> Place:
    return event.start_mark.index, event.end_mark.index


def _whole(start: Event, end: Event, last: int) -> Place:
    """The place of a collection: libyaml ends one in block style at the next token, after blanks and comments."""
    first: int = start.start_mark.index
    return first, end.end_mark.index if start.flow_style else max(last, first)
