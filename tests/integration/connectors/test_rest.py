# SPDX-License-Identifier: Apache-2.0
"""REST against real servers: what is asked, and what comes back."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dictamesh.connectors.registry import factory, manifest
from dictamesh.connectors.sdk import (
    Connector,
    Context,
    Fault,
    Keys,
    Order,
    Output,
    Request,
    Source,
    SourceColumn,
    Status,
    Terminal,
    Transient,
)
from dictamesh.specs import types
from dictamesh.specs.expressions.tree import Call, Column, Literal, Parameter
from tests.integration.connectors.rest_server import body, directus, serving

ROWS: list[dict[str, Any]] = [
    {
        "id": f"c{n}",
        "name": f"Name {n}",
        "country": ["DE", "FR", None][n % 3],
        "age": n,
        "address": {"city": f"City {n}"},
    }
    for n in range(257)
]
NAMES = {
    "id": types.STRING,
    "name": types.STRING,
    "country": types.STRING,
    "age": types.INT,
    "address.city": types.STRING,
}
CUSTOMER: dict[str, Any] = {
    "list": {
        "path": "/items/customers",
        "records": "data",
        "paginate": {"kind": "offset"},
        "filters": {
            "country": {"eq": "filter[country][_eq]", "in": "filter[country][_in]", "isNull": "filter[country][_null]"},
            "age": {"gt": "filter[age][_gt]", "ne": "filter[age][_neq]"},
        },
        "sort": {"param": "sort"},
    },
    "get": {"path": "/items/customers/{id}", "record": "data", "notFound": [404, 403]},
    "batch": {"path": "/items/customers", "query": {"filter[id][_in]": "{ids}"}, "records": "data"},
    "lookup": {
        "country": {"path": "/items/customers", "query": {"filter[country][_in]": "{values}"}, "records": "data"}
    },
}


def source(options: dict[str, Any], key: tuple[str, ...] = ("id",), names: dict[str, types.Type] = NAMES) -> Source:
    entity = manifest("rest").entity.model_validate(options)
    columns = tuple(SourceColumn(name, type_) for name, type_ in names.items())
    return Source("customers#Customer", "customers", columns, key, entity)


def column(name: str) -> Column:
    return Column((name,), NAMES.get(name, types.STRING))


def select(*names: str) -> tuple[Output, ...]:
    return tuple(Output(name, column(name)) for name in names)


def keys(*values: object, name: str = "id") -> Keys:
    return Keys((name,), tuple((value,) for value in values))


def compare(operator: str, name: str, value: object) -> Call:
    return Call(operator, (column(name), Literal(value, NAMES[name])), types.BOOLEAN)


class Opened:
    """A connector to a server, closed with its context."""

    def __init__(self, server: str, timeout: float = 5, **options: Any) -> None:
        model = manifest("rest").server.model_validate({"url": server, **options})
        self._connector = factory("rest")(model, Context("cms", Path(), timeout))

    async def __aenter__(self) -> Connector:
        await self._connector.open()
        return self._connector

    async def __aexit__(self, *_: object) -> None:
        await self._connector.close()


async def test_list_reads_pages_of_the_declared_size_and_cuts_them_to_the_window() -> None:
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), Request(select("id"), offset=5, limit=150, order=()))
    wanted = sorted(row["id"] for row in ROWS)[5:155]
    assert [row[0] for row in found.rows] == wanted
    assert server.paths == ["/items/customers?limit=100&offset=5", "/items/customers?limit=50&offset=105"]


async def test_list_without_limit_reads_to_the_end() -> None:
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), Request(select("id", "address.city")))
    assert len(found.rows) == len(set(found.rows)) == 257
    assert ("c7", "City 7") in found.rows
    assert len(server.paths) == 3


async def test_filters_and_orders_are_sent_as_the_spec_maps_them() -> None:
    where = Call("and", (compare("eq", "country", "DE"), compare("gt", "age", 200)), types.BOOLEAN)
    request = Request(select("id"), where=where, order=(Order(column("age"), descending=True),), limit=3)
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), request)
    assert [row[0] for row in found.rows] == ["c255", "c252", "c249"]
    assert server.paths == [
        "/items/customers?filter%5Bcountry%5D%5B_eq%5D=DE&filter%5Bage%5D%5B_gt%5D=200&sort=-age&limit=3&offset=0"
    ]


@pytest.mark.parametrize(
    ("where", "pushed"),
    [
        (compare("eq", "country", "DE"), True),
        (Call("eq", (Parameter("principal.c", types.STRING), column("country")), types.BOOLEAN), True),
        (Call("is_null", (column("country"),), types.BOOLEAN), True),
        (Call("not", (Call("is_null", (column("country"),), types.BOOLEAN),), types.BOOLEAN), True),
        (
            Call("in", (column("country"), Literal("DE", types.STRING), Literal("FR", types.STRING)), types.BOOLEAN),
            True,
        ),
        (Call("in", (column("country"), Literal("D,E", types.STRING)), types.BOOLEAN), False),
        (compare("like", "name", "A%"), False),
        (Call("or", (compare("eq", "country", "DE"), compare("eq", "country", "FR")), types.BOOLEAN), False),
        (Call("and", (compare("ne", "age", 1), compare("ne", "age", 2)), types.BOOLEAN), False),
        (Literal(True, types.BOOLEAN), False),
    ],
)
async def test_what_is_pushed_down_is_what_the_spec_maps(where: Any, pushed: bool) -> None:
    reason = manifest("rest").filters(source(CUSTOMER), where)
    assert (reason is None) is pushed


async def test_two_conditions_on_one_parameter_never_override_each_other() -> None:
    def both(first: Call, second: Call) -> Request:
        return Request(select("age"), where=Call("and", (first, second), types.BOOLEAN))

    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        none = await rest.fetch(source(CUSTOMER), both(compare("eq", "country", "DE"), compare("eq", "country", "FR")))
        assert (none.rows, server.paths) == ([], [])
        higher = await rest.fetch(source(CUSTOMER), both(compare("gt", "age", 250), compare("gt", "age", 10)))
        assert sorted(higher.rows) == [(n,) for n in range(251, 257)]
        with pytest.raises(Terminal) as caught:
            await rest.fetch(source(CUSTOMER), both(compare("ne", "age", 1), compare("ne", "age", 2)))
    assert caught.value.fault is Fault.NOT_SUPPORTED


async def test_250_keys_cost_three_calls_and_keep_every_known_key() -> None:
    wanted = [f"c{n}" for n in range(250)]
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), Request(select("id", "name"), keys=keys(*wanted)))
    assert sorted(found.rows) == sorted((key, f"Name {key[1:]}") for key in wanted)
    assert len(server.paths) == 3


async def test_one_key_goes_through_get_and_unknown_ones_are_absent() -> None:
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(CUSTOMER), Request(select("id", "age"), keys=keys("c7")))
        unknown = await rest.fetch(source(CUSTOMER), Request(select("id"), keys=keys("nobody")))
        mixed = await rest.fetch(source(CUSTOMER), Request(select("id"), keys=keys("nobody", "c1", "")))
    assert (found.rows, unknown.rows, mixed.rows) == ([("c7", 7)], [], [("c1",)])
    assert server.paths[0] == "/items/customers/c7"


async def test_lookup_follows_pages_to_the_end() -> None:
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        found = await rest.fetch(
            source(CUSTOMER), Request(select("id", "country"), keys=keys("DE", "FR", name="country"))
        )
    assert len(found.rows) == sum(row["country"] is not None for row in ROWS)
    assert len(server.paths) == 2


async def test_fields_are_asked_for_with_the_key() -> None:
    options = {**CUSTOMER, "list": {**CUSTOMER["list"], "fields": {"param": "fields"}}}
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        await rest.fetch(source(options), Request(select("name"), limit=1))
    assert "fields=id,name" in server.paths[0]


PAGES = [
    ({"kind": "page", "size": "per", "pageSize": 10, "last": "meta.pages"}, 3),
    ({"kind": "page", "size": "per", "pageSize": 10, "total": "meta.total"}, 3),
    ({"kind": "page", "size": "per", "pageSize": 10, "shortPage": True}, 3),
    ({"kind": "page", "size": "per", "pageSize": 10, "start": 0, "page": "p0", "last": "meta.pages"}, 3),
    ({"kind": "link", "next": "next", "size": "per", "pageSize": 10}, 3),
]


def _paged(rows: list[dict[str, Any]]) -> Any:
    async def handle(request: web.Request) -> web.Response:
        size = int(request.query.get("per", 10))
        index = int(request.query["p0"]) if "p0" in request.query else int(request.query.get("page", 1)) - 1
        piece = rows[index * size : (index + 1) * size]
        more = (index + 1) * size < len(rows)
        link = f"{request.path}?page={index + 2}&per={size}" if more else None
        return body({"rows": piece, "next": link, "meta": {"pages": -(-len(rows) // size), "total": len(rows)}})

    return handle


@pytest.mark.parametrize(("paginate", "calls"), PAGES)
@pytest.mark.parametrize(("offset", "limit"), [(0, None), (0, 3), (7, 5), (12, 10), (25, 50), (40, 2)])
async def test_every_paging_gives_exactly_the_window(paginate: Any, calls: int, offset: int, limit: int | None) -> None:
    rows = [{"id": n} for n in range(27)]
    options = {"list": {"path": "/x", "records": "rows", "paginate": paginate}}
    async with serving(_paged(rows)) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(options), Request(select("id"), offset=offset, limit=limit))
    end = None if limit is None else offset + limit
    assert [row[0] for row in found.rows] == list(range(27))[offset:end]
    assert len(server.paths) <= calls


@pytest.mark.parametrize(
    ("auth", "where", "expected"),
    [
        ({"kind": "bearer", "token": "t0"}, "Authorization", "Bearer t0"),
        ({"kind": "basic", "username": "ana", "password": "p:ä"}, "Authorization", "Basic YW5hOnA6w6Q="),
        ({"kind": "apiKey", "key": "k"}, "X-API-Key", "k"),
        ({"kind": "apiKey", "header": "X-Shop-Key", "key": "k"}, "X-Shop-Key", "k"),
    ],
)
async def test_credentials_are_sent(auth: Any, where: str, expected: str) -> None:
    async with (
        serving(directus(ROWS)) as server,
        Opened(server.url, auth=auth, headers={"Accept-Language": "de"}) as rest,
    ):
        await rest.fetch(source(CUSTOMER), Request(select("id"), limit=1))
    assert server.seen[0][1][where] == expected
    assert server.seen[0][1]["Accept-Language"] == "de"


async def test_key_in_the_query_is_sent_once_on_every_page() -> None:
    rows = [{"id": n} for n in range(27)]
    options = {"list": {"path": "/x", "records": "rows", "paginate": PAGES[-1][0]}}
    auth = {"kind": "apiKey", "query": "key", "key": "a b"}
    async with serving(_paged(rows)) as server, Opened(server.url, auth=auth) as rest:
        await rest.fetch(source(options), Request(select("id")))
    assert [path.count("key=a%20b") for path in server.paths] == [1, 1, 1]


async def _failing(status: int, operation: str, **headers: str) -> Exception | list[tuple[Any, ...]]:
    async def handle(_request: web.Request) -> web.Response:
        return body({"error": "ana@example.com"}, status, **headers)

    requests = {
        "list": Request(select("id")),
        "get": Request(select("id"), keys=keys("c1")),
        "batch": Request(select("id"), keys=keys("c1", "c2")),
    }
    async with serving(handle) as server, Opened(server.url) as rest:
        try:
            return (await rest.fetch(source(CUSTOMER), requests[operation])).rows
        except (Terminal, Transient) as error:
            return error


@pytest.mark.parametrize(
    ("status", "operation", "fault", "retryable"),
    [
        (400, "list", Fault.BAD_REQUEST, False),
        (401, "list", Fault.UNAUTHORIZED, False),
        (401, "get", Fault.UNAUTHORIZED, False),
        (403, "list", Fault.FORBIDDEN, False),
        (403, "batch", Fault.FORBIDDEN, False),
        (404, "list", Fault.NOT_FOUND, False),
        (422, "get", Fault.BAD_REQUEST, False),
        (429, "get", Fault.RATE_LIMITED, True),
        (500, "list", Fault.SERVER_ERROR, True),
        (502, "list", Fault.SERVER_ERROR, True),
        (503, "batch", Fault.SERVER_ERROR, True),
        (504, "list", Fault.TIMEOUT, True),
    ],
)
async def test_statuses_become_faults_without_the_source_s_words(
    status: int, operation: str, fault: Fault, retryable: bool
) -> None:
    error = await _failing(status, operation)
    assert isinstance(error, (Terminal, Transient))
    assert (error.fault, error.status, error.retryable) == (fault, str(status), retryable)
    assert "ana" not in str(error)
    assert "c1" not in str(error)


@pytest.mark.parametrize("status", [403, 404])
async def test_declared_statuses_of_get_mean_absent(status: int) -> None:
    assert await _failing(status, "get") == []


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1e9, 1e10),
        ("soon", None, None),
    ],
)
async def test_retry_after_is_read(header: str, low: float | None, high: float | None) -> None:
    error = await _failing(429, "list", **{"Retry-After": header})
    assert isinstance(error, Transient)
    assert error.retry_after is None if low is None else low <= (error.retry_after or 0) <= (high or 0)


async def test_numbers_keep_their_digits() -> None:
    text = (
        b'[{"id":1,"a":19.99,"b":12345678901234567890.123456789,"c":18446744073709551616,"d":1e400,"e":0.1,"f":"\\ud800",'
        b'"g":1e99999999999999999999,"h":-5}]'
    )

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=text, content_type="application/json")

    names = dict.fromkeys(["id", "a", "b", "c", "d", "e", "f", "g", "h"], types.JSON)
    async with serving(handle) as server, Opened(server.url) as rest:
        found = await rest.fetch(source({"list": {"path": "/x"}}, names=names), Request(select(*names)))
    assert found.rows == [
        (1, Decimal("19.99"), Decimal("12345678901234567890.123456789"), 2**64, Decimal("1e400"), Decimal("0.1"),
         "\ufffd", "1e99999999999999999999", -5)
    ]  # fmt: skip


async def test_literal_key_with_a_dot_wins_over_the_path() -> None:
    async def handle(_request: web.Request) -> web.Response:
        deep = {"city": "deep"}
        first = {"id": "1", "address.city": "flat", "address": deep}
        return body([first, {"id": "2", "address": deep}, {"id": "3", "address": None}, {"id": "4"}])

    async with serving(handle) as server, Opened(server.url) as rest:
        found = await rest.fetch(source({"list": {"path": "/x"}}), Request(select("address.city")))
    assert found.rows == [("flat",), ("deep",), (None,), (None,)]


async def test_composite_keys_fill_the_path_by_name() -> None:
    async def handle(request: web.Request) -> web.Response:
        _, store, number = request.path.strip("/").split("/")
        return body({"store": store, "no": number, "name": "x"}) if number == "7" else body({}, 404)

    options = {"get": {"path": "/orders/{store}/{no}"}}
    names = dict.fromkeys(("store", "no", "name"), types.STRING)
    wanted = Keys(("no", "store"), (("7", "a b"), ("8", "a b")))
    async with serving(handle) as server, Opened(server.url) as rest:
        found = await rest.fetch(source(options, ("store", "no"), names), Request(select("store", "name"), keys=wanted))
    assert found.rows == [("a b", "x")]
    assert sorted(server.paths) == ["/orders/a%20b/7", "/orders/a%20b/8"]


async def test_health_never_raises() -> None:
    async with serving(directus(ROWS)) as server, Opened(server.url) as rest:
        assert (await rest.health()).status is Status.HEALTHY
    async with Opened("http://127.0.0.1:9", timeout=1) as rest:
        assert (await rest.health()).status is Status.UNHEALTHY
    assert (await rest.health()).status is Status.UNHEALTHY


async def test_slow_answers_are_timeouts_and_the_connector_stays_usable() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.query.get("limit") == "1":
            await asyncio.sleep(30)
        return body({"data": []})

    async with serving(handle) as server, Opened(server.url, timeout=0.3) as rest:
        with pytest.raises(Transient) as caught:
            await rest.fetch(source(CUSTOMER), Request(select("id"), limit=1))
        assert caught.value.fault is Fault.TIMEOUT
        assert (await rest.fetch(source(CUSTOMER), Request(select("id"), limit=2))).rows == []


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://u:p@h/", "http://h/?a=b"])
async def test_unusable_addresses_are_refused(url: str) -> None:
    server = manifest("rest").server.model_construct(url=url)
    options = manifest("rest").server.model_validate({"url": "http://h"}).model_copy(update={"url": server.url})  # type: ignore[attr-defined]
    with pytest.raises(Terminal) as caught:
        factory("rest")(options, Context("cms", Path()))
    assert caught.value.fault is Fault.INVALID_CONFIG


def _certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


async def test_certificates_are_checked(tmp_path: Path) -> None:
    request = Request(select("id"), limit=1)
    async with serving(directus(ROWS), _certificate(tmp_path)) as server:
        async with Opened(server.url) as rest:
            with pytest.raises(Terminal) as caught:
                await rest.fetch(source(CUSTOMER), request)
        assert caught.value.fault is Fault.CONNECTION_FAILED
        assert server.seen == []
        for tls in ({"ca": str(tmp_path / "ca.pem")}, {"verify": False}):
            async with Opened(server.url, tls=tls) as rest:
                assert len((await rest.fetch(source(CUSTOMER), request)).rows) == 1


async def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for name in ("no.pem", "missing.pem"):
        with pytest.raises(Terminal) as caught:
            Opened("https://127.0.0.1", tls={"ca": str(tmp_path / name)})
        assert caught.value.fault is Fault.INVALID_CONFIG
