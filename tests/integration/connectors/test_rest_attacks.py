# SPDX-License-Identifier: Apache-2.0
"""Hostile keys and hostile servers (S24): the right refusal, nothing leaked, memory bounded."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dictamesh.connectors.rest import answers
from dictamesh.connectors.sdk import Connector, Fault, Keys, Request, SourceError
from dictamesh.specs import types
from tests.integration.connectors.rest_server import body, serving
from tests.integration.connectors.test_rest import CUSTOMER, Opened, keys, select, source

GET_ONLY = {"get": {"path": "/items/customers/{id}", "record": "data"}}
BATCH_ONLY = {"batch": {"path": "/items/customers", "query": {"filter[id][_in]": "{ids}"}, "records": "data"}}
LIST = {"list": {"path": "/x", "records": "rows", "paginate": {"kind": "link", "next": "next"}}}


async def echo_nothing(_request: web.Request) -> web.Response:
    return body({"data": None}, 404)


async def refused(rest: Connector, entity: Any, request: Request) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await rest.fetch(entity, request)
    return caught.value


@pytest.mark.parametrize(
    "key",
    ["..", ".", "../users/me", "..\\users", "%2e%2e", "%2E%2E/users", "a/../b", "a%2f..%2fb", "a\x00b", "a\r\nX: y",
     "a\x7f", "\ud800"],
)  # fmt: skip
async def test_keys_that_could_leave_their_place_are_refused_before_any_call(key: str) -> None:
    async with serving(echo_nothing) as server, Opened(server.url) as rest:
        error = await refused(rest, source(GET_ONLY), Request(select("id"), keys=keys(key)))
    assert error.fault is Fault.REFUSED
    assert not error.counts_against_source
    assert server.paths == []
    assert key not in str(error)


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("a/b", "a%2Fb"),
        ("a?x=1", "a%3Fx%3D1"),
        ("a#b", "a%23b"),
        ("a b&c", "a%20b%26c"),
        ("%41", "%2541"),
        ("…é", "%E2%80%A6%C3%A9"),
        ("http://evil/", "http%3A%2F%2Fevil%2F"),
        ("a;b", "a%3Bb"),
        ("...", "..."),
    ],
)
async def test_every_other_key_is_one_segment(key: str, sent: str) -> None:
    async with serving(echo_nothing) as server, Opened(server.url) as rest:
        assert (await rest.fetch(source(GET_ONLY), Request(select("id"), keys=keys(key)))).rows == []
    assert server.paths == [f"/items/customers/{sent}"]


async def test_empty_keys_are_absent_without_a_call() -> None:
    async with serving(echo_nothing) as server, Opened(server.url) as rest:
        assert (await rest.fetch(source(GET_ONLY), Request(select("id"), keys=keys("")))).rows == []
    assert server.paths == []


async def test_a_key_with_a_comma_is_never_split() -> None:
    async def handle(request: web.Request) -> web.Response:
        wanted = request.query.get("filter[id][_in]", "").split(",")
        return body({"data": [{"id": key} for key in wanted]})

    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source(BATCH_ONLY), Request(select("id"), keys=keys("a", "b,c")))
        assert (error.fault, server.paths) == (Fault.REFUSED, [])


async def test_a_key_with_a_comma_goes_alone_where_there_is_a_get() -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/items/customers":
            return body({"data": [{"id": key} for key in request.query["filter[id][_in]"].split(",")]})
        return body({"data": {"id": request.path.rsplit("/", 1)[1]}})

    async with serving(handle) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), Request(select("id"), keys=keys("a", "b", "c,d")))
    assert sorted(found.rows) == [("a",), ("b",), ("c,d",)]
    assert "/items/customers/c%2Cd" in server.paths


@pytest.mark.parametrize(
    ("style", "sent"), [("repeat", "id=a%26b%3D1&id=c,d"), ("json", "id=%5B%22a%26b%3D1%22,%22c,d%22%5D")]
)
async def test_other_styles_keep_the_borders_of_values(style: str, sent: str) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return body([])

    options = {"batch": {"path": "/x", "query": {"id": "{ids}"}, "style": style}}
    async with serving(handle) as server, Opened(server.url) as rest:
        await rest.fetch(source(options), Request(select("id"), keys=keys("a&b=1", "c,d")))
    assert server.paths == [f"/x?{sent}"]


async def test_a_key_that_means_another_row_to_the_source_finds_nothing() -> None:
    async def handle(_request: web.Request) -> web.Response:
        return body({"data": {"id": "17", "name": "the caller"}})

    async with serving(handle) as server, Opened(server.url) as rest:
        assert (await rest.fetch(source(GET_ONLY), Request(select("name"), keys=keys("me")))).rows == []
        assert len(server.paths) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_stay_on_the_origin_and_the_key_with_them(status: int) -> None:
    async with serving(echo_nothing) as other:

        async def handle(request: web.Request) -> web.Response:
            if request.path == "/moved":
                return body([{"id": "1"}])
            target = "/moved" if request.path == "/inside" else other.url + "/stolen"
            return web.Response(status=status, headers={"Location": target})

        auth = {"kind": "apiKey", "header": "X-Shop-Key", "key": "secret-key"}
        async with serving(handle) as server, Opened(server.url, auth=auth) as rest:
            assert (await rest.fetch(source({"list": {"path": "/inside"}}), Request(select("id")))).rows == [("1",)]
            error = await refused(rest, source({"list": {"path": "/outside"}}), Request(select("id")))
        assert error.fault is Fault.REFUSED
        assert other.seen == []
        assert all(headers["X-Shop-Key"] == "secret-key" for _, headers in server.seen)


@pytest.mark.parametrize("target", ["/loop", "", "http://[bad", "//evil.example/x", "ftp://x/"])
async def test_senseless_redirects_end(target: str) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source({"list": {"path": "/loop"}}), Request(select("id")))
    assert error.fault in {Fault.REFUSED, Fault.INVALID_RESPONSE}
    assert len(server.paths) <= 4


async def test_next_links_to_another_origin_are_refused() -> None:
    async with serving(echo_nothing) as other:

        async def handle(_request: web.Request) -> web.Response:
            return body({"rows": [{"id": "1"}], "next": other.url + "/x?page=2"})

        async with serving(handle) as server, Opened(server.url, auth={"kind": "bearer", "token": "t"}) as rest:
            error = await refused(rest, source(LIST), Request(select("id")))
        assert error.fault is Fault.REFUSED
        assert other.seen == []
        assert len(server.paths) == 1


async def test_a_repeated_next_link_is_an_error() -> None:
    async def handle(request: web.Request) -> web.Response:
        step = int(request.query.get("s", 0))
        return body({"rows": [{"id": str(step)}], "next": f"?s={(step + 1) % 3}"})

    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source(LIST), Request(select("id")))
    assert error.fault is Fault.INVALID_RESPONSE
    assert len(server.paths) <= 5


async def test_endless_paging_ends_after_a_thousand_pages() -> None:
    async def handle(request: web.Request) -> web.Response:
        step = int(request.query.get("s", 0))
        return body({"rows": [{"id": str(step)}], "next": f"?s={step + 1}"})

    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source(LIST), Request(select("id")))
    assert error.fault is Fault.TOO_LARGE
    assert len(server.paths) == 1000


@pytest.mark.parametrize(
    "paginate",
    [
        {"kind": "offset", "maxLimit": 2},
        {"kind": "page", "pageSize": 2, "last": "pages"},
        {"kind": "page", "pageSize": 2, "total": "pages"},
    ],
)
async def test_a_source_that_ignores_paging_is_found_out(paginate: Any) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return body({"rows": [{"id": "1"}, {"id": "2"}], "pages": 10**9})

    options = {"list": {"path": "/x", "records": "rows", "paginate": paginate}}
    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source(options), Request(select("id")))
    assert error.fault is Fault.INVALID_RESPONSE
    assert len(server.paths) == 2


@pytest.mark.parametrize("pages", [None, "many", 1.5, True, []])
async def test_an_end_that_is_no_number_is_an_error(pages: Any) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return body({"rows": [{"id": "1"}], "pages": pages})

    options = {"list": {"path": "/x", "records": "rows", "paginate": {"kind": "page", "last": "pages"}}}
    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source(options), Request(select("id")))
    assert error.fault is Fault.INVALID_RESPONSE


def _chunks(make: Any, packing: str | None) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", **({"Content-Encoding": packing} if packing else {})}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            for chunk in make():
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            pass
        return response

    return handle


def _endless() -> Any:
    yield b"["
    while True:
        yield b'{"id":"' + b"x" * 65536 + b'"},'


def _gzip_bomb() -> Any:
    pack = zlib.compressobj(9, wbits=31)
    for _ in range(2000):
        yield pack.compress(b" " * 1_000_000)
    yield pack.flush()


@pytest.mark.parametrize(("make", "packing"), [(_endless, None), (_gzip_bomb, "gzip")])
async def test_huge_bodies_are_cut_off(make: Any, packing: str | None) -> None:
    async with serving(_chunks(make, packing)) as server, Opened(server.url, timeout=30) as rest:
        error = await refused(rest, source({"list": {"path": "/x"}}), Request(select("id")))
    assert error.fault is Fault.TOO_LARGE


async def test_pages_share_one_budget() -> None:
    async def handle(request: web.Request) -> web.Response:
        step = int(request.query.get("s", 0))
        return body({"rows": [{"id": str(step) + "x" * 1_000_000}], "next": f"?s={step + 1}"})

    async with serving(handle) as server, Opened(server.url, timeout=30) as rest:
        error = await refused(rest, source(LIST), Request(select("id")))
    assert error.fault is Fault.TOO_LARGE
    assert len(server.paths) == 17


async def test_packed_answers_are_read() -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b'[{"id":"1"}]'), headers={"Content-Encoding": "gzip"})

    async with serving(handle) as server, Opened(server.url) as rest:
        assert (await rest.fetch(source({"list": {"path": "/x"}}), Request(select("id")))).rows == [("1",)]


BAD_BODIES: list[tuple[bytes, dict[str, str], Fault]] = [
    (b"", {}, Fault.INVALID_RESPONSE),
    (b"<html>ana@example.com</html>", {}, Fault.INVALID_RESPONSE),
    (b'{"rows": 5}', {}, Fault.INVALID_RESPONSE),
    (b'[1, "x", null]', {}, Fault.INVALID_RESPONSE),
    (b'[{"id": NaN}]', {}, Fault.INVALID_RESPONSE),
    (b'[{"id": "\xff"}]', {}, Fault.INVALID_RESPONSE),
    (b'[{"id": "1"}', {}, Fault.INVALID_RESPONSE),
    (b"[" * 100_000 + b"]" * 100_000, {}, Fault.INVALID_RESPONSE),
    (b'[{"id":' + b"[" * 500 + b"]" * 500 + b"}]", {}, Fault.INVALID_RESPONSE),
    (b'[{"id":1.5,"x":' + b"[" * 5000 + b"]" * 5000 + b"}]", {}, Fault.INVALID_RESPONSE),
    (b"[" + b"{}," * 1_100_000 + b"{}]", {}, Fault.TOO_LARGE),
    (b"[" + b"1," * 2_100_000 + b"1]", {}, Fault.TOO_LARGE),
    (b"not gzip", {"Content-Encoding": "gzip"}, Fault.INVALID_RESPONSE),
    (gzip.compress(b"[]", mtime=0)[:-4], {"Content-Encoding": "gzip"}, Fault.INVALID_RESPONSE),
    (b"[]", {"Content-Encoding": "br"}, Fault.INVALID_RESPONSE),
]


@pytest.mark.parametrize(("raw", "headers", "fault"), BAD_BODIES)
async def test_bodies_that_are_no_rows_are_errors_of_ours(raw: bytes, headers: dict[str, str], fault: Fault) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=raw, headers=headers)

    async with serving(handle) as server, Opened(server.url) as rest:
        error = await refused(rest, source({"list": {"path": "/x"}}), Request(select("id")))
    assert error.fault is fault
    assert "ana" not in str(error)


async def test_bodies_of_errors_are_not_read_and_not_told() -> None:
    async with serving(_chunks(_endless, None)) as server, Opened(server.url, timeout=30) as rest:
        error = await refused(rest, source({"list": {"path": "/x"}}), Request(select("id")))
    assert "xxx" not in repr(error)
    assert error.__cause__ is None


def test_long_integers_spoil_their_cell_only() -> None:
    digits = "9" * 5000
    found = answers.decode(f'[{{"id": "1", "n": {digits}, "f": 1.5}}]'.encode(), "GET /x")
    assert found[0]["n"] == digits


MEMORY = """
import asyncio, resource, sys, zlib
sys.path.insert(0, {root!r})
from tests.integration.connectors.test_rest_attacks import _endless, _gzip_bomb, _chunks, refused
from tests.integration.connectors.test_rest import Opened, select, source
from tests.integration.connectors.rest_server import serving
from dictamesh.connectors.sdk import Request

async def main():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for make, packing in ((_endless, None), (_gzip_bomb, "gzip")):
        async with serving(_chunks(make, packing)) as server, Opened(server.url, timeout=30) as rest:
            await refused(rest, source({{"list": {{"path": "/x"}}}}), Request(select("id")))
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)

asyncio.run(main())
"""


def test_memory_stays_bounded() -> None:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", MEMORY.format(root=root)], capture_output=True, text=True, check=True, cwd=root
    )
    assert int(done.stdout) < 100, "MiB above the start"


async def test_secrets_and_queries_never_stand_in_errors() -> None:
    auth = {"kind": "apiKey", "query": "key", "key": "secret-key"}
    async with serving(echo_nothing) as server, Opened(server.url, auth=auth) as rest:
        error = await refused(rest, source(BATCH_ONLY), Request(select("id"), keys=keys("k1", "k2")))
    assert "secret-key" in server.paths[0]
    assert "secret-key" not in str(error)
    assert "k1" not in str(error)
    assert json.dumps(str(error))


async def test_injected_query_text_stays_a_value() -> None:
    async def handle(request: web.Request) -> web.Response:
        assert dict(request.query) == {"id": "a&limit=9#x?y\r\nX-Evil: 1"}
        return body([])

    options = {"lookup": {"name": {"path": "/x", "query": {"id": "{values}"}, "style": "repeat"}}}
    wanted = Keys(("name",), (("a&limit=9#x?y\r\nX-Evil: 1",),))
    async with serving(handle) as server, Opened(server.url) as rest:
        assert (await rest.fetch(source(options), Request(select("id"), keys=wanted))).rows == []
        assert len(server.paths) == 1


def test_integers_beyond_64_bits_stay_exact() -> None:
    assert answers.decode(b"[18446744073709551616]", "GET /x") == [2**64]
    assert types.LONG.numeric
