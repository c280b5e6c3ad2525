# SPDX-License-Identifier: Apache-2.0
"""The proof of the graph runs, on a small one; its figures are nobody's assertion."""

import pytest

from tests.bench.graph import Course, measure, table
from tests.support.postgres import embedded_dsn, fresh_database  # noqa: F401 - a fixture


async def test_walks_are_measured_beside_queries_that_answer_the_same(embedded_dsn: str) -> None:  # noqa: F811
    with fresh_database(embedded_dsn) as dsn:
        courses = await measure(dsn, 2_000, 8_000, 20)
    assert [len(course.times) for course in courses] == [20] * 5
    assert [course.sizes for course in courses[:4]] == [courses[0].sizes] * 4
    assert max(courses[0].sizes) > 10
    assert max(courses[4].sizes) <= 1000


async def test_answers_that_differ_end_the_run(embedded_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("tests.bench.graph.BY_KEY", b"SELECT %(type)s AS type, %(id)s AS id, 0 AS depth")
    with fresh_database(embedded_dsn) as dsn, pytest.raises(AssertionError, match="differ"):
        await measure(dsn, 500, 2_000, 20)


def test_the_table() -> None:
    async def ask(_: object) -> dict:
        return {}

    course = Course("a", ask, times=[1.0, 2.0, 3.0], sizes=[1, 2, 30])
    assert table([course]).splitlines()[2] == "| a | 2.00 | 2.80 | 2.98 | 3.00 | 2 | 24 | 29 | 30 |"
