# SPDX-License-Identifier: Apache-2.0
"""A tree of specs as the comparison takes it: the plan, and the documents that say it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.change import Path, Place
from dictamesh.runtime.diff.documents import NAMES
from dictamesh.runtime.governance.places import Places, places
from dictamesh.specs.documents import Document


@dataclass(frozen=True, slots=True)
class Tree:
    """A plan, its fields by address, and its documents by kind and name (`DataProduct/customers`, `Mesh`)."""

    plan: Plan
    places: Places
    documents: Mapping[str, Document]

    def place(self, document: str | None, path: Path, side: str) -> Place | None:
        """Return where a path stands, or the nearest of what it lies in; None where the document is not here."""
        found = self.documents.get(document) if document is not None else None
        if found is None:
            return None
        return Place(found.file, found.locate(_steps(found.plain(), path)).line, side)


def tree(plan: Plan, documents: Iterable[Document]) -> Tree:
    """Join a plan and the documents that it was compiled from."""
    return Tree(plan, places(plan), {name_of(each): each for each in documents})


def name_of(document: Document) -> str:
    """Return the name of a document; a mesh has one Mesh and one Taxonomy."""
    if document.kind in {"Mesh", "Taxonomy"}:
        return document.kind
    return f"{document.kind}/{document.plain().get('name')}"


def where_of(address: str) -> tuple[str, Path]:
    """Return document and path of a product, entity or field by its address."""
    product, _, rest = address.partition("#")
    path: list[str] = []
    if rest:
        entity, *fields = rest.split(".")
        path += ["schema", f"[{entity}]"]
        for field in fields:
            path += ["properties", f"[{field}]"]
    return f"DataProduct/{product}", tuple(path)


def _steps(value: object, path: Path) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for part in path:
        if isinstance(value, list):
            index = _index(value, part[1:-1])
            if index is None:
                break
            steps.append(index)
            value = value[index]
        elif isinstance(value, Mapping) and part in value:
            steps.append(part)
            value = value[part]
        else:
            break
    return tuple(steps)


def _index(entries: list[object], name: str) -> int | None:
    for index, each in enumerate(entries):
        if isinstance(each, Mapping) and any(each.get(key) == name for key in NAMES):
            return index
    return int(name) if name.isdecimal() and int(name) < len(entries) else None
