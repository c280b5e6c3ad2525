# SPDX-License-Identifier: Apache-2.0
"""The README's tour against a running mesh: three callers, one query, three systems (EX-3, EX-4)."""

import json
import re

import pytest

from examples.sources.counted import QUERIES
from tests.support.running import ROOT, TOUR, Runtime, Sources

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = {"anonymous": None, "analyst": "analyst", "support": "support"}


def readme_answers() -> dict[str, object]:
    """The answers that README prints, by caller: each stands in a json block after a line that names the caller."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- answer: (\w+) -->\s*```json\n(.*?)```", text, re.DOTALL)
    return {caller: json.loads(body) for caller, body in found}


@pytest.mark.parametrize("caller", CALLERS)
async def test_the_readme_prints_what_the_server_answers(example: Runtime, caller: str) -> None:
    assert await example.ask(TOUR, CALLERS[caller]) == readme_answers()[caller]


async def test_anonymous_sees_no_personal_data(example: Runtime, sources: Sources) -> None:
    answer = await example.ask(TOUR)
    assert "errors" not in answer
    for customer in answer["data"]["customers"]:
        assert customer["email"] == customer["name"] == "***REDACTED***"
        assert all(invoice["total"] is None for invoice in customer["invoices"])
    text = json.dumps(answer)
    for record in sources.records.customers:
        assert record["email"] not in text
        assert record["last_name"] not in text


async def test_the_analyst_gets_pseudonyms_and_totals(example: Runtime) -> None:
    answer = await example.ask(TOUR, "analyst")
    for customer in answer["data"]["customers"]:
        assert re.fullmatch(r"[0-9a-f]{32}", customer["email"])
        assert re.fullmatch(r"[0-9a-f]{32}", customer["name"])
        assert all(invoice["total"] is not None for invoice in customer["invoices"])


async def test_john_doe_bought_two_widgets(example: Runtime) -> None:
    query = (
        '{ customer(id: "c-0001") { name email country '
        "invoices(limit: 1) { total items { quantity product { name price } } } } }"
    )
    answer = await example.ask(query, "support")
    assert answer["data"]["customer"] == {
        "name": "John Doe",
        "email": "john@example.com",
        "country": "DE",
        "invoices": [
            {"total": "39.98", "items": [{"quantity": 2, "product": {"name": "Widget", "price": "19.99"}}]},
        ],
    }


async def test_the_steward_sees_names_redacted(example: Runtime) -> None:
    answer = await example.ask('{ customer(id: "c-0001") { name status } }', "steward")
    assert answer["data"]["customer"] == {"name": "***REDACTED***", "status": "active"}


async def test_analysts_see_their_countries_only(example: Runtime, sources: Sources) -> None:
    answer = await example.ask("{ customersCount customers(limit: 1000) { country } }", "analyst")
    countries = {row["country"] for row in answer["data"]["customers"]}
    kept = sum(row["country"] in {"DE", "FR"} for row in sources.records.customers)
    assert countries == {"DE", "FR"}
    assert answer["data"]["customersCount"] == str(kept)


async def test_a_hidden_customer_is_a_missing_one(example: Runtime, sources: Sources) -> None:
    hidden = next(row["id"] for row in sources.records.customers if row["country"] == "US")
    of_hidden = await example.ask(f'{{ customer(id: "{hidden}") {{ id country }} }}', "analyst")
    of_missing = await example.ask('{ customer(id: "c-9999") { id country } }', "analyst")
    assert of_hidden == of_missing == {"data": {"customer": None}}


async def test_a_masked_field_cannot_be_filtered_by(example: Runtime, sources: Sources) -> None:
    sources.forget()
    answer = await example.ask('{ customers(filter: {email: {eq: "john@example.com"}}) { id } }', "analyst")
    assert "data" not in answer or answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert not any("john" in query for query in sources.cms[QUERIES])  # capture asks the CMS, too, of its own accord


async def test_both_directions_of_every_relation(example: Runtime) -> None:
    items = "items { invoice { id } product { name soldIn(limit: 1) { id } } }"
    query = f'{{ invoice(id: "i-00001") {{ customer {{ id }} {items} }} }}'
    answer = await example.ask(query, "support")
    invoice = answer["data"]["invoice"]
    assert invoice["customer"] == {"id": "c-0001"}
    assert invoice["items"][0]["invoice"] == {"id": "i-00001"}
    assert invoice["items"][0]["product"]["soldIn"][0]["id"]


async def test_wrong_credentials_are_refused(example: Runtime) -> None:
    answer = await example.ask("{ customers(limit: 1) { id } }", headers={"X-API-Key": "wrong"})
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_catalog_tells_where_a_customer_is(example: Runtime, sources: Sources) -> None:
    status, _ = await example.get("/api/v1/catalog/entities")
    assert status == 401
    status, found = await example.get("/api/v1/catalog/locate?type=Customer&id=c-0001", "support")
    assert status == 200
    assert json.dumps(found).find(f"{sources.environment['CMS_URL']}/items/customers/c-0001") >= 0


async def test_health_and_metrics(example: Runtime) -> None:
    for part in ("live", "ready", "startup"):
        status, _ = await example.get(f"/health/{part}")
        assert status == 200, part
    text = await example.metrics()
    assert "dictamesh_ready 1.0" in text
    assert "dictamesh_http_requests_total" in text
