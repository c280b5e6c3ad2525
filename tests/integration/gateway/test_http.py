# SPDX-License-Identifier: Apache-2.0
"""GraphQL over HTTP on a real server: negotiation, callers, origins, bounds and attacks (GW-5, S10, S21, S26)."""

import asyncio
import contextlib
import gzip
import json
import tracemalloc
from urllib.parse import urlsplit

import aiohttp
import pytest

from dictamesh.runtime.gateway.contract import Outcome
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from tests.support.gateway import gateway, listening, running, values_for
from tests.support.plans import every_type, plan, shop

GRAPHQL = "application/graphql-response+json"
PLAN = plan(*shop(), every_type())


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
async def url():
    async with listening(gateway(PLAN)) as address:
        yield address


async def posted(session, url, body, **headers):
    given = {"Content-Type": "application/json", "Accept": GRAPHQL} | headers
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    async with session.post(url, data=data, headers=given) as answer:
        text = await answer.read()
        return answer, json.loads(text) if text else None


def code(body):
    return body["errors"][0]["extensions"]["code"]


async def test_a_query_with_variables_and_a_name(session, url):
    body = {
        "query": "query A($n: Int) { customers(limit: $n) { id } } query B { customersCount }",
        "variables": {"n": 1},
        "operationName": "A",
    }
    answer, read = await posted(session, url, body)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == f"{GRAPHQL}; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert read == {"data": {"customers": [{"id": "text"}]}}


async def test_get(session, url):
    params = {"query": "query($n: Int) { customers(limit: $n) { id } }", "variables": '{"n": 1}'}
    async with session.get(url, params=params) as answer:
        assert answer.status == 200
        assert await answer.json() == {"data": {"customers": [{"id": "text"}]}}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"query": "{ nope }"}, {}, 400),
        ({"query": "{ nope }"}, {"Accept": "application/json"}, 200),
        ({"query": "{"}, {"Accept": "application/json"}, 200),
        ({"query": 1}, {"Accept": "application/json"}, 400),
        ({}, {}, 400),
        ([{"query": "{ __typename }"}], {}, 400),
        ("[]", {}, 400),
        ("null", {}, 400),
        ("", {}, 400),
        (b"\xff\xfe", {}, 400),
        ({"query": "{ __typename }", "variables": []}, {}, 400),
        ({"query": "{ __typename }", "variables": "{}"}, {}, 400),
        ({"query": "{ __typename }", "operationName": 1}, {}, 400),
        ({"query": "{ __typename }", "extensions": 1}, {}, 400),
        ({"query": "{ __typename }"}, {"Content-Type": "text/plain"}, 415),
        ({"query": "{ __typename }"}, {"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"query": "{ __typename }"}, {"Content-Type": 'application/json; charset="UTF-8"'}, 200),
        ({"query": "{ __typename }"}, {"Accept": "text/plain"}, 406),
        ({"query": "{ __typename }"}, {"Accept": "text/html"}, 406),
    ],
)
async def test_requests_that_are_not_quite_right(session, url, body, headers, status):
    answer, read = await posted(session, url, body, **headers)
    assert answer.status == status
    if status != 200 or "errors" in read:
        assert code(read) in {"VALIDATION_ERROR", "PARSE_FAILED"}
        assert "data" not in read
        assert len(read["errors"][0]["extensions"]["traceId"]) == 32


@pytest.mark.parametrize(
    "query",
    [
        "",
        "query=a&query=b",
        "query=%7B__typename%7D&variables=nope",
        "query=%7B__typename%7D&variables=%5B%5D",
        "query=%7B",
    ],
)
async def test_bad_addresses(session, url, query):
    async with session.get(f"{url}?{query}", headers={"Accept": GRAPHQL}) as answer:
        assert answer.status == 400
        assert "data" not in await answer.json(content_type=None)


async def test_other_methods(session, url):
    for method in ("PUT", "DELETE", "HEAD", "PATCH"):
        async with session.request(method, url) as answer:
            assert answer.status == 405
            assert "POST" in answer.headers["Allow"]


async def test_the_trace_of_the_caller_goes_on(session, url):
    trace = "a" * 32
    _, read = await posted(session, url, {"query": "{"}, traceparent=f"00-{trace}-{'b' * 16}-01")
    assert read["errors"][0]["extensions"]["traceId"] == trace
    _, read = await posted(session, url, {"query": "{"}, traceparent="nonsense")
    assert read["errors"][0]["extensions"]["traceId"] != trace


# --- callers (S21)


async def callers(headers):
    key = headers.get("X-API-Key")
    if key == "wrong":
        raise Unauthenticated("the API key is not known")
    if key == "broken":
        raise RuntimeError("SECRET")
    if headers.get("X-Purpose") == "marketing":
        raise PurposeRefused("this purpose is not allowed to the caller")
    return Principal(name=key or "anonymous", authenticated=key is not None)


async def test_callers_reach_execution_and_wrong_ones_do_not(session):
    seen = []

    async def run(operation, principal, info):
        seen.append((principal.name, info.transport))
        return Outcome(values_for(operation))

    async with listening(gateway(PLAN, run, callers)) as url:
        query = {"query": "{ customersCount }"}
        answer, _ = await posted(session, url, query, **{"X-API-Key": "support"})
        assert answer.status == 200
        for accept in (GRAPHQL, "application/json"):
            answer, read = await posted(session, url, query, **{"X-API-Key": "wrong", "Accept": accept})
            assert (answer.status, code(read)) == (401, "UNAUTHENTICATED")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Content-Type"].startswith(accept)
            answer, read = await posted(session, url, query, **{"X-Purpose": "marketing", "Accept": accept})
            assert (answer.status, code(read)) == (403, "FORBIDDEN")
        answer, read = await posted(session, url, query, **{"X-API-Key": "broken"})
        assert (answer.status, code(read)) == (500, "INTERNAL_ERROR")
        assert "SECRET" not in str(read)
    assert seen == [("support", "http")]


@pytest.mark.parametrize(
    ("error", "status", "relaxed"),
    [
        (GatewayError("FORBIDDEN"), 403, 200),
        (GatewayError("SCAN_LIMIT"), 400, 200),
        (GatewayError("RATE_LIMIT_EXCEEDED"), 429, 429),
        (ValueError("SECRET"), 500, 500),
    ],
)
async def test_the_status_of_operations_that_fail_as_a_whole(session, error, status, relaxed):
    async def run(_operation, _principal, _info):
        raise error

    async with listening(gateway(PLAN, run)) as url:
        answer, read = await posted(session, url, {"query": "{ customersCount }"})
        assert answer.status == status
        assert "data" not in read
        assert "SECRET" not in str(read)
        answer, _ = await posted(session, url, {"query": "{ customersCount }"}, Accept="application/json")
        assert answer.status == relaxed


async def test_a_client_that_goes_away_cancels_its_operation(session):
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def run(_operation, _principal, _info):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with listening(gateway(PLAN, run)) as url:
        task = asyncio.create_task(posted(session, url, {"query": "{ customersCount }"}))
        await asyncio.wait_for(started.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_reload_in_flight_ends_on_the_old_plan(session):
    entered, go = asyncio.Event(), asyncio.Event()

    async def run(operation, _principal, _info):
        entered.set()
        await go.wait()
        return Outcome(values_for(operation))

    served = gateway(PLAN, run)
    async with listening(served) as url:
        task = asyncio.create_task(posted(session, url, {"query": "{ customers(limit: 1) { id } }"}))
        await entered.wait()
        served.exchange(gateway(plan(every_type())).current)
        go.set()
        _, read = await task
        assert read == {"data": {"customers": [{"id": "text"}]}}
        _, read = await posted(session, url, {"query": "{ customers(limit: 1) { id } }"})
        assert code(read) == "VALIDATION_ERROR"


async def test_what_a_source_holds_beyond_json_is_written_all_the_same(session):
    odd = {"Sample.extra": {"big": 2**80, "lone": "\ud800", "nan": float("nan")}}
    async with listening(gateway(PLAN, running(odd))) as url:
        _, read = await posted(session, url, {"query": "{ sample(shard: 1, serial: 1) { extra } }"})
    assert read == {"data": {"sample": {"extra": {"big": 2**80, "lone": "\ud800", "nan": None}}}}


# --- browsers


async def test_the_page(session, url):
    async with session.get(url, headers={"Accept": "text/html,*/*;q=0.8"}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<textarea" in await answer.text()
    async with session.get(url, params={"query": "{ __typename }"}, headers={"Accept": "text/html, */*"}) as answer:
        assert await answer.json() == {"data": {"__typename": "Query"}}


async def test_the_page_can_be_switched_off(session):
    async with (
        listening(gateway(plan(*shop(), gateway={"page": False}))) as url,
        session.get(url, headers={"Accept": "text/html,*/*;q=0.8"}) as answer,
    ):
        assert answer.status == 400


async def test_origins(session):
    origin = "https://app.example"
    async with listening(gateway(plan(*shop(), gateway={"cors": {"origins": [origin]}}))) as url:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with session.options(url, headers=asked) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == origin
        answer, _ = await posted(session, url, {"query": "{ __typename }"}, Origin=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        answer, _ = await posted(session, url, {"query": "{"}, Origin=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        answer, _ = await posted(session, url, {"query": "{ __typename }"}, Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with listening(gateway(PLAN)) as url, session.options(url, headers=asked) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


# --- attacks (S10)


MB = 1_000_000


@contextlib.contextmanager
def bounded(most: int = 20 * MB):
    """Hold the memory that client and server allocate in the block under a bound."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


ATTACKS = {
    "braces": ("{" * 99_900, "LIMIT_EXCEEDED"),
    "brackets": ("{a(b:" + "[" * 99_000, "LIMIT_EXCEEDED"),
    "parentheses": ("query Q" + "(" * 99_000, "LIMIT_EXCEEDED"),
    "tokens": ("{" + " a" * 40_000 + "}", "LIMIT_EXCEEDED"),
    "aliases": ("{" + " ".join(f"a{i}:customers(limit:1000){{id}}" for i in range(180)) + "}", "LIMIT_EXCEEDED"),
    "fragments": (
        "{...F0}"
        + "".join(f"fragment F{i} on Query{{a:customersCount ...F{i + 1} ...{{...F{i + 1}}}}}" for i in range(60))
        + "fragment F60 on Query{customersCount}",
        "LIMIT_EXCEEDED",
    ),
    "cycle": ("{...A}fragment A on Query{...B}fragment B on Query{...A}", "VALIDATION_ERROR"),
    "directives": ("{customersCount" + "@include(if:true)" * 280 + "}", "VALIDATION_ERROR"),
    "repeats": ("{" + "a:customersCount " * 600 + "}", "LIMIT_EXCEEDED"),
    "long string": ('{customer(id:"' + "x" * 90_000 + '"){id}}', None),
    "huge number": ("{customers(limit:" + "9" * 90_000 + "){id}}", "VALIDATION_ERROR"),
    "open block": ('{customer(id:"""' + "\\" * 45_000, "PARSE_FAILED"),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks_by_the_text(session, url, name):
    text, wanted = ATTACKS[name]
    with bounded():
        answer, read = await posted(session, url, {"query": text})
    if wanted is None:
        assert answer.status in {200, 400}
    else:
        assert (answer.status, code(read)) == (400, wanted)
    answer, read = await posted(session, url, {"query": "{ __typename }"})
    assert read == {"data": {"__typename": "Query"}}


async def test_a_hundred_thousand_braces_where_the_body_may_be_large(session):
    async with listening(gateway(plan(*shop(), gateway={"limits": {"body": 1_000_000}}))) as url:
        answer, read = await posted(session, url, {"query": "{" * 100_000})
        assert (answer.status, code(read)) == (400, "LIMIT_EXCEEDED")


@pytest.mark.parametrize("opened", ["{", "["])
async def test_variables_that_nest_without_end(session, url, opened):
    unit, close = ('{"a":', "}") if opened == "{" else ("[", "]")
    for levels in (500, 10_000):
        deep = unit * levels + "1" + close * levels  # the second is refused by the JSON parser
        body = (
            '{"query": "query($f: CustomerFilter) { customers(filter: $f) { id } }", "variables": {"f": ' + deep + "}}"
        )
        answer, read = await posted(session, url, body)
        assert answer.status == 400
        assert code(read) in {"LIMIT_EXCEEDED", "VALIDATION_ERROR"}


@pytest.mark.parametrize("number", ["1e400", "9" * 90_000, "-" + "9" * 90_000, "1e-400", "99999999999999999999"])
async def test_variables_with_huge_numbers(session, url, number):
    body = '{"query": "query($n: Int) { customers(limit: $n) { id } }", "variables": {"n": ' + number + "}}"
    answer, read = await posted(session, url, body)
    assert answer.status == 400 or number == "1e-400"
    assert number not in str(read)


async def test_a_body_that_is_too_large_by_its_length(session, url):
    answer, read = await posted(session, url, b" " * 100_001)
    assert (answer.status, code(read)) == (413, "LIMIT_EXCEEDED")
    answer, _ = await posted(session, url, b'{"query":"{__typename}"}'.ljust(100_000))
    assert answer.status == 200


async def raw(url, head, chunks):
    """Send a request by hand and return the status and how many bytes the server took."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sent = 0
    try:
        writer.write(f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n".encode())
        answer = asyncio.create_task(reader.readline())
        for chunk in chunks:
            if answer.done():
                break
            writer.write(chunk)
            sent += len(chunk)
            try:
                await asyncio.wait_for(writer.drain(), 10)
            except ConnectionError:
                break
            await asyncio.sleep(0)
        line = await asyncio.wait_for(answer, 20)
        return int(line.split()[1]), sent
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_body_without_length_is_counted_while_it_is_read(url):
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with bounded():
        status, sent = await raw(url, "Transfer-Encoding: chunked\r\n", (chunk for _ in range(2000)))
    assert status == 413
    assert sent < 100 * MB


async def test_a_length_that_lies_is_refused_by_what_it_says(url):
    status, _ = await raw(url, "Content-Length: 100000000000\r\n", iter(()))
    assert status == 413


async def test_a_body_in_broken_chunks(url):
    status, _ = await raw(url, "Transfer-Encoding: chunked\r\n", iter([b"zz\r\nnope\r\n"]))
    assert status == 400


async def test_a_compressed_body_is_refused_before_it_is_unpacked(session, url):
    bomb = gzip.compress(b" " * 200_000_000)
    with bounded():
        answer, read = await posted(session, url, bomb, **{"Content-Encoding": "gzip"})
    assert answer.status == 415
    small = gzip.compress(b'{"query": "{ __typename }"}')
    answer, read = await posted(session, url, small, **{"Content-Encoding": "gzip"})
    assert (answer.status, code(read)) == (415, "VALIDATION_ERROR")


async def test_a_long_address(session, url):
    async with session.get(url, params={"query": "{" * 2500}, headers={"Accept": GRAPHQL}) as answer:
        assert answer.status == 400
        assert code(await answer.json(content_type=None)) == "LIMIT_EXCEEDED"


async def test_a_body_that_never_ends_is_given_up(url, monkeypatch):
    monkeypatch.setattr("dictamesh.runtime.gateway.requests.PATIENCE", 0.5)
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    async with asyncio.timeout(20):
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")  # and the connection is closed
    writer.close()
