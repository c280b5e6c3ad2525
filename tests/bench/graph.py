# SPDX-License-Identifier: Apache-2.0
"""Walks of depth 3 over a million records and five million relations, beside recursive SQL written by hand (GL-1).

`python -m tests.bench.graph` makes an embedded PostgreSQL with its default settings, generates the graph in it, and
asks for what lies around random records: by the catalog's own walk, and by two recursive queries that answer the same.
They take turns at every start, on one connection, and their answers are compared. Generating takes some minutes. Exits
with 1 where the median of the walk is above the founding figure.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.directory import Directory
from dictamesh.runtime.catalog.graph.values import Ref
from dictamesh.runtime.catalog.graph.walk import LARGEST_NODES, Direction, Question, walk
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.catalog.registration import register
from tests.support.graphs import generate, registration
from tests.support.sights import Sees

FOUNDING = 10.0
"""Milliseconds: the founding documents promise 5 to 10."""
DEPTH = 3
BY_KEY = b"""
WITH RECURSIVE reach (type, id, depth) AS (
    SELECT %(type)s::text, %(id)s::text, 0
    UNION
    SELECT e.object_entity_type, e.object_entity_id, r.depth + 1
      FROM reach r
      JOIN dictamesh_entity_relationships e
        ON e.subject_entity_type = r.type AND e.subject_entity_id = r.id AND e.valid_to IS NULL
     WHERE r.depth < 3
)
SELECT type, id, min(depth) AS depth FROM reach GROUP BY type, id ORDER BY 3, 1, 2
"""
BY_NUMBER = b"""
WITH RECURSIVE reach (node, depth) AS (
    SELECT node, 0 FROM dictamesh_entity_catalog WHERE entity_type = %(type)s AND source_entity_id = %(id)s
    UNION
    SELECT e.object_node, r.depth + 1
      FROM reach r JOIN dictamesh_entity_relationships e ON e.subject_node = r.node AND e.valid_to IS NULL
     WHERE r.depth < 3
)
SELECT c.entity_type AS type, c.source_entity_id AS id, min(r.depth) AS depth
  FROM reach r JOIN dictamesh_entity_catalog c ON c.node = r.node GROUP BY 1, 2 ORDER BY 3, 1, 2
"""
RELATIONS = b"""
WITH RECURSIVE reach (type, id, depth) AS (
    SELECT %(type)s::text, %(id)s::text, 0
    UNION
    SELECT e.object_entity_type, e.object_entity_id, r.depth + 1
      FROM reach r
      JOIN dictamesh_entity_relationships e
        ON e.subject_entity_type = r.type AND e.subject_entity_id = r.id AND e.valid_to IS NULL
     WHERE r.depth < 3
)
SELECT min(r.depth) + 1 AS depth, e.subject_entity_type, e.subject_entity_id, e.relationship_type,
       e.object_entity_type AS type, e.object_entity_id AS id, e.valid_from, e.provenance::text
  FROM reach r
  JOIN dictamesh_entity_relationships e
    ON e.subject_entity_type = r.type AND e.subject_entity_id = r.id AND e.valid_to IS NULL
 WHERE r.depth < 3
 GROUP BY 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 3, 4, 5, 6
"""
STARTS = b"""
SELECT entity_type AS type, source_entity_id AS id FROM dictamesh_entity_catalog
 WHERE source_entity_id <> '*' AND node = ANY (%(nodes)s)
"""
NODES = b"SELECT min(node) AS low, max(node) AS high FROM dictamesh_entity_catalog WHERE source_entity_id <> '*'"

Answer = dict[Ref, int]
Asking = Callable[[Ref], Awaitable[Answer]]


@dataclass
class Course:
    """One way of asking, with what it took and what it found."""

    name: str
    ask: Asking
    exact: bool = True  # the answer is whole, so that courses can be compared
    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


async def measure(dsn: str, records: int, relations: int, starts: int) -> list[Course]:
    """Generate the graph in an empty database and ask every course for every start, twice: the first round warms."""
    pool = await open_pool(dsn, PoolSettings(max_size=1, idle=1))
    try:
        await up(pool)
        await register(pool, registration())
        began = time.monotonic()
        await asyncio.to_thread(generate, dsn, records, relations)
        print(f"generated in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        courses = _courses(pool)
        picked = await _starts(pool, starts)
        for _ in range(2):
            for course in courses:
                course.times.clear()
                course.sizes.clear()
            for ref in picked:
                await _round(courses, ref)
        return courses
    finally:
        await pool.close()


def _courses(pool: Pool) -> list[Course]:
    directory = Directory(pool)

    def walking(direction: Direction, nodes: int) -> Asking:
        async def ask(ref: Ref) -> Answer:
            graph = await walk(pool, directory, Question(ref, direction, depth=DEPTH, nodes=nodes), Sees())
            return {Ref(each.entity_type, each.id): each.depth for each in graph.nodes} | {ref: 0}

        return ask

    def query(statement: bytes) -> Asking:
        async def ask(ref: Ref) -> Answer:
            rows = await pool.rows(statement, {"type": ref.entity_type, "id": ref.id})
            return {Ref(row["type"], row["id"]): row["depth"] for row in rows}

        return ask

    async def related(ref: Ref) -> Answer:
        found = {ref: 0}
        for row in await pool.rows(RELATIONS, {"type": ref.entity_type, "id": ref.id}):
            found.setdefault(Ref(row["type"], row["id"]), row["depth"])
        return found

    return [
        Course("**walk**, subject to object: nodes and relations", walking("out", LARGEST_NODES)),
        Course("recursive SQL over type and id, by hand: nodes and relations", related),
        Course("recursive SQL over type and id, by hand: nodes alone", query(BY_KEY)),
        Course("recursive SQL over numbered nodes, by hand: nodes alone", query(BY_NUMBER)),
        Course("walk, either direction, 1,000 nodes at most", walking("both", 1000), exact=False),
    ]


async def _round(courses: Sequence[Course], ref: Ref) -> None:
    answers = []
    for course in courses:
        began = time.perf_counter()
        answer = await course.ask(ref)
        course.times.append((time.perf_counter() - began) * 1000)
        course.sizes.append(len(answer) - 1)
        if course.exact:
            answers.append(answer)
    if any(answer != answers[0] for answer in answers):
        raise AssertionError(f"the answers for {ref} differ")


async def _starts(pool: Pool, count: int) -> list[Ref]:
    bounds = (await pool.rows(NODES))[0]
    numbers = random.Random(20).sample(range(bounds["low"], bounds["high"] + 1), count)
    return [Ref(row["type"], row["id"]) for row in await pool.rows(STARTS, {"nodes": numbers})]


HEADER = ("depth 3, ms", "p50", "p90", "p99", "max", "nodes found: p50", "p90", "p99", "max")


def table(courses: Sequence[Course]) -> str:
    """A Markdown table, one row per course."""
    rows = [HEADER, tuple("---" for _ in HEADER)]
    for course in courses:
        rows.append((course.name, *_quantiles(course.times, 2), *_quantiles(course.sizes, 0)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _quantiles(values: Sequence[float], digits: int) -> tuple[str, ...]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return tuple(f"{value:,.{digits}f}" for value in (cuts[49], cuts[89], cuts[98], max(values)))


async def _embedded(folder: Path, records: int, relations: int, starts: int) -> list[Course]:
    cluster = await start(folder)
    try:
        return await measure(cluster.dsn, records, relations, starts)
    finally:
        await cluster.stop()


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.graph", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--relations", type=int, default=5_000_000)
    parser.add_argument("--starts", type=int, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dictamesh-graph-") as temporary:
        Path(temporary).chmod(0o755)  # the embedded PostgreSQL of root runs as another user
        courses = asyncio.run(_embedded(Path(temporary), given.records, given.relations, given.starts))
    print(table(courses))
    median = statistics.median(courses[0].times)
    verdict = "met" if median < FOUNDING else "MISSED"
    print(f"\nfounding figure 5-10 ms: median {median:.2f} ms over {len(courses[0].times)} starts, {verdict}")
    return 0 if median < FOUNDING else 1


if __name__ == "__main__":
    sys.exit(main())
