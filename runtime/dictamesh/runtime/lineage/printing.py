# SPDX-License-Identifier: Apache-2.0
"""A walk as text, as JSON and as a Mermaid flowchart (GL-9)."""

from collections.abc import Iterator
from typing import Any

from dictamesh.runtime.lineage.model import Edge, Kind, Node, Subtype
from dictamesh.runtime.lineage.traverse import Walk

DRAWN = 400  # edges of one picture; more is no picture, and renderers stop at 500
_LONGEST = 80  # characters of a label
_SHAPES = {Kind.COLUMN: ("[(", ")]"), Kind.FIELD: ("[", "]"), Kind.GRAPHQL: ("([", "])"), Kind.TOPIC: ("[[", "]]")}


def as_json(walk: Walk) -> dict[str, Any]:
    """Return the walk as JSON values; `docs/how-to/lineage.md` lists the keys."""
    return {
        "address": walk.address,
        "direction": walk.direction,
        "nodes": [{**node_as_json(step.node), "depth": step.depth} for step in walk.nodes],
        "edges": [edge_as_json(edge) for edge in walk.edges],
        "truncated": walk.truncated,
    }


def node_as_json(node: Node) -> dict[str, Any]:
    return {
        "address": node.id,
        "kind": node.kind.value,
        "namespace": node.namespace,
        "name": node.name,
        "field": node.field or None,
        "entity": node.entity,
    }


def edge_as_json(edge: Edge) -> dict[str, Any]:
    return {
        "from": edge.source.id,
        "to": edge.target.id,
        "type": edge.type.value,
        "subtype": edge.subtype.value,
        "description": edge.description or None,
        "masking": edge.masking,
        "clearFor": edge.audience,
        "provenance": edge.provenance.value,
    }


def as_text(walk: Walk) -> str:
    """Return the walk for people: each node under its depth, with the edges that led there."""
    lines = [walk.address]
    for title, up in (("upstream", True), ("downstream", False)):
        if walk.direction in {title, "both"}:
            found = list(_side(walk, up=up))
            lines += [f"{title}:" if found else f"{title}: nothing", *found]
    if walk.truncated:
        lines.append("more lies further away")
    return "\n".join(lines)


def _side(walk: Walk, *, up: bool) -> Iterator[str]:
    """The nodes of one side; each with its edges to nodes that are nearer to where the walk began."""
    depths = {step.node: step.depth for step in walk.nodes}
    for step in walk.nodes:
        near = [
            f"{_told(edge)}{'' if depths.get(at) == 0 else f' of {at.id}' if not up else f' in {at.id}'}"
            for edge in walk.edges
            for far, at in [(edge.source, edge.target) if up else (edge.target, edge.source)]
            if far == step.node and depths.get(at, depths.get(_within(at, depths), step.depth)) < step.depth
        ]
        if near:
            yield f"{'  ' * step.depth}{step.node.id}"
            yield from (f"{'  ' * step.depth}    {told}" for told in near)


def _within(dataset: Node, depths: dict[Node, int]) -> Node:
    """The nearest field of a dataset, for edges that decide its rows."""
    return min((each for each in depths if each.dataset == dataset), key=lambda each: depths[each], default=dataset)


def _told(edge: Edge) -> str:
    parts = [edge.subtype.value]
    if edge.masking:
        parts.append(f"masked, clear for {edge.audience}" if edge.audience else "masked")
    if edge.provenance.value != "declared":
        parts.append(edge.provenance.value)
    said = f" {edge.description}" if edge.description else ""
    return f"{', '.join(parts)}{said}"


def as_mermaid(walk: Walk) -> str:
    """Return a Mermaid flowchart, from left to right; dotted arrows decide, thick ones are masked."""
    names = {step.node: f"n{index}" for index, step in enumerate(walk.nodes)}
    drawn = walk.edges[:DRAWN]
    shown = {end for edge in drawn for end in (edge.source, edge.target)} | {
        step.node for step in walk.nodes if not step.depth
    }
    lines = ["flowchart LR"]
    for at, name in names.items():
        if at in shown:
            left, right = _SHAPES[at.kind]
            lines.append(f'  {name}{left}"{_label(at.id)}"{right}')
    for at in sorted(shown - names.keys(), key=lambda each: each.id):  # a dataset whose rows are decided
        names[at] = f"n{len(names)}"
        left, right = _SHAPES[at.kind]
        lines.append(f'  {names[at]}{left}"{_label(at.id)}"{right}')
    lines += [f"  {names[edge.source]} {_arrow(edge)} {names[edge.target]}" for edge in drawn]
    if len(walk.edges) > DRAWN:
        lines.append(f'  more["{DRAWN} of {len(walk.edges)} edges are drawn"]')
    elif walk.truncated:
        lines.append('  more["more lies further away"]')
    begun = ",".join(names[step.node] for step in walk.nodes if not step.depth)
    lines += ["  classDef start stroke-width:3px", f"  class {begun} start"]
    return "\n".join(lines)


def _arrow(edge: Edge) -> str:
    label = edge.subtype.value if not edge.masking else f"{edge.subtype.value} masked"
    if edge.masking:
        return f'== "{label}" ==>'
    if edge.subtype is Subtype.IDENTITY:
        return "-->"
    return f'-. "{label}" .->' if edge.type == "INDIRECT" else f'-- "{label}" -->'


def _label(text: str) -> str:
    """A text in a label: what Mermaid or HTML would read is written as an entity."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 + 1 :]}"
    return "".join(
        character if character.isalnum() or character in " _-./:…" else f"#{ord(character)};" for character in short
    )
