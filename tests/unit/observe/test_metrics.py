# SPDX-License-Identifier: Apache-2.0
"""Metrics over a real server (OB-4..7)."""

import socket
from pathlib import Path

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from dictamesh.connectors.sdk.errors import Fault, Transient
from dictamesh.runtime.observe import METRICS, reference
from dictamesh.runtime.observe.metrics import Metrics, Served, SourceCall
from dictamesh.runtime.observe.server import listen, metrics_app
from dictamesh.runtime.resilience import Guard, Listeners, Retry, Settings

CUSTOMER = Served("cms", "customers", "Customer")


def metrics() -> Metrics:
    made = Metrics(routes=["/graphql"])
    made.use_plan("0123456789abcdef", [CUSTOMER])
    return made


def samples(of: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(of.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(of: Metrics, name: str, **labels: str) -> float | None:
    return samples(of).get(name, {}).get(tuple(sorted(labels.items())))


async def test_the_metrics_port_speaks_the_text_format():
    own = metrics()
    own.http_request("/graphql", "POST", 200, 0.02)
    server = await listen(metrics_app(own), port=0)
    async with ClientSession(f"http://127.0.0.1:{server.port}") as session:
        async with session.get("/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            text = await answer.text()
        async with session.get("/") as answer:
            assert answer.status == 404
    await server.close()
    await server.close()
    assert 'dictamesh_http_requests_total{method="POST",route="/graphql",status="200"} 1.0' in text
    assert "_created" not in text


async def test_a_taken_port_is_an_os_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            await listen(metrics_app(metrics()), port=taken.getsockname()[1])


def test_all_names_carry_the_prefix_and_help():
    own = metrics()
    families = list(text_string_to_metric_families(own.exposition().decode()))
    assert all(family.name.startswith("dictamesh_") and family.documentation for family in families)
    exposed = {family.name.removesuffix("_total") for family in families}
    assert {m.full_name.removesuffix("_total") for m in METRICS} <= exposed
    assert all(m.help.endswith(".") for m in METRICS)


def test_no_text_of_a_caller_becomes_a_label():
    own = metrics()
    own.http_request("/customers/canary-1", "CANARY", 799, 0.1)
    own.source_call(Served("canary", "canary", "canary"), SourceCall("canary", "canary", 0.1, rows=1, keys=1))
    own.graphql_operation("canary", 0.1, codes=["CANARY"])
    own.cache_lookup("canary", "canary", "canary")
    own.source_attempt("canary", "canary", 0.1)
    own.count("auth_failures_total", "canary@example.com")
    text = own.exposition().decode()
    assert "canary" not in text.lower()
    assert value(own, "dictamesh_http_requests_total", route="other", method="other", status="other") == 1
    for number in range(1000):
        own.count("auth_failures_total", f"someone-{number}")
    assert value(own, "dictamesh_auth_failures_total", code="other") == 1001
    assert len(own._bound) < 100


def test_recorders_fill_their_series():
    own = metrics()
    own.source_call(CUSTOMER, SourceCall("batch", "ok", 0.05, rows=98, keys=100))
    own.source_call(CUSTOMER, SourceCall("batch", str(Fault.TIMEOUT), 5.0))
    own.cache_lookup("l1", "hit", "Customer", times=3)
    own.cache_lookup("l1", "miss", "Customer")
    own.graphql_operation("partial", 0.2, codes=["SOURCE_TIMEOUT", "SOURCE_TIMEOUT"])
    own.set("ready", 1)
    own.count("audit_rows_total", by=7)
    call = {"server": "cms", "product": "customers", "entity": "Customer", "operation": "batch"}
    assert value(own, "dictamesh_source_requests_total", **call, outcome="ok") == 1
    assert value(own, "dictamesh_source_requests_total", **call, outcome="timeout") == 1
    assert value(own, "dictamesh_source_rows_total", server="cms", entity="Customer") == 98
    assert value(own, "dictamesh_source_batch_size_sum", server="cms") == 100
    assert value(own, "dictamesh_source_request_duration_seconds_bucket", server="cms", le="0.1") == 1
    assert value(own, "dictamesh_cache_requests_total", layer="l1", outcome="hit", entity="Customer") == 3
    assert value(own, "dictamesh_cache_hits_total", layer="l1", entity="Customer") == 3
    assert value(own, "dictamesh_graphql_errors_total", code="SOURCE_TIMEOUT") == 2
    assert value(own, "dictamesh_ready") == 1
    assert value(own, "dictamesh_audit_rows_total") == 7


def test_buckets_are_those_of_the_requirements():
    own = metrics()
    own.http_request("/graphql", "POST", 200, 0.02)
    bounds = [dict(key)["le"] for key in samples(own)["dictamesh_http_request_duration_seconds_bucket"]]
    assert bounds == ["0.001", "0.01", "0.1", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"]


def test_a_new_plan_replaces_what_runs_and_keeps_the_counts():
    own = metrics()
    own.cache_lookup("l1", "hit", "Customer")
    own.breaker_moved("cms", "open")
    own.cache_lookup("l1", "hit", "Supplier")
    own.use_plan("fedcba9876543210", [CUSTOMER, Served("files", "suppliers", "Supplier")])
    own.cache_lookup("l1", "hit", "Supplier")
    found = samples(own)
    assert list(found["dictamesh_plan_info"]) == [(("hash", "fedcba987654"),)]
    assert len(found["dictamesh_entity_info"]) == 2
    assert value(own, "dictamesh_cache_hits_total", layer="l1", entity="Customer") == 1
    assert value(own, "dictamesh_cache_hits_total", layer="l1", entity="other") == 1
    assert value(own, "dictamesh_cache_hits_total", layer="l1", entity="Supplier") == 1
    assert value(own, "dictamesh_breaker_state", server="cms") == 2
    assert value(own, "dictamesh_breaker_state", server="files") == 0
    own.use_plan("00", [])
    assert "dictamesh_entity_info" not in samples(own)


def test_two_meshes_share_nothing():
    one, two = metrics(), metrics()
    one.count("audit_rows_total")
    assert value(two, "dictamesh_audit_rows_total") == 0


def test_misuse_is_an_error():
    own = metrics()
    with pytest.raises(KeyError):
        own.count("no_such_total")
    with pytest.raises(ValueError, match="labels"):
        own.count("cache_hits_total", "l1")


async def test_a_guard_reports_here():
    own = metrics()
    guard = Guard(
        "cms",
        Settings(retry=Retry(attempts=1)),
        listeners=Listeners(on_state=own.breaker_moved, on_attempt=own.source_attempt),
    )

    async def dead() -> None:
        raise Transient(Fault.CONNECTION_FAILED)

    for _ in range(5):
        with pytest.raises(Transient):
            await guard.call(dead)
    assert value(own, "dictamesh_breaker_state", server="cms") == 2
    assert value(own, "dictamesh_breaker_transitions_total", server="cms", to_state="open") == 1
    assert value(own, "dictamesh_source_attempts_total", server="cms", outcome="connection_failed") == 5


def test_the_page_is_current():
    page = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
    assert page.read_text(encoding="utf-8") == reference()
    assert all(f"`{m.full_name}`" in reference() for m in METRICS)
