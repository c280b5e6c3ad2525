# SPDX-License-Identifier: Apache-2.0
"""Walking and drawing: depth, circles, bounds, order, and labels that no renderer trips over."""

import random
from dataclasses import replace

import pytest

from dictamesh.runtime.compile.plan import FlowPlan
from dictamesh.runtime.lineage.derive import derive, derive_product
from dictamesh.runtime.lineage.model import Edge, Kind, Node, Subtype, graph
from dictamesh.runtime.lineage.printing import DRAWN, as_json, as_mermaid, as_text
from dictamesh.runtime.lineage.statements.statement import read_statement
from dictamesh.runtime.lineage.traverse import walk
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.support.golden import CASES, read

PLAN = build(Memory(read(CASES / "lineage.md")[0].files), "mesh.yaml").plan


def at(name: str, field: str = "f") -> Node:
    return Node("ns", name, field, Kind.COLUMN)


def chain(count: int) -> list[Edge]:
    return [Edge(at(f"t{index:04}"), at(f"t{index + 1:04}"), Subtype.IDENTITY) for index in range(count)]


def test_the_order_of_edges_does_not_matter() -> None:
    edges = list(derive(PLAN).edges)
    for seed in range(3):
        random.Random(seed).shuffle(edges)
        assert graph(edges) == graph(derive(PLAN).edges)
        assert as_json(walk(graph(edges), "sales#Order.net")) == as_json(walk(derive(PLAN), "sales#Order.net"))


def test_depth_counts_edges_and_says_that_there_is_more() -> None:
    drawn = graph(chain(20))
    for depth in (1, 5, 10):
        found = walk(drawn, "ns/t0000#f", "downstream", depth)
        assert len(found.nodes) == depth + 1
        assert found.truncated
    assert not walk(drawn, "ns/t0015#f", "downstream", 10).truncated
    assert len(walk(drawn, "ns/t0010#f", "both", 3).nodes) == 7


def test_a_circle_ends() -> None:
    drawn = graph([*chain(3), Edge(at("t0003"), at("t0000"), Subtype.IDENTITY)])
    found = walk(drawn, "ns/t0000#f", "both")
    assert [(step.node.name, step.depth) for step in found.nodes] == [
        ("t0000", 0),
        ("t0001", 1),
        ("t0003", 1),
        ("t0002", 2),
    ]
    assert len(found.edges) == 4
    assert as_text(found)


def test_a_walk_is_bounded() -> None:
    wide = graph([Edge(at("a"), at(f"b{index:05}"), Subtype.IDENTITY) for index in range(3000)])
    found = walk(wide, "ns/a#f", "downstream")
    assert len(found.nodes) == 2000
    assert found.truncated
    picture = as_mermaid(found)
    assert picture.count("-->") == DRAWN
    assert f"{DRAWN} of 1999 edges are drawn" in picture


@pytest.mark.parametrize(
    "name", ['a"b', "a]b", "a[(b)]", "x --> y", "<script>", "%%{init}", "end", "é日本", "`", "a;b", "#quot;"]
)
def test_no_name_breaks_out_of_its_label(name: str) -> None:
    picture = as_mermaid(walk(graph([Edge(at(name), at("t"), Subtype.FILTER, 'a"] b')]), "ns/t#f"))
    lines = picture.splitlines()
    assert len(lines) == 6
    label = next(line for line in lines if "ns/t" not in line and "[(" in line)
    inside = label.partition('[("')[2].rpartition('")]')[0]
    assert inside
    assert not set('"<>[](){}`%\n') & set(inside), inside


def test_a_long_name_is_cut() -> None:
    picture = as_mermaid(walk(graph([Edge(at("x" * 500), at("t"), Subtype.IDENTITY)]), "ns/t#f"))
    assert max(map(len, picture.splitlines())) < 120


def test_flows_lead_from_product_to_product() -> None:
    flow = FlowPlan("people#Person.email", "sales#Store.city", "hmac", "elsewhere")
    found = walk(derive(replace(PLAN, flows=(flow,))), "sales#Store.city", "upstream", 1)
    edge = next(each for each in found.edges if each.source.id == "people#Person.email")
    assert (edge.subtype, edge.masking) == (Subtype.TRANSFORMATION, True)
    gone = FlowPlan("people#Nobody.email", "sales#Store.city")
    assert derive(replace(PLAN, flows=(gone,))) == derive(replace(PLAN, flows=()))


def test_a_product_has_the_edges_that_the_whole_has_of_it() -> None:
    whole = set(derive(PLAN).edges)
    own = set(derive_product(PLAN, "scores").edges)
    assert own < whole
    assert {edge for edge in whole if edge.target.entity == "scores#Score"} == {
        edge for edge in own if edge.target.entity == "scores#Score"
    }
    with pytest.raises(KeyError):
        derive_product(PLAN, "nobody")


def test_queries_in_queries_are_followed_within_a_bound() -> None:
    def nested(depth: int) -> str:
        sql = "SELECT a FROM t"
        for index in range(depth):
            sql = f"SELECT a FROM ({sql}) AS x{index}"
        return sql

    assert [flow.column for flow in read_statement(nested(20), "postgres", ["a"]).columns["a"]] == ["a"]
    deep = read_statement(nested(80), "postgres", ["a"])
    assert not deep.whole
    assert [(flow.table, flow.column, flow.certain) for flow in deep.columns["a"]] == [(("t",), "", False)]
    assert not read_statement("SELECT FROM WHERE", "postgres", ["a"]).whole
    assert not read_statement("SELECT " + "(" * 3000 + "a" + ")" * 3000, "postgres", ["a"]).whole


def test_a_way_that_shows_the_value_counts_before_one_that_masks_it() -> None:
    masked = Edge(at("a"), at("b"), Subtype.TRANSFORMATION, "md5(f) || f", masking=True)
    shown = replace(masked, masking=False)
    assert graph([masked, shown]).edges == graph([shown, masked]).edges == (shown,)
