# SPDX-License-Identifier: Apache-2.0
"""Walking the graph from an address: up to what it is made of, down to what it goes into (GL-7)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node, Type

Direction = Literal["upstream", "downstream", "both"]
DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream", "both")
DEEPEST = 10
LARGEST = 2000  # nodes of one answer


@dataclass(frozen=True, slots=True)
class Step:
    """A node with the number of edges between it and where the walk began."""

    node: Node
    depth: int


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk met: nodes by depth, then name; edges in their order. `truncated`: there was more than is shown."""

    address: str
    direction: Direction
    nodes: tuple[Step, ...]
    edges: tuple[Edge, ...]
    truncated: bool = False


def starts(graph: Graph, address: str) -> tuple[Node, ...]:
    """Return the nodes of an address: one, or for a product the datasets of its entities; none where it is unknown."""
    exact = tuple(each for each in graph.nodes if each.id == address)
    if exact:
        return exact
    return tuple(
        each
        for each in graph.nodes
        if each.kind is Kind.FIELD and not each.field and (each.entity or "").partition("#")[0] == address
    )


def walk(
    graph: Graph, address: str, direction: Direction = "both", depth: int = DEEPEST, most: int = LARGEST
) -> Walk | None:
    """Walk from an address, `depth` edges far at most; None where nothing has the address.

    Upstream of a field lies, too, what decides the rows of its dataset. A circle ends where it began.
    """
    begin = starts(graph, address)
    if not begin:
        return None
    found = dict.fromkeys(begin, 0)
    edges: dict[Edge, None] = {}
    truncated = False
    for follow, ends in _ways(graph, direction):
        truncated |= _follow(begin, follow, ends, depth, most, found, edges)
    steps = sorted((Step(each, at) for each, at in found.items()), key=lambda step: (step.depth, _name(step.node)))
    ordered = tuple(edge for edge in graph.edges if edge in edges)
    return Walk(address, direction, tuple(steps), ordered, truncated)


_Edges = Callable[[Node], Iterable[Edge]]
_End = Callable[[Edge], Node]


def _ways(graph: Graph, direction: Direction) -> Iterable[tuple[_Edges, _End]]:
    if direction != "downstream":
        yield (lambda at: _up(graph, at)), (lambda edge: edge.source)
    if direction != "upstream":
        yield (lambda at: graph.out_of.get(at, ())), (lambda edge: edge.target)


def _up(graph: Graph, at: Node) -> Iterable[Edge]:
    yield from graph.into.get(at, ())
    if at.field:
        yield from (edge for edge in graph.into.get(at.dataset, ()) if edge.type is Type.INDIRECT)


def _follow(
    begin: tuple[Node, ...],
    follow: _Edges,
    end: _End,
    depth: int,
    most: int,
    found: dict[Node, int],
    edges: dict[Edge, None],
) -> bool:
    """Walk one way, breadth first; return whether something was left out."""
    seen = set(begin)
    level = list(begin)
    for at in range(1, depth + 1):
        following: list[Node] = []
        for edge in (edge for each in level for edge in follow(each)):
            other = end(edge)
            if other not in seen:
                if len(found) >= most and other not in found:
                    return True
                seen.add(other)
                following.append(other)
                found[other] = min(at, found.get(other, at))
            edges[edge] = None
        level = sorted(following, key=_name)
    return any(end(edge) not in seen for each in level for edge in follow(each))


def _name(each: Node) -> tuple[str, str, str]:
    return each.namespace, each.name, each.field
