# SPDX-License-Identifier: Apache-2.0
"""Execution over REST servers that filter and sort next to nothing: Python does it, call counts are exact."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dictamesh.runtime.governance.principal import Principal
from tests.integration.execution import library
from tests.integration.execution.harness import Running, compiled, listening, memory, running
from tests.integration.execution.tables import Tables

LIBRARIAN = Principal("lib", True, frozenset({"librarian"}))
READER = Principal("reader", True, frozenset({"reader"}), None, (), {"regions": ("north",)})


@dataclass
class Library:
    mesh: Running
    people: Tables
    shelf: Tables


@pytest.fixture(scope="module")
def plan():
    return compiled(
        memory(
            mesh=library.MESH,
            taxonomy=library.TAXONOMY,
            authors=library.AUTHORS,
            books=library.BOOKS,
            policies=library.POLICIES,
        )
    )


@pytest.fixture
async def lib(plan, tmp_path: Path) -> AsyncIterator[Library]:
    people = Tables({"authors": library.authors()})
    shelf = Tables({"books": library.books(), "loans": library.loans()})
    async with listening(people.app()) as people_url, listening(shelf.app()) as shelf_url:
        options = {"people": {"url": people_url}, "shelf": {"url": shelf_url}}
        async with running(plan, options, tmp_path, keys={"pepper": b"x"}) as mesh:
            yield Library(mesh, people, shelf)


async def test_a_list_with_a_relation_to_one(lib: Library) -> None:
    data = await lib.mesh.data("{ books(limit: 3) { id title state by: author { name worth } author { born } } }")
    assert data["books"][1] == {
        "id": "b001",
        "title": "Title 1",
        "state": "lent",
        "by": {"name": "Author 2", "worth": "2.01"},
        "author": {"born": "1912-01-31"},
    }
    assert data["books"][0]["by"] is None
    assert lib.people.requests == {"authors": 1}  # two aliases, one batch
    assert lib.shelf.requests == {"books": 1}


async def test_250_keys_cost_three_calls(lib: Library) -> None:
    lib.people.tables["authors"] = library.authors(250)
    lib.shelf.tables["books"] = [
        {"id": f"b{n}", "author_id": n, "title": "t", "pages": 1, "state": "lent"} for n in range(1, 251)
    ]
    data = await lib.mesh.data("{ books(limit: 1000) { author { name } } }")
    assert [book["author"]["name"] for book in data["books"]] == [f"Author {n}" for n in range(1, 251)]
    assert lib.people.requests == {"authors": 3}
    assert lib.mesh.calls == {"shelf": 1, "people": 3}


async def test_keys_come_from_the_cache(lib: Library) -> None:
    query = "{ books(limit: 3) { author { name } } }"
    first = await lib.mesh.data(query)
    assert await lib.mesh.data(query) == first
    assert lib.people.requests == {"authors": 1}


async def test_many_by_lookup(lib: Library) -> None:
    data = await lib.mesh.data("{ authors { id books(limit: 2) { id } } }")
    assert [len(author["books"]) for author in data["authors"]] == [
        2,
        2,
        1,
        2,
        2,
    ]  # the book without an author is a multiple of seven
    assert lib.shelf.requests == {"books": 1}


async def test_a_default_limit_that_cut_is_named(lib: Library) -> None:
    lib.shelf.tables["books"] = library.books(200, 1)
    body = await lib.mesh.ask("{ a: authors(limit: 1) { books { id } } books { id } }")
    assert len(body["data"]["a"][0]["books"]) == 20
    assert len(body["data"]["books"]) == 100
    assert body["extensions"]["truncated"] == [{"path": ["a", "books"], "limit": 20}, {"path": ["books"], "limit": 100}]


async def test_a_given_limit_is_not_named(lib: Library) -> None:
    body = await lib.mesh.ask("{ books(limit: 5) { id } }")
    assert len(body["data"]["books"]) == 5
    assert "extensions" not in body


async def test_one_call_per_parent_and_twenty_at_most(lib: Library) -> None:
    data = await lib.mesh.data("{ books(limit: 4) { loans { id } } }")
    assert data["books"][0]["loans"] == [{"id": "l0"}, {"id": "l12"}]
    assert lib.shelf.requests["loans"] == 4
    lib.shelf.tables["books"] = library.books(21)
    body = await lib.mesh.ask("{ books { id loans { id } } }")
    assert {error["extensions"]["code"] for error in body["errors"]} == {"LIMIT_EXCEEDED"}
    assert body["data"]["books"][20] == {"id": "b020", "loans": None}
    assert lib.shelf.requests["loans"] == 4


async def test_a_batch_of_one_without_batch(lib: Library) -> None:
    lib.shelf.tables["loans"] = library.loans(5)
    data = await lib.mesh.data('{ a: loan(id: "l1") { days } b: loan(id: "l9") { days } c: loan(id: "l1") { id } }')
    assert data == {"a": {"days": 1}, "b": None, "c": {"id": "l1"}}
    assert lib.shelf.requests == {"loans/id": 2}


async def test_rows_by_key_through_a_filter_where_there_is_no_get(lib: Library) -> None:
    data = await lib.mesh.data("{ loans(limit: 3) { book { title } } }")
    assert [loan["book"]["title"] for loan in data["loans"]] == ["Title 0", "Title 1", "Title 2"]
    assert any("in.id=b000" in query for query in lib.shelf.queries)


async def test_filters_and_orders_in_python(lib: Library) -> None:
    query = """{ books(filter: {or: [{pages: {gte: 50}}, {state: {eq: in_stock}}], title: {ne: "Title 0"}},
                       orderBy: [{pages: DESC}, {title: ASC}], limit: 4, offset: 1) { id pages title } }"""
    rows = [b for b in library.books() if (b["pages"] >= 50 or b["state"] == "in stock") and b["title"] != "Title 0"]
    rows.sort(key=lambda b: (-b["pages"], b["title"], b["id"]))
    expected = [{"id": b["id"], "pages": b["pages"], "title": b["title"]} for b in rows[1:5]]
    assert (await lib.mesh.data(query))["books"] == expected


async def test_filters_over_a_relation(lib: Library) -> None:
    data = await lib.mesh.data('{ books(filter: {author: {region: {eq: "north"}}}) { author { region } } }')
    assert data["books"]
    assert {book["author"]["region"] for book in data["books"]} == {"north"}
    data = await lib.mesh.data("{ books(filter: {author: {name: {isNull: true}}}) { authorId } }")
    assert data["books"] == [{"authorId": None}, {"authorId": None}]


async def test_counts(lib: Library) -> None:
    data = await lib.mesh.data(
        '{ booksCount all: booksCount(filter: {}) some: booksCount(filter: {title: {like: "%1"}}) }'
    )
    assert data == {"booksCount": "12", "all": "12", "some": "3"}
    data = await lib.mesh.data("{ none: booksCount(filter: {or: []}) books(filter: {or: []}) { id } }")
    assert data == {"none": "0", "books": []}


async def test_wrong_values_spoil_their_cells_only(lib: Library) -> None:
    lib.people.tables["authors"] = [
        {"id": 1, "name": None, "born": "soon", "parts": 0, "worth": "x", "prizes": [1, "y"]}
    ]
    body = await lib.mesh.ask("{ authors { id name born worth share prizes } }")
    assert body["data"]["authors"] == [
        {"id": 1, "name": None, "born": None, "worth": None, "share": None, "prizes": [1, None]}
    ]
    found = {tuple(error["path"]): error["extensions"]["code"] for error in body["errors"]}
    assert found == {
        ("authors", 0, "name"): "CONTRACT_VIOLATION",
        ("authors", 0, "born"): "SOURCE_DATA_INVALID",
        ("authors", 0, "worth"): "SOURCE_DATA_INVALID",
        ("authors", 0, "share"): "EXPRESSION_FAILED",
        ("authors", 0, "prizes", 1): "SOURCE_DATA_INVALID",
    }
    assert "soon" not in str(body)


async def test_objects(lib: Library) -> None:
    body = await lib.mesh.ask("{ author(id: 2) { home { town: city street } again: home { city } } }", LIBRARIAN)
    assert body["data"]["author"] == {"home": {"town": "City 0", "street": "Street 2"}, "again": {"city": "City 0"}}
    body = await lib.mesh.ask("{ author(id: 2) { home { city street } } }", READER)
    assert body["data"]["author"] == {"home": {"city": "City 0", "street": None}}
    assert [entry["field"] for entry in body["extensions"]["policy"]] == ["Author.home.street"]


async def test_partial_failure(lib: Library) -> None:
    lib.people.broken["authors"] = 500
    body = await lib.mesh.ask("{ books(limit: 2) { id author { name } } authors { id } }")
    assert body["data"] == {"books": [{"id": "b000", "author": None}, {"id": "b001", "author": None}], "authors": None}
    assert [(e["path"], e["extensions"]["code"]) for e in body["errors"]] == [
        (["books", 1, "author"], "SOURCE_UNAVAILABLE"),
        (["authors"], "SOURCE_UNAVAILABLE"),
    ]
    assert "SECRET" not in str(body)


async def test_uses_of_hidden_fields_are_refused_before_any_source_is_asked(lib: Library) -> None:
    for query in (
        '{ authors(filter: {email: {eq: "author1@example.com"}}) { id } }',
        "{ authors(filter: {or: [{not: {email: {isNull: true}}}]}) { id } }",
        "{ authors(orderBy: [{email: ASC}]) { id } }",
        '{ authorsCount(filter: {email: {like: "a%"}}) }',
        '{ books(filter: {author: {email: {like: "a%"}}}) { id } }',
        '{ authors { books(filter: {author: {email: {like: "a%"}}}) { id } } }',
    ):
        body = await lib.mesh.ask(query, READER)
        assert "data" not in body or body["data"] is None
        assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"], query
    assert not lib.people.requests
    assert not lib.shelf.requests
    assert (await lib.mesh.data('{ authors(filter: {email: {like: "author1%"}}) { id } }', LIBRARIAN)) == {
        "authors": [{"id": 1}]
    }
    row = lib.mesh.audit.rows[0]
    assert (row.success, row.error_code, row.denied_fields, row.entity_type) == (
        False,
        "FORBIDDEN",
        ("email",),
        "Author",
    )


async def test_audit_of_reads_and_denials(lib: Library) -> None:
    await lib.mesh.data("{ authors(limit: 3) { id email } books { id } }", LIBRARIAN)
    (row,) = lib.mesh.audit.rows
    assert (row.principal, row.entity_type, row.fields, row.denied_fields) == ("lib", "Author", ("email",), ())
    assert (row.subject_count, len(set(row.subject_tokens)), row.trace_id) == (3, 3, "0" * 31 + "1")
    lib.mesh.audit.rows.clear()
    await lib.mesh.ask("{ authors(limit: 3) { name email } }")
    (row,) = lib.mesh.audit.rows
    assert (row.principal, row.fields, row.denied_fields) == (None, (), ("email",))
    lib.mesh.audit.rows.clear()
    await lib.mesh.data("{ authors(limit: 3) { name } }", LIBRARIAN)
    assert lib.mesh.audit.rows == []
