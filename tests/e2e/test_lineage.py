# SPDX-License-Identifier: Apache-2.0
"""The lineage of the running example: events in the form of OpenLineage, read and sent over HTTP, without a value."""

import gzip
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from examples.sources import serve
from tests.support.openlineage import facets, faults, registry
from tests.support.running import TOUR, Runtime, edit, example_sources, example_tree, running, until
from tests.support.testsets import folder_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCK = """\
lineage:
  writers: [steward]
  openlineage:
    url: "${env:COLLECTOR}"
    apiKey: "${env:COLLECTOR_KEY}"
    file: sent/events.jsonl
    everySeconds: 1
runtime: {"""


@dataclass
class Collector:
    """A consumer of OpenLineage that answers 503 to the first event that it gets."""

    events: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    refused: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("Authorization"))
        if not self.refused:
            self.refused += 1
            return web.Response(status=503)
        self.events.append(await request.json())
        return web.Response(status=201)


@dataclass
class Followed:
    """The example that ran, was asked, lost a source, was reloaded; and all that it sent."""

    runtime: Runtime
    collector: Collector
    tree: Path
    emails: list[str]

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.tree / "sent" / "events.jsonl").read_text().splitlines()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def followed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Followed]:
    folder = tmp_path_factory.mktemp("lineage")
    config = example_tree(folder)
    edit(config, "runtime: {", BLOCK)
    collector = Collector()
    app = web.Application()
    app.router.add_post("/api/v1/lineage", collector.take)
    async with example_sources(folder) as sources, TestServer(app) as server:
        more = {
            "COLLECTOR": f"http://{server.host}:{server.port}",
            "COLLECTOR_KEY": "collector-secret",
            "SHOP_URL": "http://127.0.0.1:9",  # where nothing listens
        }
        async with running(config, folder / "data", {**sources.environment, **more}) as runtime:
            answer = await runtime.ask(TOUR, "support")
            assert "ana_example_com" not in answer
            await runtime.ask("query ana_example_com { customers(limit: 2) { id email } }", "support")
            failing = await runtime.ask("{ products(limit: 1) { id } }", "support")
            assert failing["errors"][0]["extensions"]["code"] == "SOURCE_UNAVAILABLE"
            edit(config.parent / "products" / "products.yaml", "What the shop sells.", "All that the shop sells.")
            await until(lambda: applied(runtime), "the reload is applied")
            emails = [each["email"] for each in sources.records.customers]
            done = Followed(runtime, collector, config.parent, emails)
            await until(lambda: any(e.get("eventType") == "FAIL" for e in collector.events), "the failure is told")
            await until(lambda: any("graphql" in e["job"]["name"] for e in collector.events), "operations are told")
            await until(lambda: registrations(done.sent()) == 2, "the reload is told")
            yield done


def registrations(events: list[dict[str, Any]]) -> int:
    """How many registrations have ended well."""
    return sum(event["job"]["name"] == "registration" and event["eventType"] == "COMPLETE" for event in events)


async def applied(runtime: Runtime) -> bool:
    return (await runtime.reloads()).get("applied", 0) == 1


async def test_every_event_is_valid_against_core_and_facets(followed: Followed) -> None:
    known = registry(folder_of("openlineage-spec"))
    sent = followed.sent()
    wrong = {json.dumps(event["job"]["name"]): found for event in sent if (found := faults(event, known))}
    assert wrong == {}
    print(f"{len(sent)} events, {sum(1 for event in sent for _ in facets(event))} facets valid")
    assert {event.get("eventType") for event in sent} == {None, "START", "COMPLETE", "FAIL"}
    seen = {name for event in sent for name, _ in facets(event)}
    assert seen >= {
        "schema",
        "columnLineage",
        "ownership",
        "documentation",
        "dataSource",
        "jobType",
        "processing_engine",
        "errorMessage",
        "nominalTime",
    }


async def test_runs_begin_and_end_once(followed: Followed) -> None:
    runs: dict[str, list[str]] = {}
    for event in followed.sent():
        if "run" in event:
            runs.setdefault(event["run"]["runId"], []).append(event["eventType"])
            assert event["run"]["runId"][14] == "7", "UUIDv7"
    assert len(runs) >= 6
    assert all(states[0] == "START" and len(states) == 2 for states in runs.values()), runs


async def test_what_was_read_answered_and_lost_is_told(followed: Followed) -> None:
    sent = followed.sent()
    ends = {(event["job"]["name"], event.get("eventType")) for event in sent}
    assert {("registration", "COMPLETE"), ("customers#Customer.read", "COMPLETE")} <= ends
    assert {("graphql.customers", "COMPLETE"), ("graphql.products", "FAIL")} <= ends
    assert {("products#Product.read", "FAIL"), ("customers", None)} <= ends
    assert ("products#Product.read", "COMPLETE") not in ends
    lost = next(e for e in sent if (e["job"]["name"], e.get("eventType")) == ("products#Product.read", "FAIL"))
    assert lost["run"]["facets"]["errorMessage"]["message"] in {
        "The source cannot be reached.",
        "The source failed repeatedly and is not asked for a moment.",
    }
    asked = next(e for e in sent if (e["job"]["name"], e.get("eventType")) == ("graphql.customers", "COMPLETE"))
    assert asked["run"]["facets"]["dictamesh_window"]["operations"] == 2
    customer = next(each for each in asked["outputs"] if each["name"] == "graphql:Customer")
    lineage = customer["facets"]["columnLineage"]["fields"]["email"]["inputFields"]
    assert [(each["name"], each["field"]) for each in lineage] == [("customers#Customer", "email")]
    assert lineage[0]["transformations"] == [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}]
    described = [e for e in sent if e["job"]["name"] == "products" and "run" not in e]
    assert [e["job"]["facets"]["documentation"]["description"] for e in described] == [
        "What the shop sells.",
        "All that the shop sells.",
    ]


async def test_no_event_holds_a_value_or_a_secret(followed: Followed) -> None:
    text = json.dumps(followed.sent()) + json.dumps(followed.collector.events)
    assert followed.emails
    for word in [*followed.emails, "ana_example_com", "support-desk", "collector-secret", serve.key("cms.token")]:
        assert word not in text


async def test_the_collector_gets_what_the_file_gets(followed: Followed) -> None:
    await until(lambda: len(followed.collector.events) >= len(followed.sent()) - 4, "the collector catches up")
    assert followed.collector.refused == 1
    assert followed.collector.keys == {"Bearer collector-secret"}
    assert followed.collector.events[0] == followed.sent()[0], "in order, and tried again after the 503"
    metrics = await followed.runtime.metrics()
    assert 'dictamesh_lineage_events_total{outcome="sent",sink="http"}' in metrics


async def test_the_events_are_read_again_at_an_address_of_ours(followed: Followed) -> None:
    status, page = await followed.runtime.get("/api/v1/lineage/events?limit=500", "steward")
    assert status == 200
    assert page["total"] >= 20
    first = followed.sent()[0]
    assert first in page["items"]
    assert page["items"][0]["eventTime"] >= page["items"][-1]["eventTime"]
    status, failed = await followed.runtime.get("/api/v1/lineage/events?type=FAIL", "steward")
    assert {each["eventType"] for each in failed["items"]} == {"FAIL"}
    for path, code in (("?limit=501", "INVALID_REQUEST"), ("?type=x", "INVALID_REQUEST"), ("?no=1", "INVALID_REQUEST")):
        status, body = await followed.runtime.get(f"/api/v1/lineage/events{path}", "steward")
        assert (status, body["error"]["code"]) == (400, code)
    assert (await followed.runtime.get("/api/v1/lineage/events"))[0] == 401


async def test_lineage_is_read_from_the_catalog(followed: Followed) -> None:
    path = f"/api/v1/catalog/lineage/{quote('customers#Customer.name', safe='')}?direction=upstream"

    async def flowing() -> bool:
        _, body = await followed.runtime.get(path, "support")
        return all(edge["dataFlowActive"] for edge in body["edges"])

    await until(flowing, "the flow is recorded")
    status, body = await followed.runtime.get(path, "support")
    assert status == 200
    assert [edge["from"].rpartition("#")[2] for edge in body["edges"]] == ["first_name", "last_name"]
    assert all(edge["averageLatencyMs"] > 0 and edge["subtype"] == "TRANSFORMATION" for edge in body["edges"])
    for query, parameter in (("direction=up", "direction"), ("depth=x", "depth"), ("as_of=now", "as_of")):
        status, body = await followed.runtime.get(f"/api/v1/catalog/lineage/invoices?{query}", "support")
        assert (status, body["error"]["details"]) == (400, {"parameter": parameter})
    assert (await followed.runtime.get("/api/v1/catalog/lineage/nobody", "support"))[0] == 404
    assert (await followed.runtime.get("/api/v1/catalog/lineage/invoices"))[0] == 401
    then = "as_of=2020-01-01T00:00:00Z"
    _, body = await followed.runtime.get(f"/api/v1/catalog/lineage/invoices?{then}", "support")
    assert body["edges"] == []


async def post(runtime: Runtime, body: bytes, key: str | None = "steward", **more: str) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json", **({"X-API-Key": serve.key(f"{key}.key")} if key else {}), **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{runtime.url}/api/v1/lineage", data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_every_event_of_other_producers_is_taken_in(followed: Followed) -> None:
    found = sorted(folder_of("openlineage-compat").rglob("*.json"))
    found.append(folder_of("openlineage-spec") / "tests" / "example_full_event.json")
    answers = {str(path): await post(followed.runtime, path.read_bytes()) for path in found}
    assert {path: answer for path, answer in answers.items() if answer[0] != 200} == {}
    assert sum(answer[1]["taken"] + answer[1]["known"] for answer in answers.values()) == len(found)
    together = b"[" + b",".join(path.read_bytes() for path in found) + b"]"
    status, body = await post(followed.runtime, together)
    assert (status, body["taken"], body["known"]) == (200, 0, len(found))


async def test_what_others_observe_joins_what_the_specs_declare(followed: Followed) -> None:
    """A job that loads the ERP's table, as its producer tells, lies upstream of the mesh's field."""
    path = f"/api/v1/catalog/lineage/{quote('invoices#Invoice.status', safe='')}?direction=upstream&depth=2"
    _, before = await followed.runtime.get(path, "support")
    column = next(node for node in before["nodes"] if node["kind"] == "column")
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-02T03:04:05Z",
        "producer": "https://example.com/loader",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "01941f29-7c00-7000-8000-000000000001"},
        "job": {"namespace": "nightly", "name": "load_invoices"},
        "inputs": [{"namespace": "s3://lake", "name": "raw/invoices"}],
        "outputs": [
            {
                "namespace": "elsewhere",
                "name": "alias",
                "facets": {
                    "symlinks": {
                        "identifiers": [{"namespace": column["namespace"], "name": column["name"], "type": "table"}]
                    },
                    "columnLineage": {
                        "fields": {
                            "status": {
                                "inputFields": [
                                    {
                                        "namespace": "s3://lake",
                                        "name": "raw/invoices",
                                        "field": "state",
                                        "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}],
                                    }
                                ]
                            }
                        }
                    },
                },
            }
        ],
    }
    status, body = await post(followed.runtime, json.dumps(event).encode())
    assert (status, body["taken"], body["known"]) == (200, 1, 0)
    assert sorted(body["incomplete"][0]["missing"]) == [
        f"/outputs/0/facets/{facet}: '{name}' is missing"
        for facet in ("columnLineage", "symlinks")
        for name in ("_producer", "_schemaURL")
    ]
    _, after = await followed.runtime.get(path, "support")
    edge = next(each for each in after["edges"] if each["provenance"] == "observed")
    assert (edge["from"], edge["to"]) == ("s3://lake/raw/invoices#state", column["address"])
    assert (edge["job"], edge["validFrom"]) == ("nightly/load_invoices", "2026-01-02T03:04:05Z")


async def test_events_that_are_none_are_refused_with_the_place(followed: Followed) -> None:
    runtime = followed.runtime
    good = {"job": {"namespace": "n", "name": "j"}}
    bad = {"job": {"namespace": "n", "name": 7}, "eventType": "DONE"}
    status, body = await post(runtime, json.dumps([good, bad]).encode())
    assert (status, body["error"]["code"]) == (400, "INVALID_REQUEST")
    assert body["error"]["details"]["findings"] == [
        {"event": 1, "path": "/job/name", "message": "this is not of type string"}
    ]
    assert body["error"]["trace_id"]
    for given, status in (
        (b"{", 400),
        (b"[]", 400),
        (b"7", 400),
        (b'{"run": {}}', 400),
        (b'{"job": {"namespace": "n"}}', 400),
        (b'{"job": {"namespace": "n", "name": "a\\u0000b"}}', 400),
        (b"[" * 100_000, 400),
        (b"x" * (8 * 1024 * 1024 + 1), 413),
    ):
        assert (await post(runtime, given))[0] == status, given[:60]
    assert (await post(runtime, json.dumps(good).encode(), None))[0] == 401
    status, body = await post(runtime, json.dumps(good).encode(), "support")
    assert (status, body["error"]["code"]) == (403, "FORBIDDEN")
    metrics = await runtime.metrics()
    assert 'dictamesh_lineage_received_total{outcome="refused"}' in metrics


async def test_compressed_events_within_the_same_bound(followed: Followed) -> None:
    good = gzip.compress(json.dumps({"job": {"namespace": "packed", "name": "j"}}).encode())
    packed = {"Content-Encoding": "gzip"}
    assert (await post(followed.runtime, good, **packed))[0] == 200
    bomb = gzip.compress(b"[" + b" " * (64 * 1024 * 1024))
    assert (await post(followed.runtime, bomb, **packed))[0] == 413
    assert (await post(followed.runtime, b"no gzip", **packed))[0] == 400


ALL = """\
lineage:
  writers: [steward]
  strict: true
  keep: 5
  openlineage: {file: all.jsonl, queries: all, everySeconds: 1}
runtime: {"""


async def test_each_operation_or_none(tmp_path: Path) -> None:
    """`queries: all` tells of each operation by itself, `none` of none; a reload changes what is told, and where."""
    config = example_tree(tmp_path)
    edit(config, "runtime: {", ALL)

    def sent(name: str) -> list[dict[str, Any]]:
        path = config.parent / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["job"]["name"].startswith("graphql.")]

    def registered(name: str) -> bool:
        path = config.parent / name
        return path.exists() and registrations([json.loads(line) for line in path.read_text().splitlines()]) == 1

    async with (
        example_sources(tmp_path) as sources,
        running(config, tmp_path / "data", {**sources.environment, "SHOP_URL": "http://127.0.0.1:9"}) as runtime,
    ):
        await runtime.until_said("gateway ready")
        await until(lambda: registered("all.jsonl"), "the registration is told")
        for query in (
            "{ customers(limit: 1) { id } }",
            "{ customersCount }",
            "{ products(limit: 1) { id } }",
            "{ no }",
        ):
            await runtime.ask(query, "support")
        await until(lambda: len(sent("all.jsonl")) == 6, "three operations are told, the refused one is not")
        told = sent("all.jsonl")
        assert [(event["job"]["name"], event["eventType"]) for event in told] == [
            ("graphql.customers", "START"),
            ("graphql.customers", "COMPLETE"),
            ("graphql.customersCount", "START"),
            ("graphql.customersCount", "COMPLETE"),
            ("graphql.products", "START"),
            ("graphql.products", "FAIL"),
        ]

        async def five_are_kept() -> bool:
            return bool((await runtime.get("/api/v1/lineage/events", "steward"))[1]["total"] == 5)

        incomplete = json.dumps({"job": {"namespace": "n", "name": "j"}}).encode()
        status, body = await post(runtime, incomplete)
        assert (status, body["error"]["details"]["findings"][0]["message"]) == (400, "'eventTime' is missing")
        await until(five_are_kept, "older events are dropped")
        edit(config, "file: all.jsonl, queries: all", "file: none.jsonl, queries: none")
        await until(lambda: applied(runtime), "the reload is applied")
        await runtime.ask("{ customers(limit: 1) { id } }", "support")
        await until((config.parent / "none.jsonl").exists, "the registration is told at the new place")
    assert sent("none.jsonl") == []
    assert len(sent("all.jsonl")) == 6
