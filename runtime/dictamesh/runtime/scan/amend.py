# SPDX-License-Identifier: Apache-2.0
"""Proposals as edits of the YAML that people wrote: smallest changes, format and comments kept."""

import re
from collections.abc import Iterable, Iterator, Mapping

from dictamesh.runtime.scan.propose import Proposal
from dictamesh.specs.documents import Document
from dictamesh.specs.documents.edits import Edit, Unwritable, append, append_document, replace, set_keys, written
from dictamesh.specs.model.product import SourceColumnSpec
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.pii import KINDS
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.resolved import Field, ResolvedEntity

_AFTER = (
    "name",
    "physicalName",
    "logicalType",
    "physicalType",
    "primaryKey",
    "required",
    "transformLogic",
    "classification",
)
_LIVE_TYPES = (
    (r"bool", "boolean"),
    (r"(small|big|tiny|medium|u)?int|serial|hugeint", "integer"),
    (r"dec|num", "decimal"),
    (r"float|double|real", "number"),
    (r"timestamp|datetime", "timestamp"),
    (r"date", "date"),
    (r"time", "time"),
    (r"json", "json"),
    (r"bytea|blob|binary|varbinary", "bytes"),
)


def field_edits(proposal: Proposal, found: Field, floor: int = 0) -> list[Edit]:
    """The edits of a property: its classification raised or written, its tags added. Raises Unwritable.

    `floor` is the rank of the tier that it will inherit; a member needs no classification of its own up to there.
    """
    document, path = found.site.document, found.site.path
    tier = TIERS[max(rank(proposal.tier), rank(found.tier), floor)]
    edits: list[Edit] = []
    missing: dict[str, str] = {}
    if found.model.classification is not None:
        if found.model.classification != tier:
            edits.append(replace(document, (*path, "classification"), tier))
    elif "." not in proposal.target.path or rank(tier) > max(floor, rank(found.tier)):
        missing["classification"] = tier
    tags = [written(tag) for tag in proposal.tags if tag not in found.tags]
    if tags and found.model.tags:
        edits.append(append(document, (*path, "tags"), tags))
    elif tags and (found.site / "tags").exists:
        edits.append(replace(document, (*path, "tags"), _flow(tags)))
    elif tags:
        missing["tags"] = _flow(tags)
    if missing:
        edits.append(set_keys(document, path, missing, _AFTER))
    return edits


def column_edits(entity: ResolvedEntity, proposals: Iterable[Proposal]) -> list[Edit]:
    """The edits under `source.<Entity>.columns`. Raises Unwritable."""
    document = entity.product_site.document
    edits: list[Edit] = []
    added: dict[str, str] = {}
    for proposal in proposals:
        name = proposal.target.path
        spec = entity.binding.columns.get(name)
        path = (*proposal.target.site.path,)
        if spec is None:
            added[name] = _column(_live_type(proposal.target.live_type), proposal.tier, proposal.tags)
        elif isinstance(spec, SourceColumnSpec):
            edits += _long_column(document, path, spec, proposal)
        else:
            edits.append(replace(document, path, _column(spec, proposal.tier, proposal.tags)))
    if added:
        edits.append(_added(entity, added))
    return edits


def _long_column(
    document: Document, path: tuple[str | int, ...], spec: SourceColumnSpec, proposal: Proposal
) -> Iterator[Edit]:
    missing: dict[str, str] = {}
    tags = [written(tag) for tag in proposal.tags if tag not in spec.tags]
    if spec.classification is None:
        missing["classification"] = proposal.tier
    elif rank(spec.classification) < rank(proposal.tier):
        yield replace(document, (*path, "classification"), proposal.tier)
    if spec.tags and tags:
        yield append(document, (*path, "tags"), tags)
    elif tags:
        missing["tags"] = _flow(tags)
    if missing:
        yield set_keys(document, path, missing, ("type", "classification"))


def _added(entity: ResolvedEntity, added: Mapping[str, str]) -> Edit:
    """New entries of `columns`, and what they stand in where that is not there."""
    document, name = entity.product_site.document, entity.model.name
    source = entity.product_site / "source"
    block = "{" + ", ".join(f"{written(column)}: {value}" for column, value in added.items()) + "}"
    if not (source / name).exists:
        return set_keys(document, source.path, {name: f"{{columns: {block}}}"}, ("server",))
    if not (source / name / "columns").exists:
        return set_keys(document, (*source.path, name), {"columns": block})
    columns = (*source.path, name, "columns")
    return set_keys(document, columns, added, tuple(entity.binding.columns))


def tag_edits(taxonomy: Document | None, mesh: Document, tags: Mapping[str, str]) -> list[Edit]:
    """Declare tags, each for the kind that it is given; without a taxonomy one is added to the mesh file."""
    lines = {
        tag: f"{{pii: true, detects: [{kind}], description: {_about(kind)}}}" for tag, kind in sorted(tags.items())
    }
    if not lines:
        return []
    if taxonomy is None:
        body = "".join(f"  {tag}: {value}\n" for tag, value in lines.items())
        return [append_document(mesh, f"apiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n{body}")]
    if not (taxonomy.site / "tags").exists:
        pairs = ", ".join(f"{tag}: {value}" for tag, value in lines.items())
        return [set_keys(taxonomy, (), {"tags": f"{{{pairs}}}"}, ("kind",))]
    last = tuple(taxonomy.plain()["tags"] or ())
    return [set_keys(taxonomy, ("tags",), lines, last)]


def _about(kind: str) -> str:
    return next(row.title for row in KINDS.values() if row.name == kind)


def _flow(tags: Iterable[str]) -> str:
    return f"[{', '.join(tags)}]"


def _column(type_: str, tier: str, tags: Iterable[str]) -> str:
    return f"{{type: {written(type_)}, classification: {tier}, tags: {_flow(map(written, tags))}}}"


def _live_type(text: str) -> str:
    return next((name for pattern, name in _LIVE_TYPES if re.match(pattern, text, re.IGNORECASE)), "string")


__all__ = ["Unwritable", "column_edits", "field_edits", "tag_edits"]
