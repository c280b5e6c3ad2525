# SPDX-License-Identifier: Apache-2.0
"""A document with places, and sites in it."""

from dataclasses import dataclass, field
from typing import TypeAlias

from dictamesh.specs.diagnostics import Source, Span
from dictamesh.specs.documents.nodes import Mapping, Node, Place, Plain, Sequence

Path: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the root of a document to a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One YAML document: the file, its position there from 0, its `kind` and its tree. Equal only to itself."""

    source: Source = field(repr=False)
    index: int
    kind: str
    node: Mapping = field(repr=False)

    @property
    def file(self) -> str:
        return self.source.name

    @property
    def site(self) -> "Site":
        return Site(self)

    def plain(self) -> dict[str, Plain]:
        """The document as plain data, shared between calls and between aliases of one anchor: not to be changed."""
        return self.node.value

    def find(self, path: Path) -> Node | None:
        """The node at a path, None where there is none."""
        node: Node | None = self.node
        for step in path:
            node = _child(node, step)
        return node

    def locate(self, path: Path) -> Span:
        """The place of the value at a path, or of its nearest ancestor; a whole document is shown by its first key."""
        place = _place(self.node, path)
        if place is None:
            place = next(filter(None, map(self.node.key_place, self.node.value)), (self.node.start, self.node.start))
        return self.source.span(*place)

    def locate_key(self, path: Path) -> Span:
        """The place of the last key of a path; that of the value for an entry of a list, or a key that is not there."""
        parent = self.find(path[:-1])
        if path and isinstance(parent, Mapping):
            place = parent.key_place(str(path[-1]))
            if place is not None:
                return self.source.span(*place)
        return self.locate(path)

    def locate_loose(self, path: Path) -> Span:
        """The place of the value at a path in which pydantic's tags of unions and validators may stand."""
        return self.locate(self.written(path))

    def written(self, path: Path) -> Path:
        """The path without the components that the document does not have, such as tags of unions."""
        node: Node = self.node
        kept: list[str | int] = []
        for step in path:
            child = _child(node, step)
            if child is not None:
                node = child
                kept.append(step)
        return tuple(kept)


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a document by its path; `site / "schema" / 0` goes down. Cheap: places are computed when asked for."""

    document: Document
    path: Path = ()

    def __truediv__(self, step: str | int) -> "Site":
        return Site(self.document, (*self.path, step))

    @property
    def span(self) -> Span:
        """The place of the value, or of its nearest ancestor."""
        return self.document.locate(self.path)

    @property
    def key_span(self) -> Span:
        """The place of the key."""
        return self.document.locate_key(self.path)

    @property
    def file(self) -> str:
        return self.document.file

    @property
    def exists(self) -> bool:
        return self.document.find(self.path) is not None

    @property
    def plain(self) -> Plain:
        """The plain value, None where there is none."""
        node = self.document.find(self.path)
        return None if node is None else node.value

    def __str__(self) -> str:
        return str(self.span)


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Mapping):
        return node.child(step) if isinstance(step, str) else None
    if isinstance(node, Sequence):
        return node.child(step) if isinstance(step, int) else None
    return None


def _place(node: Node, path: Path) -> Place | None:
    """The place of the deepest value on a path, None where that is the document."""
    found: Place | None = None
    parent: Node | None = node
    for step in path:
        place = child_place(parent, step)
        if place is None:
            return found
        found, parent = place, _child(parent, step)
    return found


def child_place(node: Node | None, step: str | int) -> Place | None:
    """The place of a key's value or of an entry, as it is written there: for an alias that of the alias."""
    if isinstance(node, Mapping):
        return node.place(step) if isinstance(step, str) else None
    if isinstance(node, Sequence):
        return node.place(step) if isinstance(step, int) else None
    return None
