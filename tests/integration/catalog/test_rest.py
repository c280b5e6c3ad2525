# SPDX-License-Identifier: Apache-2.0
"""The catalog over real HTTP: who may ask, what they see, how a refusal reads, and all of it as the document says.

MC-10 to MC-13, GL-1, GL-4, GL-5, S22.
"""

import dataclasses
import io
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.data_lineage.events import keep_events
from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows, register_lineage
from dictamesh.runtime.catalog.graph.edges import upsert_edges
from dictamesh.runtime.catalog.graph.values import Ref, SeenEdge
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.rest.api import ROUTES, api_routes
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.route import PREFIX
from dictamesh.runtime.catalog.rest.serving import faults
from dictamesh.runtime.lineage.model import Edge, Graph, Kind, Node, Subtype
from dictamesh.runtime.lineage.model import graph as graph_of
from dictamesh.runtime.lineage.openlineage.events import Event
from tests.integration.catalog.graph.conftest import NOON, at
from tests.integration.catalog.test_registration import CUSTOMER, FULL
from tests.integration.execution.harness import Kept
from tests.support.openapi import check
from tests.support.plans import plan, shop
from tests.support.sights import Sees

SIGHTS = {
    "steward": Sees(name="steward"),
    "clerk": Sees(hidden=frozenset({"Customer"})),
    "editor": Sees(roles=frozenset({"editor"}), name="ed"),
    "local": Sees(records={"Customer": {"c1"}}),
    "no-mail": Sees(denied=frozenset({"Customer.email"})),
}
EVENTS = b"""
INSERT INTO dictamesh_event_log (topic, partition, "offset", event_id, event_type, entity_type, entity_id,
       changed_fields, event_timestamp, event_payload)
VALUES ('t', 0, 0, gen_random_uuid(), 'UPDATED', 'Customer', 'c1', '{email,country}', '2026-01-01T12:00Z',
        '{"canary": 4711}'),
       ('t', 0, 1, gen_random_uuid(), 'CREATED', 'Customer', 'c2', '{}', '2026-01-01T13:00Z', '{}'),
       ('t', 0, 2, gen_random_uuid(), 'CREATED', 'Invoice', 'i1', '{}', '2026-01-01T14:00Z', '{}')
"""


async def authenticate(request: web.Request) -> Sees | None:
    key = request.headers.get("X-API-Key")
    if key is None:
        return None
    if key == "crash":
        raise RuntimeError("canary-4711")
    if key == "stray":
        raise ValueError("canary-4711")
    if key == "wrong":
        raise RequestRefused("UNAUTHORIZED", "unknown API key")
    if key == "purpose":
        raise RequestRefused("FORBIDDEN", "this purpose is not allowed")
    return SIGHTS[key]


class Served:
    """A catalog behind HTTP; every answer is held against the OpenAPI document."""

    def __init__(self, server: TestServer, catalog: Catalog, audit: Kept, counts: Counter[str]) -> None:
        self.server = server
        self.counts = counts
        self.catalog = catalog
        self.audit = audit

    async def ask(self, method: str, path: str, key: str | None = "steward", **more: Any) -> tuple[int, Any]:
        headers = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", **more.pop("headers", {})}
        headers |= {} if key is None else {"X-API-Key": key}
        url = URL(f"http://{self.server.host}:{self.server.port}{PREFIX}{path}", encoded=True)
        async with ClientSession() as session, session.request(method, url, headers=headers, **more) as answer:
            assert answer.content_type == "application/json"
            body = await answer.json()
            check(method, f"{PREFIX}{path}", answer.status, body)
            if answer.status == 401:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            if answer.status == 405:
                assert answer.headers["Allow"]
            return answer.status, body

    async def get(self, path: str, key: str | None = "steward") -> tuple[int, Any]:
        return await self.ask("GET", f"/catalog{path}", key)

    async def refused(self, path: str, key: str | None = "steward") -> str:
        _, body = await self.get(path, key)
        return body["error"]["code"]


def drawn() -> Graph:
    """A column that becomes a customer's field, which becomes an invoice's, which goes into a topic."""
    column = Node("postgres://cms", "db.public.customers", "mail", Kind.COLUMN)
    customer = Node("dictamesh://test", "customers#Customer", "email", Kind.FIELD, "customers#Customer")
    invoice = Node("dictamesh://test", "invoices#Invoice", "mail", Kind.FIELD, "invoices#Invoice")
    topic = Node("dictamesh://test", "topic:invoices", "payload.mail", Kind.TOPIC, "invoices#Invoice")
    ends = itertools.pairwise((column, customer, invoice, topic))
    return graph_of(Edge(one, other, Subtype.IDENTITY) for one, other in ends)


@pytest.fixture
async def served(catalog: Pool) -> AsyncIterator[Served]:
    await register(catalog, FULL)
    audit = Kept()
    more = {"catalog": {"editors": ["editor"]}, "lineage": {"writers": ["editor"]}}
    current = plan(*shop(), roles=["editor"], **more)
    await register_lineage(catalog, lineage_rows(current, drawn()))
    counts = Counter[str]()
    known = Catalog(
        catalog,
        lambda: current,
        audit,
        Locations(catalog),
        lineage_taken=lambda outcome, count: counts.update({outcome: count}),
    )
    app = web.Application(middlewares=[faults()], client_max_size=0)
    app.add_routes(api_routes(ROUTES, known, authenticate))
    async with TestServer(app) as running:
        yield Served(running, known, audit, counts)


@pytest.fixture
async def graph(served: Served) -> Served:
    edges = [
        SeenEdge(Ref("Invoice", "i1"), "customer", Ref("Customer", "c1"), NOON, origin="e-1"),
        SeenEdge(Ref("Invoice", "i2"), "customer", Ref("Customer", "c2"), NOON),
        SeenEdge(Ref("Invoice", "i1"), "items", Ref("InvoiceItem", '["i1",1]'), NOON),
        SeenEdge(Ref("Invoice", "i2"), "customer", Ref("Customer", "c1"), at(2)),
    ]
    async with served.catalog.pool.transaction() as connection:
        await upsert_edges(connection, edges)
    return served


async def test_list_has_a_page_and_a_total(served: Served) -> None:
    status, body = await served.get("/entities?limit=2&offset=1")
    assert status == 200
    assert [item["entity_type"] for item in body["items"]] == ["Invoice", "InvoiceItem"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 1)
    status, body = await served.get("/entities")
    assert (body["limit"], body["total"]) == (20, 3)


async def test_filters(served: Served) -> None:
    _, body = await served.get("/entities?contains_pii=true&domain=customers&source_system=cms&status=active")
    assert [item["entity_type"] for item in body["items"]] == ["Customer"]
    _, body = await served.get("/entities?entity_type=Invoice")
    assert body["total"] == 1
    _, body = await served.get("/entities/by-source/erp?limit=1")
    assert (body["total"], body["items"][0]["entity_type"]) == (2, "Invoice")


async def test_one_entity_by_type_address_and_id(served: Served) -> None:
    _, by_type = await served.get("/entities/Customer")
    assert by_type["product_id"] == "customers"
    assert by_type["contains_pii"] is True
    assert "canary" not in str(by_type)
    for name in ("customers%23Customer", by_type["id"]):
        assert await served.get(f"/entities/{name}") == (200, by_type)


async def test_locate(served: Served) -> None:
    status, body = await served.get("/locate?type=Customer&id=a%2Fb")
    assert status == 200
    assert body["url"] == "http://cms.example:8055/items/customers/a%2Fb"
    assert body["auth_type"] == "bearer"


HIDDEN = (
    "/entities/{}",
    "/locate?type={}&id=1",
    "/graph?type={}",
    "/graph?type={}&id=c1",
    "/relationships?entity_type={}",
    "/relationships?entity_type={}&entity_id=c1",
    "/schemas/{}/1.2.0",
    "/events?entity_type={}",
    "/schemas?entity_type={}",
    "/entities?entity_type={}",
)


@pytest.mark.parametrize("path", HIDDEN)
async def test_hidden_is_answered_like_missing(graph: Served, path: str) -> None:
    await graph.catalog.pool.execute(EVENTS, ())
    shown = await graph.get(path.format("Customer"))
    assert shown[0] == 200
    assert shown[1].get("total", 1) > 0
    hidden = await graph.get(path.format("Customer"), "clerk")
    assert hidden == await graph.get(path.format("Missing"), "clerk")
    assert hidden != shown


async def test_hidden_types_are_not_counted(graph: Served) -> None:
    await graph.catalog.pool.execute(EVENTS, ())
    totals = {}
    for path in ("/entities", "/relationships", "/schemas", "/events", "/entities/by-source/cms"):
        totals[path] = tuple([(await graph.get(f"{path}?limit=1", key))[1]["total"] for key in ("steward", "clerk")])
    assert totals == {
        "/entities": (3, 2),
        "/relationships": (2, 1),
        "/schemas": (1, 0),
        "/events": (3, 1),
        "/entities/by-source/cms": (1, 0),
    }


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        *(
            (path.format(*["Customer", "1.2.0"]), None, 401, "UNAUTHORIZED")
            for path in (
                *("/entities", "/entities/{}", "/locate?type={}&id=1", "/graph?type={}", "/relationships", "/schemas"),
                *("/schemas/{}/{}", "/events", "/lineage/{}", "/entities/by-source/cms/{}"),
            )
        ),
        ("/entities", "wrong", 401, "UNAUTHORIZED"),
        ("/entities", "purpose", 403, "FORBIDDEN"),
        ("/entities", "crash", 500, "INTERNAL_ERROR"),
        ("/entities", "stray", 500, "INTERNAL_ERROR"),
        ("/entities?limit=0", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=101", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=ten", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=-1", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=1&limit=2", "steward", 400, "INVALID_REQUEST"),
        ("/entities?limit=%D9%A1", "steward", 400, "INVALID_REQUEST"),
        ("/entities?offset=99999999999", "steward", 400, "INVALID_REQUEST"),
        ("/entities?status=gone", "steward", 400, "INVALID_REQUEST"),
        ("/entities?contains_pii=1", "steward", 400, "INVALID_REQUEST"),
        ("/entities?colour=red", "steward", 400, "INVALID_REQUEST"),
        ("/entities?domain=%00", "steward", 400, "INVALID_REQUEST"),
        ("/entities?domain=", "steward", 400, "INVALID_REQUEST"),
        ("/entities/%00", "steward", 400, "INVALID_REQUEST"),
        ("/entities/Customer?x=1", "steward", 400, "INVALID_REQUEST"),
        ("/entities/Customer?name=1", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=Customer", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=Customer&id=..", "steward", 400, "INVALID_REQUEST"),
        ("/locate?type=InvoiceItem&id=x", "steward", 400, "INVALID_REQUEST"),
        (f"/locate?type=Customer&id={'x' * 1025}", "steward", 400, "INVALID_REQUEST"),
        ("/graph", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&depth=11", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&direction=up", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&limit=10001", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&as_of=yesterday", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&as_of=2026-02-30T00:00:00Z", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&as_of=2026-01-01", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&as_of=0001-01-01T00:00:00%2B14:00", "steward", 400, "INVALID_REQUEST"),
        ("/graph?type=Customer&id=none", "steward", 404, "ENTITY_NOT_FOUND"),
        ("/relationships?entity_type=Customer&entity_id=none", "steward", 404, "ENTITY_NOT_FOUND"),
        ("/schemas/Customer/9", "steward", 404, "ENTITY_NOT_FOUND"),
        ("/events?limit=501", "steward", 400, "INVALID_REQUEST"),
        ("/lineage/nowhere", "steward", 404, "ENTITY_NOT_FOUND"),
        ("/lineage/customers?depth=11", "steward", 400, "INVALID_REQUEST"),
        ("/nothing", "steward", 404, "ENTITY_NOT_FOUND"),
    ],
)
async def test_refusals(served: Served, path: str, key: str | None, status: int, code: str) -> None:
    answered, body = await served.get(path, key)
    assert (answered, body["error"]["code"], body["error"]["trace_id"]) == (status, code, "ab" * 16)
    assert set(body["error"]) == {"code", "message", "details", "trace_id"}
    assert "canary" not in str(body)


async def test_other_methods_are_named(served: Served) -> None:
    for method, path in (("DELETE", "/catalog/graph"), ("POST", "/catalog/locate"), ("PATCH", "/catalog/entities")):
        status, body = await served.ask(method, path)
        assert (status, body["error"]["code"]) == (405, "INVALID_REQUEST")


async def test_database_gone_is_503(served: Served, catalog: Pool) -> None:
    await catalog.close()
    for path in ("/entities", "/graph?type=Customer", "/schemas"):
        status, body = await served.get(path)
        assert (status, body["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_the_graph_around_a_record(graph: Served) -> None:
    status, body = await graph.get("/graph?type=Customer&id=c1&depth=2")
    assert status == 200
    assert [(node["depth"], node["entity_type"], node["id"]) for node in body["nodes"]] == [
        (1, "Invoice", "i1"),
        (1, "Invoice", "i2"),
        (2, "InvoiceItem", '["i1",1]'),
    ]
    assert [(edge["relation"], edge["inverse"], edge["provenance"]) for edge in body["edges"]] == [
        ("customer", "invoices", "observed"),
        ("customer", "invoices", "observed"),
        ("items", "invoice", "observed"),
    ]
    assert (body["truncated"], body["unchecked"]) == (None, [])
    _, body = await graph.get("/graph?type=Customer&id=c1&depth=2&relation=invoices&limit=1")
    assert ([node["id"] for node in body["nodes"]], body["truncated"]) == (["i1"], "nodes")


async def test_the_graph_of_the_past(graph: Served) -> None:
    for moment in ("2026-01-01T13:00:00Z", "2026-01-01T15:00:00+02:00", "2026-01-01T15:00:00%2B02:00"):
        _, body = await graph.get(f"/graph?type=Customer&id=c2&as_of={moment}")
        assert [node["id"] for node in body["nodes"]] == ["i2"]
    _, body = await graph.get("/graph?type=Customer&id=c2")
    assert body["nodes"] == []


async def test_records_that_do_not_exist_for_the_caller_are_nowhere(graph: Served) -> None:
    _, body = await graph.get("/graph?type=Invoice&id=i2&depth=3", "local")
    assert {node["id"] for node in body["nodes"]} == {"c1", "i1", '["i1",1]'}
    past = "as_of=2026-01-01T13:00:00Z"
    _, body = await graph.get(f"/graph?type=Invoice&id=i2&depth=3&{past}", "local")
    assert body["nodes"] == [], "then it was of a customer who does not exist for the caller"
    _, body = await graph.get(f"/relationships?entity_type=Invoice&entity_id=i2&{past}", "local")
    assert (body["items"], body["total"]) == ([], 0)
    for path in ("/graph?type=Customer&id=c2", "/relationships?entity_type=Customer&entity_id=c2"):
        assert await graph.refused(path, "local") == "ENTITY_NOT_FOUND"
    assert (await graph.get("/entities/by-source/cms/c2", "local"))[1] == []
    assert (await graph.ask("GET", "/entities/Customer/c2", "local"))[0] == 404
    assert (await graph.ask("GET", "/entities/Customer/c1", "local"))[0] == 200


async def test_relations_of_a_record_and_between_types(graph: Served) -> None:
    _, body = await graph.get("/relationships?entity_type=Invoice&entity_id=i1")
    assert [(each["relationship_type"], each["origin"], each["valid_to"]) for each in body["items"]] == [
        ("customer", "e-1", None),
        ("items", None, None),
    ]
    _, body = await graph.get("/relationships?entity_type=Customer&entity_id=c1&direction=out")
    assert body["total"] == 0
    _, body = await graph.get("/relationships?entity_type=Customer&entity_id=c1&relationship_type=invoices&limit=1")
    assert (body["total"], len(body["items"])) == (2, 1)
    _, body = await graph.get("/relationships")
    assert [(each["relationship_type"], each["provenance"]) for each in body["items"]] == [
        ("customer", "declared"),
        ("items", "declared"),
    ]
    _, by_key = await graph.get("/relationships?entity_id=c1")
    assert by_key == (await graph.get("/relationships?entity_type=Customer&entity_id=c1"))[1]
    assert by_key["total"] == 2
    assert (await graph.get("/relationships?entity_id=c1", "clerk"))[1]["items"] == []
    assert (await graph.get("/relationships?entity_id=c2", "local"))[1]["items"] == []
    _, body = await graph.get("/relationships?entity_type=Customer")
    assert [each["subject_entity_type"] for each in body["items"]] == ["Invoice"]


async def test_a_record(graph: Served) -> None:
    status, body = await graph.ask("GET", "/entities/Customer/c1")
    assert status == 200
    assert (body["known"], body["source_system"], body["provenance"]) == (True, "cms", "observed")
    assert body["location"]["url"] == "http://cms.example:8055/items/customers/c1"
    assert (await graph.get("/entities/by-source/cms/c1"))[1] == [body]
    assert (await graph.ask("GET", "/entities/Customer/%2A"))[0] == 404
    assert (await graph.ask("GET", "/entities/Invoice/none", "local"))[0] == 404
    SIGHTS["fresh"] = Sees(records={"Customer": {"c9"}})
    status, body = await graph.ask("GET", "/entities/Customer/c9", "fresh")
    assert (status, body["known"], body["first_seen_at"]) == (200, False, None)


async def test_schemas(served: Served) -> None:
    _, body = await served.get("/schemas")
    assert [(each["entity_type"], each["version"], each["schema_format"]) for each in body["items"]] == [
        ("Customer", "1.2.0", "avro")
    ]
    _, body = await served.get("/schemas/Customer/1.2.0")
    assert body["schema_definition"]["name"] == "Customer"


async def test_events(served: Served) -> None:
    assert (await served.get("/events"))[1] == {"items": [], "total": 0, "limit": 50, "offset": 0}
    await served.catalog.pool.execute(EVENTS, ())
    _, body = await served.get("/events")
    assert [each["entity_id"] for each in body["items"]] == ["i1", "c2", "c1"]
    assert "canary" not in str(body)
    _, body = await served.get("/events?entity_type=Customer&since=2026-01-01T12:00:00Z&until=2026-01-01T13:00:00Z")
    assert [each["changed_fields"] for each in body["items"]] == [["email", "country"]]
    _, body = await served.get("/events?entity_id=c1", "no-mail")
    assert [each["changed_fields"] for each in body["items"]] == [["country"]]


async def test_events_of_a_filtered_type_are_told_of_a_named_record_alone(served: Served) -> None:
    await served.catalog.pool.execute(EVENTS, ())
    for query, ids in (
        ("", ["i1"]),
        ("?entity_type=Customer", []),
        ("?entity_id=c1", []),
        ("?entity_type=Customer&entity_id=c1", ["c1"]),
        ("?entity_type=Customer&entity_id=c2", []),
    ):
        _, body = await served.get(f"/events{query}", "local")
        assert ([each["entity_id"] for each in body["items"]], body["total"]) == (ids, len(ids))


COLUMN = "postgres://cms/db.public.customers%23mail"


async def test_lineage_without_what_is_hidden(served: Served) -> None:
    _, body = await served.get("/lineage/customers%23Customer.email")
    assert [node["address"] for node in body["nodes"]] == [
        "customers#Customer.email",
        "invoices#Invoice.mail",
        "postgres://cms/db.public.customers#mail",
        "topic:invoices.payload.mail",
    ]
    assert [node["depth"] for node in body["nodes"]] == [0, 1, 1, 2]
    assert (body["direction"], body["depth"], len(body["edges"]), body["truncated"]) == ("both", 3, 3, False)
    _, body = await served.get("/lineage/invoices%23Invoice.mail?direction=upstream&depth=1")
    assert [(edge["from"], edge["to"]) for edge in body["edges"]] == [
        ("customers#Customer.email", "invoices#Invoice.mail")
    ]
    assert body["truncated"] is True
    for path in ("customers%23Customer.email", "customers", COLUMN):
        assert await served.refused(f"/lineage/{path}", "clerk") == "ENTITY_NOT_FOUND"
    _, body = await served.get("/lineage/invoices%23Invoice.mail", "clerk")
    assert [node["address"] for node in body["nodes"]] == ["invoices#Invoice.mail", "topic:invoices.payload.mail"]


async def test_an_address_has_slashes_or_escapes_them(served: Served) -> None:
    for path in (COLUMN, COLUMN.replace("/", "%2F")):
        _, body = await served.get(f"/lineage/{path}?depth=1")
        assert body["nodes"][0]["address"] == "postgres://cms/db.public.customers#mail"


async def test_a_type_that_another_replica_just_registered_is_hidden(served: Served) -> None:
    """What is remembered of the catalog for a few seconds does not decide what lineage tells."""
    SIGHTS["stranger"] = Sees(hidden=frozenset({"Letter"}))
    assert (await served.get("/lineage/invoices%23Invoice.mail", "stranger"))[0] == 200
    letter = dataclasses.replace(CUSTOMER, entity_type="Letter", schema_version=None)
    await register(served.catalog.pool, dataclasses.replace(FULL, entities=(*FULL.entities, letter)))
    told = Node("dictamesh://test", "letters#Letter", "to", Kind.FIELD, "letters#Letter")
    mail = Node("dictamesh://test", "invoices#Invoice", "mail", Kind.FIELD, "invoices#Invoice")
    more = graph_of([*drawn().edges, Edge(mail, told, Subtype.IDENTITY)])
    await register_lineage(served.catalog.pool, lineage_rows(served.catalog.plan(), more))
    for key, count in (("steward", 5), ("stranger", 4)):
        _, body = await served.get("/lineage/invoices%23Invoice.mail", key)
        assert len(body["nodes"]) == count


EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2026-01-02T03:04:05Z",
    "producer": "https://loader.example",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "01941f29-7c00-7000-8000-000000000001"},
    "job": {"namespace": "nightly", "name": "load"},
    "outputs": [{"namespace": "postgres://cms", "name": "db.public.customers"}],
}


async def test_lineage_events_are_taken_from_writers(served: Served) -> None:
    lacking = {"job": EVENT["job"], "run": {"runId": "1"}}
    status, body = await served.ask("POST", "/lineage", "editor", json=[EVENT, EVENT | {"producer": "x:"}, lacking])
    assert (status, body["taken"], body["known"]) == (200, 3, 0)
    assert [each["event"] for each in body["incomplete"]] == [2]
    assert body["incomplete"][0]["missing"]
    status, body = await served.ask("POST", "/lineage", "editor", data=json.dumps(EVENT).encode())
    assert (status, body) == (200, {"taken": 0, "known": 1, "incomplete": []}), "whatever its content type says"
    wrong = [EVENT, {"eventType": "DONE", "job": {}}]
    status, body = await served.ask("POST", "/lineage", "editor", json=wrong)
    assert status == 400
    assert {each["event"] for each in body["error"]["details"]["findings"]} == {1}
    assert served.counts == {"taken": 3, "known": 1, "refused": 2}


@pytest.mark.parametrize(
    ("sent", "key", "status"),
    [
        ({"data": b"not read at all"}, "steward", 403),
        ({"data": b"not read at all"}, None, 401),
        ({"data": b"{"}, "editor", 400),
        ({"data": b""}, "editor", 400),
        ({"data": b"\xff"}, "editor", 400),
        ({"json": []}, "editor", 400),
        ({"json": 4711}, "editor", 400),
        ({"json": [EVENT] * 1001}, "editor", 400),
        ({"data": b" " * (8 * 1024 * 1024 + 1)}, "editor", 413),
    ],
)
async def test_lineage_events_that_are_not_taken(served: Served, sent: Any, key: str | None, status: int) -> None:
    streamed = {"data": io.BytesIO(sent["data"])} if "data" in sent else sent
    assert (await served.ask("POST", "/lineage", key, **streamed))[0] == status


async def test_events_that_the_mesh_sent(served: Served) -> None:
    sent = [
        Event({"eventType": kind, "eventTime": f"2026-01-0{day}T00:00:00Z"}, frozenset({of}))
        for day, kind, of in ((1, "START", "customers#Customer"), (2, "COMPLETE", "invoices#Invoice"))
    ]
    await keep_events(served.catalog.pool, sent, 10)
    for query, key, kinds in (
        ("", "steward", ["COMPLETE", "START"]),
        ("?type=START", "steward", ["START"]),
        ("?limit=1&offset=1", "steward", ["START"]),
        ("", "clerk", ["COMPLETE"]),
    ):
        _, body = await served.ask("GET", f"/lineage/events{query}", key)
        assert [each["eventType"] for each in body["items"]] == kinds


EXTERNAL = {
    "entity_type": "Parcel",
    "domain": "logistics",
    "source_system": "carrier",
    "contains_pii": False,
    "data_classification": "internal",
    "description": "What a carrier carries.",
    "api_base_url": "https://user:canary@carrier.example/api",
    "api_path_template": "/parcels/{id}",
    "availability_sla": 0.99,
}
FACTS = {name: value for name, value in EXTERNAL.items() if name != "entity_type"}


async def test_an_editor_registers_what_no_spec_declares(served: Served) -> None:
    path = "/catalog/entities"
    status, made = await served.ask("POST", path, "editor", json=EXTERNAL)
    assert (status, made["external"], made["status"], made["availability_sla"]) == (201, True, "active", 0.99)
    assert made["api_base_url"] == "https://carrier.example/api"
    assert await served.get("/entities/Parcel") == (200, made)
    assert (await served.get("/locate?type=Parcel&id=7"))[1]["url"] == "https://carrier.example/api/parcels/7"
    changed = FACTS | {"domain": "shipping", "source_system": "other-carrier", "latency_p99_ms": 20.0}
    status, replaced = await served.ask("PUT", f"{path}/Parcel", "editor", json=changed)
    assert (status, replaced["domain"], replaced["source_system"]) == (200, "shipping", "other-carrier")
    assert replaced["latency_p99_ms"] == 20
    status, gone = await served.ask("DELETE", f"{path}/Parcel", "editor")
    assert (status, gone["status"]) == (200, "archived")
    assert (await served.ask("POST", path, "editor", json=EXTERNAL))[0] == 201, "an archived one may come back"
    told = [(row.principal, row.entity_type, row.operation, row.fields) for row in served.audit.rows]
    assert told == [("ed", "Parcel", word, ()) for word in ("CREATE", "UPDATE", "DELETE", "CREATE")]


async def test_what_is_refused_to_editors_and_to_others(served: Served) -> None:
    path = "/catalog/entities"
    for method, where, body in (("POST", "", EXTERNAL), ("PUT", "/Parcel", FACTS), ("DELETE", "/Parcel", None)):
        assert (await served.ask(method, path + where, "steward", json=body))[0] == 403
        assert (await served.ask(method, path + where, None, json=body))[0] == 401
    assert (await served.ask("PUT", f"{path}/Parcel", "editor", json=FACTS))[0] == 404
    assert (await served.ask("DELETE", f"{path}/Parcel", "editor"))[0] == 404
    await served.ask("POST", path, "editor", json=EXTERNAL)
    assert (await served.ask("POST", path, "editor", json=EXTERNAL))[0] == 409
    declared = EXTERNAL | {"entity_type": "Invoice"}
    for method, where, body in (("POST", "", declared), ("PUT", "/Invoice", FACTS), ("DELETE", "/Invoice", None)):
        status, refusal = await served.ask(method, path + where, "editor", json=body)
        assert (status, refusal["error"]["code"]) == (409, "CONFLICT")
    assert (await served.ask("PUT", f"{path}/Parcel", "editor", json=EXTERNAL))[0] == 400
    assert len(served.audit.rows) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {}}, 400),
        ({"json": EXTERNAL | {"more": 1}}, 400),
        ({"json": EXTERNAL | {"contains_pii": "no"}}, 400),
        ({"json": EXTERNAL | {"entity_type": "a b"}}, 400),
        ({"json": EXTERNAL | {"description": "a\0b"}}, 400),
        ({"json": EXTERNAL | {"api_base_url": "file:///etc/passwd"}}, 400),
        ({"json": EXTERNAL | {"latency_p99_ms": 2**40}}, 400),
        ({"json": [EXTERNAL]}, 400),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"entity_type=Parcel", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b" " * 100_001, "headers": {"Content-Type": "application/json"}}, 413),
    ],
)
async def test_bodies_that_do_not_fit(served: Served, sent: dict[str, Any], status: int) -> None:
    answered, body = await served.ask("POST", "/catalog/entities", "editor", **sent)
    assert (answered, body["error"]["code"]) == (status, "INVALID_REQUEST")


async def test_a_spec_takes_the_name_of_an_external_entity(served: Served) -> None:
    await served.ask("POST", "/catalog/entities", "editor", json=EXTERNAL)
    parcel = dataclasses.replace(
        CUSTOMER, entity_type="Parcel", source_system="wms", schema_version=None, api_base_url=None
    )
    await register(served.catalog.pool, dataclasses.replace(FULL, entities=(*FULL.entities, parcel)))
    served.catalog.forget()
    _, body = await served.get("/entities/Parcel")
    assert (body["source_system"], body["external"]) == ("wms", False)
    assert (await served.ask("DELETE", "/catalog/entities/Parcel", "editor"))[0] == 409


async def test_the_document_is_served_to_everybody(served: Served) -> None:
    url = f"http://{served.server.host}:{served.server.port}{PREFIX}/openapi.json"
    async with ClientSession() as session, session.get(url) as answer:
        body = await answer.json()
    assert answer.status == 200
    assert {(route.method.lower(), route.whole_path) for route in ROUTES} == {
        (method, path) for path, each in body["paths"].items() for method in each
    }
