# SPDX-License-Identifier: Apache-2.0
"""Search over the example through its policies: what is hidden is not found, not counted, and not told by paging."""

import dataclasses
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.search.documents import Document, documents
from dictamesh.runtime.catalog.search.search import FACETS, Facets, Wanted, search
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.store import registration
from tests.integration.execution.catalog import Known, known
from tests.integration.execution.conftest import EXAMPLES
from tests.integration.execution.harness import Running
from tests.integration.execution.test_catalog import CALLERS
from tests.support.postgres import postgres15_dsn  # noqa: F401  (a fixture)
from tests.support.sights import Sees

ODD = [
    "a" * 256,
    "!",
    "&",
    "a & | b",
    "'",
    '"',
    "\\",
    "a:*:*",
    "<->",
    "((",
    "-",
    "- -",
    "OR OR",
    "%",
    "%s",
    "\u0001",
    "a\ud7ff",
]


@pytest.fixture(params=["embedded_dsn", "postgres15_dsn"], ids=["embedded", "postgres15"])
def server(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def mesh(example: Running, server: str) -> AsyncIterator[Known]:
    async with known(example, server, EXAMPLES, {}, CALLERS) as found:
        yield found


async def asked(mesh: Known, query: str, caller: str = "support") -> Any:
    status, body = await mesh.get(f"/catalog/search?{query}", caller)
    assert status == 200, body
    return body


async def addresses(mesh: Known, q: str, more: str = "") -> list[str]:
    return [item["address"] for item in (await asked(mesh, f"q={quote(q)}{more}"))["items"]]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("customers", "customers"),
        ("Customer", "customers#Customer"),
        ("customers#Customer", "customers#Customer"),
        ("invoiceitem", "invoices#InvoiceItem"),
        ("birthdate", "customers#Customer.birthdate"),
        ("birth", "customers#Customer.birthdate"),
        ("createdAt", "customers#Customer.createdAt"),
        ("street", "customers#Customer.address.street"),
        ("soldIn", "invoices#InvoiceItem.product"),
        ('"as the CMS knows"', "customers"),
        ("person or company", "customers#Customer"),
        ("persons", "customers#Customer"),
        ("kim invoice", "invoices"),
        ("pii.indirect.postcode", "customers#Customer.address.postcode"),
    ],
)
async def test_what_is_looked_for_comes_first(mesh: Known, q: str, first: str) -> None:
    found = await addresses(mesh, q)
    assert found[0] == first


async def test_excluding_alternatives_and_nothing(mesh: Known) -> None:
    both = await addresses(mesh, "email OR phone")
    assert {"customers#Customer.email", "customers#Customer.phone"} <= set(both)
    assert await addresses(mesh, "customer -customer") == []
    assert await addresses(mesh, "nosuchword") == []
    assert await addresses(mesh, "!!!") == []
    without = await addresses(mesh, "customer -invoice", "&kind=product")
    assert without == ["customers"]


async def test_highlights_are_safe_html(mesh: Known) -> None:
    (item, *_) = (await asked(mesh, "q=person&kind=entity"))["items"]
    assert item["highlights"] == [{"part": "description", "html": "A <mark>person</mark> or company that buys."}]
    plan = mesh.mesh.plan
    nasty = '<img src=x onerror=alert(1)> & "person"'
    row = registration(plan, Resolver(EXAMPLES, {}))
    changed = tuple(
        dataclasses.replace(each, description=nasty) if each.address == "customers#Customer" else each
        for each in row.documents
    )
    await register(mesh.catalog.pool, dataclasses.replace(row, documents=changed))
    (item, *_) = (await asked(mesh, "q=person&kind=entity"))["items"]
    assert item["highlights"][0]["html"] == ("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;<mark>person</mark>&quot;")
    assert item["description"] == nasty


async def test_facets_and_choices(mesh: Known) -> None:
    everything = await asked(mesh, "limit=1")
    counts = {name: {each["value"]: each["count"] for each in values} for name, values in everything["facets"].items()}
    assert everything["total"] == len(documents(mesh.mesh.plan)) == sum(counts["kind"].values())
    assert counts["kind"]["product"] == 3
    assert counts["domain"]["finance"] > 10
    assert counts["tag"]["pii"] >= counts["tag"]["pii.direct"] >= counts["tag"]["pii.direct.email"] >= 2
    chosen = await asked(mesh, "kind=field&classification=restricted&classification=confidential&limit=100")
    assert chosen["total"] == len(chosen["items"])
    assert {item["classification"] for item in chosen["items"]} == {"restricted", "confidential"}
    tiers = {each["value"]: each["count"] for each in chosen["facets"]["classification"]}
    assert set(tiers) > {"restricted", "confidential"}, "a facet tells what else could be chosen in it"
    assert {each["value"] for each in chosen["facets"]["pii"]} == {"true", "false"}
    tagged = await asked(mesh, "tag=pii.indirect&kind=field&pii=true")
    assert {item["name"] for item in tagged["items"]} == {"birthdate", "postcode"}
    regimes = mesh.mesh.plan.regimes
    under = await asked(mesh, "regime=GDPR&kind=field&limit=100")
    assert counts["regime"].keys() == {"CCPA", "GDPR", "SOC2"}
    assert {item["address"] for item in under["items"]} == {
        at for at, names in regimes.items() if "GDPR" in names and "." in at
    }
    assert all("GDPR" in item["regimes"] for item in under["items"])
    assert {each["value"] for each in under["facets"]["regime"]} == {"CCPA", "GDPR", "SOC2"}
    assert (await asked(mesh, "q=soc2&kind=field"))["total"] >= 1, "a regime is a word to search for, too"


async def test_pages_together_are_the_whole(mesh: Known) -> None:
    whole = await asked(mesh, "q=customer&limit=100")
    parts = []
    for offset in range(0, whole["total"], 7):
        parts += (await asked(mesh, f"q=customer&limit=7&offset={offset}"))["items"]
    assert parts == whole["items"]
    assert (await asked(mesh, "q=customer&offset=10000"))["items"] == []


@pytest.mark.parametrize("text", ODD)
async def test_no_text_is_an_error(mesh: Known, text: str) -> None:
    body = await asked(mesh, f"q={quote(text)}")
    assert body["total"] >= 0


async def test_random_texts_find_the_same_by_both_ways(mesh: Known) -> None:
    """Whoever sees everything is answered by the index, whoever does not by reading what it may see."""
    dice = random.Random(7)
    words = [
        "customer",
        "invoice",
        "em",
        "pii",
        "person",
        "or",
        "OR",
        "-phone",
        '"company that"',
        "(",
        "kim",
        "the",
        "id",
    ]
    total = 0
    for _ in range(60):
        text = " ".join(dice.choices(words, k=dice.randint(1, 4)))
        wanted = Wanted(text, {"kind": tuple(dice.sample(["entity", "field", "product"], dice.randint(0, 2)))})
        all_seen = await search(mesh.catalog, Sees(), wanted, 100, 0)
        nearly = await search(mesh.catalog, Sees(untold=frozenset({"no such relation", "customer"})), wanted, 100, 0)
        left = [hit for hit in all_seen.items if hit.address != "invoices#Invoice.customer"]
        assert list(nearly.items) == left, text
        assert nearly.total == len(left)
        total += len(left)
    assert total > 100


@pytest.mark.parametrize("hidden", ["Customer", "Invoice", "Product", "InvoiceItem"])
async def test_a_hidden_entity_leaves_no_trace(mesh: Known, hidden: str) -> None:
    """The answer is that of a mesh which never had the entity: hits, totals, facets, pages, everything."""
    pool = mesh.catalog.pool
    row = registration(mesh.mesh.plan, Resolver(EXAMPLES, {}))
    blind = Sees(hidden=frozenset({hidden}))
    wanted = [Wanted(q) for q in (None, hidden, "customer", "pii", "ana", "invoice -item", "id")]
    wanted.append(Wanted("id", {"pii": ("true",), "kind": ("field", "product")}))
    with_it = [await search(mesh.catalog, blind, each, 100, 0) for each in wanted]
    seen = [await search(mesh.catalog, Sees(), each, 100, 0) for each in wanted]
    assert sum(page.total for page in seen) > sum(page.total for page in with_it)
    told = {hit.address.partition("#")[2].partition(".")[0] for page in with_it for hit in page.items}
    assert hidden not in told
    await without(pool, row.documents, hidden)
    assert [await search(mesh.catalog, blind, each, 100, 0) for each in wanted] == with_it
    assert [await search(mesh.catalog, Sees(), each, 100, 0) for each in wanted] == with_it


async def without(pool: Pool, rows: tuple[Document, ...], hidden: str) -> None:
    """Take every document away that tells of an entity; a product with other entities stays."""
    for each in rows:
        alone = each.kind != "product" or set(each.entity_types) == {hidden}
        if hidden in each.entity_types and alone:
            await pool.execute(
                b"DELETE FROM dictamesh_search_documents WHERE kind = %s AND address = %s", (each.kind, each.address)
            )


async def test_what_left_the_specs_is_found_as_deprecated(mesh: Known) -> None:
    row = registration(mesh.mesh.plan, Resolver(EXAMPLES, {}))
    fewer = dataclasses.replace(
        row,
        entities=tuple(each for each in row.entities if each.entity_type != "Product"),
        relations=tuple(each for each in row.relations if "Product" not in {each.subject, each.object}),
        documents=tuple(each for each in row.documents if "Product" not in each.entity_types),
        schemas=(),
    )
    fewer = dataclasses.replace(
        fewer, entities=tuple(dataclasses.replace(each, schema_version=None) for each in fewer.entities)
    )
    await register(mesh.catalog.pool, fewer)
    body = await asked(mesh, "q=product&status=deprecated")
    assert [(item["kind"], item["address"]) for item in body["items"]] == [
        ("entity", "products#Product"),
        ("product", "products"),
    ]
    await register(mesh.catalog.pool, row)
    assert (await asked(mesh, "q=product&status=deprecated"))["total"] == 0


async def test_no_value_is_in_the_index(mesh: Known, records: Any) -> None:
    rows = await mesh.catalog.pool.rows(b"SELECT d::text AS row FROM dictamesh_search_documents d")
    text = "\n".join(row["row"] for row in rows)
    for record in records.customers[:50]:
        assert record["email"] not in text
        assert record["last_name"] not in text


def test_every_facet_has_its_place() -> None:
    assert set(FACETS) == {each.name for each in dataclasses.fields(Facets)}
