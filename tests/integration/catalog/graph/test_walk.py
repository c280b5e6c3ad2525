# SPDX-License-Identifier: Apache-2.0
"""Walks over 10,000 records and 50,000 relations, each held against one in plain Python (GL-1, GL-4, GL-5)."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from dictamesh.runtime.catalog.directory import Directory
from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest
from dictamesh.runtime.catalog.graph.values import Ref
from dictamesh.runtime.catalog.graph.walk import Graph, Question, walk
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.catalog.registration import register
from tests.support.graphs import RELATIONS, SHARES, Plain, generate, registration
from tests.support.postgres import fresh_database
from tests.support.sights import Sees

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDS, EDGES = 10_000, 50_000
TYPES = [name for name, _, _ in SHARES]


@pytest.fixture(scope="module", params=["embedded_dsn", "postgres15_dsn"], ids=["embedded", "postgres15"])
def large_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request.getfixturevalue(request.param)) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(large_dsn: str) -> AsyncIterator[tuple[Pool, Directory, Plain]]:
    pool = await open_pool(large_dsn, PoolSettings(max_size=3, idle=1))
    await up(pool)
    await register(pool, registration())
    generate(large_dsn, RECORDS, EDGES)
    yield pool, Directory(pool), Plain(large_dsn)
    await pool.close()


def found(graph: Graph) -> tuple[dict[Ref, int], set[tuple[Ref, str, Ref]]]:
    depths = {Ref(node.entity_type, node.id): node.depth for node in (graph.start, *graph.nodes)}
    edges = {
        (Ref(each.subject_type, each.subject_id), each.relation, Ref(each.object_type, each.object_id))
        for each in graph.edges
    }
    assert len(depths) == len(graph.nodes) + 1, "each node once"
    assert len(edges) == len(graph.edges), "each relation once"
    return depths, edges


def starts(plain: Plain, count: int, seed: int) -> list[Ref]:
    dice = random.Random(seed)
    picked = dice.sample(plain.edges, count)
    return [dice.choice((edge.subject, edge.object)) for edge in picked]


@pytest.mark.parametrize("direction", ["out", "in", "both"])
async def test_every_walk_is_the_plain_one(large: tuple[Pool, Directory, Plain], direction: Any) -> None:
    pool, directory, plain = large
    sizes = Counter[bool]()
    for number, start in enumerate(starts(plain, 40, seed=1)):
        depth = 1 + number % (2 if direction == "both" else 4)
        graph = await walk(pool, directory, Question(start, direction, depth=depth, nodes=10_000), Sees())
        assert graph.truncated is None
        assert found(graph) == plain.walk(start, depth, direction)
        sizes[len(graph.nodes) > 10] += 1
    assert sizes[True] > 5


async def test_the_whole_graph_within_ten_levels_ends(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    start = plain.edges[0].subject
    graph = await walk(pool, directory, Question(start, "both", depth=10, nodes=10_000), Sees())
    assert found(graph) == plain.walk(start, 10, "both")
    assert len(graph.nodes) > 9000, "the graph is full of cycles and nearly connected"


async def test_as_of_a_past_instant(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    dice = random.Random(2)
    answers = set()
    for start in starts(plain, 25, seed=2):
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=dice.random() * 900)
        question = Question(start, "both", depth=2, as_of=moment, nodes=10_000)
        graph = await walk(pool, directory, question, Sees())
        assert found(graph) == plain.walk(start, 2, "both", moment=moment)
        answers.add(found(graph) == plain.walk(start, 2, "both"))
    assert False in answers, "the past differs from what holds now"


async def test_chosen_relations_by_either_name(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    for names, relations in (({"customer"}, {"invoices"}), ({"product", "invoice"}, {"product", "items"})):
        for start in starts(plain, 15, seed=3):
            question = Question(start, "both", frozenset(relations), depth=3, nodes=10_000)
            graph = await walk(pool, directory, question, Sees())
            assert found(graph) == plain.walk(start, 3, "both", names=names)


async def test_the_order(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    graph = await walk(pool, directory, Question(plain.edges[0].subject, "both", depth=3), Sees())
    keys = [(node.depth, node.entity_type, node.id) for node in graph.nodes]
    assert keys == sorted(keys)
    assert [edge.depth for edge in graph.edges] == sorted(edge.depth for edge in graph.edges)


@pytest.mark.parametrize("filtered", [{}, {"Customer": None}])
async def test_a_cut_answer_says_so_and_is_whole_in_itself(
    large: tuple[Pool, Directory, Plain], filtered: dict
) -> None:
    pool, directory, plain = large
    everybody = {ref.id for edge in plain.edges for ref in (edge.subject, edge.object)}
    sight = Sees(records=dict.fromkeys(filtered, everybody))
    for start in starts(plain, 10, seed=4):
        whole, edges = plain.walk(start, 4, "both")
        graph = await walk(pool, directory, Question(start, "both", depth=4, nodes=30), sight)
        depths, seen = found(graph)
        assert graph.truncated == ("nodes" if len(whole) > 31 else None)
        assert len(graph.nodes) == min(30, len(whole) - 1)
        assert depths.items() <= whole.items()
        assert seen <= edges
        assert {ref for edge in seen for ref in (edge[0], edge[2])} <= set(depths)
        deepest = max(depths.values())
        nearer = {ref for ref, depth in whole.items() if depth < deepest}
        assert nearer <= set(depths), "what is nearer comes first"


async def test_time_is_bounded(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    start = plain.edges[0].subject
    graph = await walk(pool, directory, Question(start, "both", depth=10, seconds=0), Sees())
    assert (graph.truncated, graph.nodes) == ("time", ())
    sight = Sees(records={"Customer": ()})
    graph = await walk(pool, directory, Question(Ref("Product", "p-0000001"), seconds=0), sight)
    assert (graph.truncated, graph.nodes) == ("time", ())


@pytest.mark.parametrize("hidden", TYPES)
async def test_a_hidden_type_is_neither_found_nor_passed_through(
    large: tuple[Pool, Directory, Plain], hidden: str
) -> None:
    pool, directory, plain = large
    sight = Sees(hidden=frozenset({hidden}))
    for start in starts(plain, 12, seed=5):
        question = Question(start, "both", depth=2, nodes=10_000)
        if start.entity_type == hidden:
            with pytest.raises(EntityNotFound):
                await walk(pool, directory, question, sight)
            continue
        graph = await walk(pool, directory, question, sight)
        assert found(graph) == plain.walk(start, 2, "both", hidden_types=frozenset({hidden}))


async def test_hidden_records_are_not_passed_through_either(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    dice = random.Random(6)
    everybody = {ref for edge in plain.edges for ref in (edge.subject, edge.object)}
    customers = {ref for ref in everybody if ref.entity_type == "Customer" and dice.random() < 0.5}
    shown = {ref for ref in everybody if ref.entity_type != "Customer"} | customers
    sight = Sees(records={"Customer": {ref.id for ref in customers}})
    for start in starts(plain, 20, seed=6):
        question = Question(start, "both", depth=2, nodes=10_000)
        if start not in shown:
            with pytest.raises(EntityNotFound):
                await walk(pool, directory, question, sight)
            continue
        graph = await walk(pool, directory, question, sight)
        assert found(graph) == plain.walk(start, 2, "both", shown=shown)
        assert graph.unchecked == ()
    assert sight.asked["Customer"] > 0 == sight.asked["Product"]


async def test_a_relation_that_would_tell_too_much_is_not_followed(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, plain = large
    for start in starts(plain, 10, seed=7):
        graph = await walk(pool, directory, Question(start, "both", depth=2), Sees(untold=frozenset({"knows"})))
        names = {name for _, name, *_ in RELATIONS} - {"knows"}
        if graph.truncated is None:
            assert found(graph) == plain.walk(start, 2, "both", names=names)
        assert "knows" not in {edge.relation for edge in graph.edges}


async def test_records_of_a_source_that_is_away_are_not_shown_and_that_is_said(
    large: tuple[Pool, Directory, Plain],
) -> None:
    pool, directory, plain = large
    edge = next(edge for edge in plain.edges if edge.name == "customer" and edge.valid_to is None)
    sight = Sees(records={"Customer": ()}, down=frozenset({"Customer"}))
    graph = await walk(pool, directory, Question(edge.subject, "out", depth=1), sight)
    assert (graph.nodes, graph.unchecked) == ((), ("Customer",))
    with pytest.raises(EntityNotFound):
        await walk(pool, directory, Question(edge.object, depth=1), sight)


async def test_a_hidden_start_costs_what_a_missing_one_does(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, _ = large
    for record in ("c-0000001", "c-none"):
        sight = Sees(records={"Customer": ()})
        with pytest.raises(EntityNotFound):
            await walk(pool, directory, Question(Ref("Customer", record)), sight)
        assert sight.asked == {"Customer": 1}


async def test_the_graph_of_the_types(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, _ = large
    graph = await walk(pool, directory, Question(Ref("InvoiceItem", "*"), "out", depth=5), Sees())
    assert [(node.entity_type, node.id, node.depth) for node in graph.nodes] == [
        ("Invoice", "*", 1),
        ("Product", "*", 1),
        ("Customer", "*", 2),
    ]
    assert {edge.provenance for edge in graph.edges} == {"declared"}
    assert ("invoice", "items") in {(edge.relation, edge.inverse) for edge in graph.edges}


async def test_bounds(large: tuple[Pool, Directory, Plain]) -> None:
    pool, directory, _ = large
    for bad in ({"depth": 0}, {"depth": 11}, {"nodes": 0}, {"nodes": 10_001}):
        with pytest.raises(InvalidRequest):
            Question(Ref("Customer", "c"), **bad)
    for start in (Ref("Nobody", "1"), Ref("Customer", "c-none"), Ref("Customer", "x\u00e4")):
        with pytest.raises(EntityNotFound):
            await walk(pool, directory, Question(start), Sees())
