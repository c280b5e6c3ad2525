# SPDX-License-Identifier: Apache-2.0
"""What edits of the other documents ask of reviewers, by where they stand: the table that leaves nothing out. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dictamesh.runtime.diff.change import Change, Class, Path
from dictamesh.runtime.diff.documents import Difference, differences, told
from dictamesh.runtime.diff.tree import Tree

Judge = Callable[[Any, Any], Class]


def _always(cls: Class) -> Judge:
    return lambda _before, _after: cls


def _gained(before: Any, after: Any) -> Class:
    """More names weaken, fewer are for review."""
    return Class.PRIVACY if _names(after) - _names(before) else Class.REVIEW


def _names(value: Any) -> set[str]:
    return {value} if isinstance(value, str) else {str(each) for each in value or ()}


def _added_or(cls: Class) -> Judge:
    return lambda before, _after: Class.SAFE if before is None else cls


def _becomes(value: Any, cls: Class) -> Judge:
    return lambda _before, after: cls if after == value else Class.REVIEW


def _lower(before: Any, after: Any) -> Class:
    less = isinstance(before, int | float) and isinstance(after, int | float) and after < before
    return Class.BREAKING if less or (before is None and after is not None) else Class.REVIEW


SAFE, REVIEW, BREAKING, PRIVACY = map(_always, (Class.SAFE, Class.REVIEW, Class.BREAKING, Class.PRIVACY))

MESH: Mapping[str, tuple[str, Judge]] = {
    "apiVersion": ("words", SAFE),
    "description": ("words", SAFE),
    "include": ("words", SAFE),
    "name": ("mesh-renamed", BREAKING),
    "servers.*": ("server", _added_or(Class.REVIEW)),
    "servers": ("server", REVIEW),
    "roles": ("role-added", _gained),
    "purposes": ("purpose-added", _gained),
    "security.apiKeys.*.roles": ("caller", _gained),
    "security.apiKeys.*.purposes": ("caller", _gained),
    "security.apiKeys.*.key": ("caller", REVIEW),
    "security.apiKeys.*.claims": ("caller", PRIVACY),
    "security.apiKeys.*": ("caller", lambda before, _after: Class.PRIVACY if before is None else Class.REVIEW),
    "security.apiKeys": ("caller", lambda before, _after: Class.PRIVACY if before is None else Class.REVIEW),
    "security.anonymous.sees": ("anonymous", _becomes("internal", Class.PRIVACY)),
    "security.anonymous": ("anonymous", lambda before, after: Class.REVIEW if after is False else _open(before, after)),
    "security.jwt.leeway": ("caller", REVIEW),
    "security.jwt": ("caller", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "security.claims.*": ("claim", _added_or(Class.REVIEW)),
    "security.keys.*": ("mask-key", _added_or(Class.REVIEW)),
    "security": ("security", REVIEW),
    "gateway.explain": ("explain", _gained),
    "gateway.limits": ("limit", _lower),
    "gateway.introspection": ("gateway", _becomes(False, Class.BREAKING)),
    "gateway": ("gateway", REVIEW),
    "audit.onFailure": ("audit", _becomes("allow", Class.PRIVACY)),
    "audit.readers": ("audit-readers", _gained),
    "audit": ("audit", REVIEW),
    "retention.enabled": ("retention", _becomes(False, Class.PRIVACY)),
    "retention": ("retention", lambda _before, after: _switched_off(after)),
    "runtime.host": ("runtime", REVIEW),
    "runtime": ("runtime", SAFE),
}
"""Paths of the mesh file, the longest that fits first; `*` is an entry or key. What is not listed is for review."""


def _switched_off(retention: Any) -> Class:
    off = isinstance(retention, Mapping) and retention.get("enabled") is False
    return Class.PRIVACY if off else Class.REVIEW


def _open(before: Any, after: Any) -> Class:
    sees = after.get("sees") if isinstance(after, Mapping) else None
    return Class.PRIVACY if before is False or sees == "internal" else Class.REVIEW


def _regime(before: Any, after: Any) -> Class:
    """Whoever looks for what a regime asks of overlooks data that names it no longer."""
    return Class.REVIEW if after is None or _names(before) - _names(after) else Class.SAFE


TAXONOMY: Mapping[str, tuple[str, Judge]] = {
    "apiVersion": ("words", SAFE),
    "tags.*.pii": ("tag-personal", lambda _before, after: Class.REVIEW if after is True else Class.PRIVACY),
    "tags.*.description": ("words", SAFE),
    "tags.*.children": ("tag", lambda before, after: Class.REVIEW if _names(before) - _names(after) else Class.SAFE),
    "tags.*.regimes": ("regime", _regime),
    "tags.*": ("tag", lambda before, after: Class.SAFE if before is None else _tag(before, after)),
    "tags": ("tag", REVIEW),
}


def _tag(before: Any, after: Any) -> Class:
    personal = isinstance(before, Mapping) and before.get("pii") is True
    return Class.PRIVACY if personal and after is None else Class.REVIEW


def _input(before: Any, after: Any) -> Class:
    if before is None:
        widens = isinstance(after, Mapping) and ("declassify" in after or "through" in after)
        return Class.PRIVACY if widens else Class.REVIEW
    return Class.PRIVACY if after is None else Class.REVIEW


def _lost(before: Any, after: Any) -> Class:
    """Whoever is erased is overlooked where a data subject is named no longer."""
    return Class.PRIVACY if _names(before) - _names(after) else Class.REVIEW


PRODUCT: Mapping[str, tuple[str, Judge]] = {
    "apiVersion": ("words", SAFE),
    "version": ("words", SAFE),
    "description": ("words", SAFE),
    "support": ("words", SAFE),
    "price": ("words", SAFE),
    "tenant": ("words", SAFE),
    "dataProduct": ("words", SAFE),
    "customProperties": ("words", SAFE),
    "authoritativeDefinitions": ("words", SAFE),
    "customProperties.[regimes]": ("regime", _regime),
    "schema.*.customProperties.[regimes]": ("regime", _regime),
    "schema.*.properties.*.customProperties.[regimes]": ("regime", _regime),
    "contractCreatedTs": ("words", SAFE),
    "team": ("team", REVIEW),
    "team.description": ("words", SAFE),
    "slaProperties.*": ("sla", _added_or(Class.REVIEW)),
    "inputs": ("input", lambda before, _after: Class.REVIEW if before is None else Class.PRIVACY),
    "inputs.*.description": ("words", SAFE),
    "inputs.*.declassify": ("declassified", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "inputs.*.through": ("input", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "inputs.*": ("input", _input),
    "lineage": ("lineage", REVIEW),
    "lineage.*": ("lineage", lambda before, after: _input(before, after) if before is None else Class.REVIEW),
    "lineage.*.description": ("words", SAFE),
    "lineage.*.declassify": ("declassified", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "lineage.*.through": ("lineage", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "subjects": ("subject", _lost),
    "subjects.*": ("subject", _lost),
    "source.*.surrogate": ("key-pseudonym", REVIEW),
    "source.*.allowPiiKey": ("pii-key", lambda _before, after: Class.REVIEW if after is None else Class.PRIVACY),
    "source": ("source", REVIEW),
    "servers.*": ("server", _added_or(Class.REVIEW)),
    "cache": ("cache", REVIEW),
    "schema.*.quality": ("quality", _added_or(Class.REVIEW)),
    "schema.*.description": ("words", SAFE),
    "schema.*.businessName": ("words", SAFE),
    "schema.*.dataGranularityDescription": ("words", SAFE),
    "schema.*.customProperties": ("words", SAFE),
    "schema.*.authoritativeDefinitions": ("words", SAFE),
    "schema.*.properties.*.description": ("words", SAFE),
    "schema.*.properties.*.businessName": ("words", SAFE),
    "schema.*.properties.*.examples": ("words", SAFE),
    "schema.*.properties.*.customProperties": ("words", SAFE),
    "schema.*.properties.*.authoritativeDefinitions": ("words", SAFE),
    "schema.*.properties.*.transformDescription": ("words", SAFE),
    "schema.*.properties.*.quality": ("quality", _added_or(Class.REVIEW)),
    "relations.*.description": ("words", SAFE),
}


OF_A_FIELD = frozenset(
    {
        "classification",
        "tags",
        "logicalType",
        "physicalType",
        "physicalName",
        "transformLogic",
        "required",
        "primaryKey",
        "primaryKeyPosition",
        "quality",
        "properties",
        "items",
        "logicalTypeOptions",
    }
)
COVERED: Mapping[str, frozenset[str]] = {
    "status": frozenset(),
    "tags": frozenset(),
    "output.*": frozenset({"topic", "partitions", "replication", "retention"}),
    "schema.*": frozenset({"tags", "physicalName", "properties"}),
    "schema.*.properties.*": OF_A_FIELD,
    "relations.*": frozenset({"from", "to", "cardinality", "inverse", "restrict"}),
    "slaProperties.*": frozenset({"value", "unit"}),
}
"""Places of a product, and the keys below each, of which the comparison of plans speaks where they matter."""


def word_changes(old: Tree, new: Tree) -> Iterator[tuple[Change, int]]:
    """Yield every edit of mesh file, taxonomy and products, and how much of its path may be covered elsewhere.

    A change that the comparison of plans tells at that length of the path, or a shorter one, says it too.
    """
    for document in sorted({*old.documents, *new.documents}):
        kind = document.partition("/")[0]
        table = {"Mesh": MESH, "Taxonomy": TAXONOMY, "DataProduct": PRODUCT}.get(kind)
        if table is None:
            continue
        before, after = (
            each.documents[document].plain() if document in each.documents else None for each in (old, new)
        )
        if before is None or after is None:
            if kind == "Taxonomy":
                yield Change(Class.REVIEW, "taxonomy", kind, None, None, document=document), 0
            continue  # products that come and go are told by the contract
        for each in differences(before, after):
            yield _change(document, each, table), _covered(each.path) if kind == "DataProduct" else 0


def _plain(tree: Tree, document: str) -> dict[str, Any] | None:
    found = tree.documents.get(document)
    return None if found is None else found.plain()


def _change(document: str, each: Difference, table: Mapping[str, tuple[str, Judge]]) -> Change:
    kind, judge = table.get(_longest(each.path, table) or "", (each.path[0], REVIEW))
    name = document.partition("/")[2] or document
    address = name if document.startswith("DataProduct/") else f"{document}.{told(each.path)}".removeprefix("Mesh.")
    if document.startswith("DataProduct/"):
        address = f"{name}:{told(each.path)}"
    return Change(
        judge(each.before, each.after), kind, address, each.before, each.after, document=document, path=each.path
    )


def _longest(path: Path, table: Mapping[str, Any]) -> str | None:
    found = [key for key in table if _fits(key.split("."), path)]
    return max(found, key=lambda key: (key.count("."), key.count("*") == 0), default=None)


def _fits(pattern: list[str], path: Path) -> bool:
    return len(pattern) <= len(path) and all(one in {"*", part} for one, part in zip(pattern, path, strict=False))


def _covered(path: Path) -> int:
    """The length of the place in `COVERED` that a path belongs to, by one of its keys or as a whole; else 0."""
    place = _longest(path, COVERED)
    size = len(place.split(".")) if place is not None else 0
    return size if place is not None and (len(path) == size or path[size] in COVERED[place]) else 0
