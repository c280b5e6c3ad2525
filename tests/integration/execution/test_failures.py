# SPDX-License-Identifier: Apache-2.0
"""Sources that fail, and operations that ask for too much (S10, S23, S25, S26, S30)."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audit import AuditUnavailable
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.resilience import Clock, Retry, Settings
from dictamesh.specs.model.mesh import Audit, Gateway, Limits
from tests.integration.execution import library
from tests.integration.execution.harness import Running, compiled, listening, memory, running
from tests.integration.execution.tables import Tables

HIDING = """
apiVersion: dictamesh/v1
kind: Policy
name: hiding
owner: office
match: {entities: [Author]}
rows: [{name: readers, roles: [reader], keep: "id > 2"}]
"""
LIBRARIAN = Principal("lib", True, frozenset({"librarian"}))


@dataclass
class Moved:
    """A clock that a test moves on."""

    by: float = 0.0

    def now(self) -> float:
        return time.monotonic() + self.by


@dataclass
class Library:
    mesh: Running
    people: Tables
    shelf: Tables
    clock: Moved


def plan_of() -> Plan:
    return compiled(
        memory(
            mesh=library.MESH,
            taxonomy=library.TAXONOMY,
            authors=library.AUTHORS,
            books=library.BOOKS,
            policies=f"{library.POLICIES}---{HIDING}",
        )
    )


@pytest.fixture(params=[{}])
async def lib(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Library]:
    plan = plan_of()
    plan = replace(plan, mesh=plan.mesh.model_copy(update=request.param))
    people = Tables({"authors": library.authors()})
    shelf = Tables({"books": library.books(), "loans": library.loans()})
    clock = Moved()
    settings = Settings(retry=Retry(attempts=1))
    async with listening(people.app()) as people_url, listening(shelf.app()) as shelf_url:
        options = {"people": {"url": people_url}, "shelf": {"url": shelf_url}}
        async with running(
            plan, options, tmp_path, settings=settings, keys={"pepper": b"x"}, clock=Clock(now=clock.now)
        ) as mesh:
            yield Library(mesh, people, shelf, clock)


def limits(**values: int) -> dict[str, Gateway]:
    return {"gateway": Gateway(limits=Limits(**values))}


def codes(body: dict[str, object]) -> set[str]:
    errors = body.get("errors", [])
    assert isinstance(errors, list)
    return {error["extensions"]["code"] for error in errors}


async def test_last_known_good_stands_in_and_is_marked(lib: Library) -> None:
    query = "{ author(id: 2) { name } }"
    assert "extensions" not in await lib.mesh.ask(query)
    lib.people.broken["authors"] = 503
    assert await lib.mesh.ask(query) == {"data": {"author": {"name": "Author 2"}}}  # fresh enough to need no source
    lib.clock.by = 61
    body = await lib.mesh.ask(query)
    assert body == {"data": {"author": {"name": "Author 2"}}, "extensions": {"degraded": ["authors"]}}
    body = await lib.mesh.ask("{ a: author(id: 2) { name } b: author(id: 3) { name } }")
    assert body["data"] == {"a": {"name": "Author 2"}, "b": None}
    assert codes(body) == {"SOURCE_UNAVAILABLE"}
    lib.clock.by = 61 + 3600 + 1
    assert (await lib.mesh.ask(query))["data"] == {"author": None}


async def test_a_failing_source_does_not_tell_hidden_rows_from_missing_ones(lib: Library) -> None:
    reader = Principal("reader", True, frozenset({"reader"}))
    await lib.mesh.ask("{ a: author(id: 1) { name } b: author(id: 3) { name } }")
    lib.people.broken["authors"] = 503
    for moved in (0, 61):
        lib.clock.by = moved
        missing = await lib.mesh.ask("{ author(id: 99) { name } }", reader)
        assert codes(missing) == {"SOURCE_UNAVAILABLE"}
        assert await lib.mesh.ask("{ author(id: 1) { name } }", reader) == missing
        assert (await lib.mesh.ask("{ author(id: 3) { name } }", reader))["data"] == {"author": {"name": "Author 3"}}


async def test_an_open_circuit(lib: Library) -> None:
    lib.people.broken["authors"] = 503
    for _ in range(5):
        assert codes(await lib.mesh.ask("{ authors { id } }")) == {"SOURCE_UNAVAILABLE"}
    asked = lib.people.requests["authors"]
    assert codes(await lib.mesh.ask("{ authors { id } }")) == {"CIRCUIT_OPEN"}
    assert lib.people.requests["authors"] == asked


async def test_fetches_of_a_level_run_side_by_side(lib: Library) -> None:
    meet = asyncio.Barrier(2)  # each server answers only once the other was asked
    lib.people.gates["authors"] = lib.shelf.gates["books"] = meet
    data = await lib.mesh.data("{ authors(limit: 1) { id } books(limit: 1) { id } }")
    assert data == {"authors": [{"id": 1}], "books": [{"id": "b000"}]}


async def test_a_client_that_goes_away_takes_its_calls_along(lib: Library) -> None:
    lib.people.gates["authors"] = asyncio.Barrier(99)
    task = asyncio.create_task(lib.mesh.ask("{ authors { id } books { id } }"))
    while not lib.people.requests:
        await asyncio.sleep(0.01)
    guard = lib.mesh.adapters.lines["people"].guard
    assert guard.running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guard.running == 0
    assert str(guard.state) == "closed"


async def test_an_answer_that_makes_no_sense(lib: Library) -> None:
    lib.people.tables["authors"] = [7]  # type: ignore[list-item]  # what a source sends knows no types
    body = await lib.mesh.ask("{ authors { id } books(limit: 1) { id } }")
    assert body["data"] == {"authors": None, "books": [{"id": "b000"}]}


@pytest.mark.parametrize("lib", [limits(rows=10)], indirect=True)
async def test_rows_fetched_for_one_operation(lib: Library) -> None:
    body = await lib.mesh.ask("{ authors { id } books { id } }")
    assert codes(body) == {"LIMIT_EXCEEDED"}
    assert (await lib.mesh.data("{ authors { id } }"))["authors"]


@pytest.mark.parametrize("lib", [limits(max_scan=11)], indirect=True)
async def test_a_scan_never_answers_from_a_part(lib: Library) -> None:
    assert codes(await lib.mesh.ask("{ books(filter: {pages: {gt: 1000}}) { id } }")) == {"SCAN_LIMIT"}
    assert codes(await lib.mesh.ask("{ booksCount(filter: {pages: {gt: 1}}) }")) == {"SCAN_LIMIT"}
    assert codes(await lib.mesh.ask("{ books(orderBy: [{pages: ASC}], limit: 1) { id } }")) == {"SCAN_LIMIT"}
    assert await lib.mesh.data('{ books(filter: {title: {eq: "Title 1"}, pages: {gte: 0}}) { id } }')
    # enough rows are found before the limit is met
    assert await lib.mesh.data("{ books(filter: {pages: {gte: 10}}, limit: 2) { id } }") == {
        "books": [{"id": "b001"}, {"id": "b002"}]
    }


async def test_no_answer_without_audit(lib: Library) -> None:
    lib.mesh.audit.fails = AuditUnavailable()
    body = await lib.mesh.ask("{ author(id: 1) { email } }", LIBRARIAN)
    assert "data" not in body
    assert codes(body) == {"INTERNAL_ERROR"}
    assert "author1@" not in str(body)
    assert await lib.mesh.data("{ author(id: 1) { name } }", LIBRARIAN)  # nothing to audit


@pytest.mark.parametrize("lib", [{"audit": Audit(on_failure="allow")}], indirect=True)
async def test_audit_may_be_declared_dispensable(lib: Library) -> None:
    lib.mesh.audit.fails = AuditUnavailable()
    data = await lib.mesh.data("{ author(id: 1) { email } }", LIBRARIAN)
    assert data == {"author": {"email": "author1@example.com"}}


async def test_subjects_are_listed_up_to_a_thousand(lib: Library) -> None:
    lib.people.tables["authors"] = library.authors(1200)
    await lib.mesh.ask(
        "{ a: authors(limit: 1000) { email } b: authors(limit: 200, offset: 1000) { email } }", LIBRARIAN
    )
    (row,) = lib.mesh.audit.rows
    assert (len(row.subject_tokens), row.subject_count) == (1000, 1200)
    assert "1" not in row.subject_tokens
