# SPDX-License-Identifier: Apache-2.0
"""What the example reads: the records, the two servers, the ERP's database, and the script that runs them all."""

import asyncio
import contextlib
import csv
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import psycopg
import pytest
from aiohttp import web

from examples.run import main
from examples.sources import data, erp, serve
from examples.sources.cms import cms_app
from examples.sources.counted import QUERIES, REQUESTS
from examples.sources.hook import Hook
from examples.sources.shop import shop_app
from tests.support.postgres import embedded_dsn, fresh_database  # noqa: F401 - a fixture is used by its name

ROOT = Path(__file__).parents[2]
RECORDS = data.generate()
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith(("CMS_", "SHOP_", "ERP_"))}


# --- the records ---


def test_records_are_the_same_on_every_machine():
    text = json.dumps([RECORDS.customers, RECORDS.products, RECORDS.invoices, RECORDS.items])
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "4af842374a4f01ec54900da40821ad05a54c00786aef60a015094fbaaf383579"
    )


def test_counts_ids_and_references():
    tables = (RECORDS.customers, RECORDS.products, RECORDS.invoices, RECORDS.items)
    assert [len(rows) for rows in tables] == [1000, 300, 5000, 20_000]
    customers, products, invoices, items = ([row["id"] for row in rows] for rows in tables)
    for ids in (customers, products, invoices, items):
        assert ids == sorted(set(ids))
    assert {row["customer_id"] for row in RECORDS.invoices} <= set(customers)
    assert {row["product_id"] for row in RECORDS.items} <= set(products)
    assert {row["invoice_id"] for row in RECORDS.items} == set(invoices)
    with (ROOT / "examples/sources/suppliers.csv").open(encoding="utf-8", newline="") as file:
        assert {row["provider"] for row in RECORDS.products} == {row["id"] for row in csv.DictReader(file)}


def test_each_total_is_the_sum_of_its_items():
    sums: Counter[str] = Counter()
    prices = {row["id"]: row["price"]["amount"] for row in RECORDS.products}
    for row in RECORDS.items:
        assert f"{row['unit_cents'] / 100:.2f}" == prices[row["product_id"]]
        sums[row["invoice_id"]] += row["quantity"] * row["unit_cents"]
    assert sums == {row["id"]: row["total_cents"] for row in RECORDS.invoices}


def test_john_doe_bought_two_widgets():
    john, widget, invoice, item = RECORDS.customers[0], RECORDS.products[0], RECORDS.invoices[0], RECORDS.items[0]
    assert (john["first_name"], john["last_name"], john["email"]) == ("John", "Doe", "john@example.com")
    assert (widget["name"], widget["price"]) == ("Widget", {"amount": "19.99", "currency": "EUR"})
    assert (invoice["customer_id"], invoice["total_cents"]) == (john["id"], 3998)
    assert (item["product_id"], item["quantity"], item["unit_cents"]) == (widget["id"], 2, 1999)
    assert [row["id"] for row in RECORDS.items if row["invoice_id"] == invoice["id"]] == [item["id"]]


def test_nobody_real_can_be_reached():
    phones = [
        r"\+49 30 23125\d{3}",
        r"\+33 1 9900\d{4}",
        r"\+44 20 7946 0\d{3}",
        r"\+46 8 465 004\d{2}",
        r"\+1 202 555 01\d{2}",
    ]
    for row in RECORDS.customers:
        assert re.fullmatch(r"[a-z0-9.]+@example\.(com|org|net)", row["email"])
        assert row["phone"] is None or re.fullmatch("|".join(phones), row["phone"])
    assert len({row["email"] for row in RECORDS.customers}) == 1000


# --- the CMS ---


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def cms(http):
    """Ask the CMS: `await cms("/items/customers", limit="1")` is (status, body)."""
    app = cms_app(RECORDS.customers, "t0ken")
    async with contextlib.AsyncExitStack() as stack:
        url = await serve.listen(stack, app, 0)

        async def ask(path, /, token="t0ken", **query):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with http.get(url + path, params=query, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        ask.app = app
        yield ask


async def test_cms_lists_a_hundred_unless_told(cms):
    assert (await cms("/items/customers")) == (200, {"data": RECORDS.customers[:100]})
    assert (await cms("/items/customers", limit="-1"))[1]["data"] == RECORDS.customers
    assert (await cms("/items/customers", limit="10", offset="995"))[1]["data"] == RECORDS.customers[995:]
    assert (await cms("/items/customers", limit="10", page="3"))[1]["data"] == RECORDS.customers[20:30]
    assert (await cms("/items/customers", limit="10", page="101"))[1]["data"] == []
    assert (await cms("/items/customers", limit="0"))[1]["data"] == []


async def test_cms_counts(cms):
    german = sum(row["country"] == "DE" for row in RECORDS.customers)
    query = {"filter[country][_eq]": "DE", "limit": "1"}
    assert (await cms("/items/customers", meta="*", **query))[1]["meta"] == {
        "total_count": 1000,
        "filter_count": german,
    }
    assert (await cms("/items/customers", meta="filter_count", **query))[1]["meta"] == {"filter_count": german}


async def test_cms_selects_fields(cms):
    john = {"id": "c-0001", "address": {"city": "Hamburg"}}
    assert (await cms("/items/customers", limit="1", fields="id,address.city"))[1]["data"] == [john]
    assert (await cms("/items/customers/c-0001", fields="id,address.city"))[1]["data"] == john
    assert (await cms("/items/customers/c-0001"))[1]["data"] == RECORDS.customers[0]


@pytest.mark.parametrize(
    ("name", "value", "keeps"),
    [
        ("[country][_eq]", "DE", lambda row: row["country"] == "DE"),
        ("[country][_neq]", "DE", lambda row: row["country"] != "DE"),
        ("[id][_in]", "c-0003,c-0001,nobody", lambda row: row["id"] in {"c-0001", "c-0003"}),
        ("[country][_nin]", "DE,FR", lambda row: row["country"] not in {"DE", "FR"}),
        ("[birthdate][_lt]", "1960-01-01", lambda row: row["birthdate"] < "1960-01-01"),
        ("[birthdate][_gte]", "1960-01-01", lambda row: row["birthdate"] >= "1960-01-01"),
        ("[newsletter][_eq]", "true", lambda row: row["newsletter"]),
        ("[date_created][_lte]", RECORDS.customers[4]["date_created"][:-5], lambda row: row["id"] <= "c-0005"),
        (
            "[date_created][_gt]",
            "2022-12-01T01:00:00+01:00",
            lambda row: row["date_created"] > "2022-12-01T00:00:00.000Z",
        ),
        ("[date_updated][_null]", "true", lambda row: row["date_updated"] is None),
        ("[phone][_nnull]", "true", lambda row: row["phone"] is not None),
        ("[phone][_neq]", "x", lambda row: row["phone"] is not None),
        ("[last_name][_contains]", "ll", lambda row: "ll" in row["last_name"]),
        ("[last_name][_starts_with]", "Mü", lambda row: row["last_name"].startswith("Mü")),
        ("[address][city][_eq]", "Köln", lambda row: row["address"]["city"] == "Köln"),
    ],
)
async def test_cms_filters(cms, name, value, keeps):
    expected = [row for row in RECORDS.customers if keeps(row)]
    assert 0 < len(expected) < 1000
    assert (await cms("/items/customers", limit="-1", **{f"filter{name}": value}))[1]["data"] == expected


async def test_cms_joins_filters_with_and(cms):
    query = {"filter[country][_eq]": "SE", "filter[status][_eq]": "archived"}
    rows = (await cms("/items/customers", limit="-1", **query))[1]["data"]
    assert rows == [row for row in RECORDS.customers if (row["country"], row["status"]) == ("SE", "archived")] != []


async def test_cms_sorts_by_code_point_with_nulls_last(cms):
    rows = (await cms("/items/customers", limit="-1", sort="last_name,-date_created"))[1]["data"]
    newest = sorted(RECORDS.customers, key=lambda row: row["date_created"], reverse=True)
    assert rows == sorted(newest, key=lambda row: row["last_name"])
    for sort in ("phone", "-phone"):
        phones = [row["phone"] for row in (await cms("/items/customers", limit="-1", sort=sort))[1]["data"]]
        some = [phone for phone in phones if phone is not None]
        assert some == sorted(some, reverse=sort == "-phone")
        assert phones[len(some) :] == [None] * (1000 - len(some)) != []


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/items/customers/c-9999", {}, 403, "FORBIDDEN"),
        ("/items/customers", {"fields": "id,password"}, 403, "FORBIDDEN"),
        ("/items/customers", {"sort": "password"}, 403, "FORBIDDEN"),
        ("/items/customers", {"filter[password][_eq]": "x"}, 403, "FORBIDDEN"),
        ("/items/customers", {"token": "wrong"}, 401, "INVALID_CREDENTIALS"),
        ("/items/customers/c-0001", {"token": ""}, 401, "INVALID_CREDENTIALS"),
        ("/items/customers", {"filter[id][_like]": "x"}, 400, "INVALID_QUERY"),
        ("/items/customers", {"filter[id]": "x"}, 400, "INVALID_QUERY"),
        ("/items/customers", {"filter[newsletter][_eq]": "perhaps"}, 400, "INVALID_QUERY"),
        ("/items/customers", {"filter[date_created][_lt]": "today"}, 400, "INVALID_QUERY"),
        ("/items/customers", {"limit": "many"}, 400, "INVALID_QUERY"),
        ("/items/customers", {"page": "0"}, 400, "INVALID_QUERY"),
        ("/items/orders", {}, 404, "ROUTE_NOT_FOUND"),
    ],
)
async def test_cms_refuses_as_directus_does(cms, path, query, status, code):
    answered, body = await cms(path, **query)
    assert (answered, body["errors"][0]["extensions"]) == (status, {"code": code})


async def test_cms_health_needs_no_token_and_requests_are_counted(cms):
    assert await cms("/server/health", token="") == (200, {"status": "ok"})
    await cms("/items/customers", **{"filter[id][_in]": "c-0001,c-0002"})
    await cms("/items/customers", token="wrong")
    assert cms.app[REQUESTS] == {"/server/health": 1, "/items/customers": 2}
    assert unquote(cms.app[QUERIES][1]) == "/items/customers?filter[id][_in]=c-0001,c-0002"


# --- the shop ---


@pytest.fixture
async def shop(http):
    """Ask the shop: `await shop("/api/products", page="2")` is (status, body)."""
    async with contextlib.AsyncExitStack() as stack:
        url = await serve.listen(stack, shop_app(RECORDS.products, "k3y"), 0)

        async def ask(path, /, key="k3y", **query):
            async with http.get(url + path, params=query, headers={"X-Shop-Key": key}) as answer:
                return answer.status, await answer.json()

        yield ask


async def test_shop_tells_of_changes_signed_and_until_they_are_taken(http):
    taken, refusals = [], [503, 429]

    async def take(request):
        if refusals:
            return web.Response(status=refusals.pop())
        body = await request.read()
        signed = f"{request.headers['X-Shop-Time']}.".encode() + body
        digest = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert request.headers["X-Shop-Signature"] == f"sha256={digest}"
        taken.append(json.loads(body))
        return web.Response(status=202)

    mesh = web.Application()
    mesh.router.add_post("/webhooks/products/Product", take)
    products = [{"id": "p-1", "name": "saw"}]
    async with contextlib.AsyncExitStack() as stack:
        hook = Hook("s3cret", await serve.listen(stack, mesh, 0) + "/webhooks/products/Product")
        url = await serve.listen(stack, shop_app(products, "k3y", hook), 0) + "/api/products"

        async def change(method, path="", body=None, key="k3y"):
            async with http.request(method, url + path, json=body, headers={"X-Shop-Key": key}) as answer:
                return answer.status

        assert await change("PATCH", "/p-1", {"name": "axe"}) == 200
        assert await change("POST", "", {"id": "p-2", "name": "nail"}) == 200
        assert await change("DELETE", "/p-1") == 200
        refused = [("PATCH", "/p-2", {"colour": "red"}), ("PATCH", "/p-2", {"id": "p-3"}), ("POST", "", {"name": "x"})]
        assert [await change(*each) for each in refused] == [400, 400, 400]
        assert await change("POST", "", {"id": "p-2"}) == 409
        assert await change("DELETE", "/p-9") == 404
        assert await change("DELETE", "/p-2", key="wrong") == 401
        while len(taken) < 3:
            await asyncio.sleep(0.01)
    told = [(each["type"], each["product"]["id"], each["product"]["name"]) for each in taken]
    assert told == [
        ("product.updated", "p-1", "axe"),
        ("product.created", "p-2", "nail"),
        ("product.deleted", "p-1", "axe"),
    ]
    assert len({each["id"] for each in taken}) == 3


async def test_shop_pages(shop):
    first = {"items": RECORDS.products[:50], "page": 1, "pages": 6, "total": 300}
    assert await shop("/api/products") == (200, first)
    assert await shop("/api/products", page="3", per_page="100") == (
        200,
        {"items": RECORDS.products[200:], "page": 3, "pages": 3, "total": 300},
    )
    assert (await shop("/api/products", page="4", per_page="1000"))[1]["items"] == []


async def test_shop_answers_batches_on_one_page(shop):
    wanted = RECORDS.products[:200:2]
    body = (await shop("/api/products", ids=",".join(row["id"] for row in reversed(wanted))))[1]
    assert body == {"items": wanted, "page": 1, "pages": 1, "total": 100}
    assert (await shop("/api/products", ids="p-0001,nothing"))[1]["items"] == RECORDS.products[:1]
    assert (await shop("/api/products", ids=",".join(map(str, range(101)))))[0] == 400


async def test_shop_filters_and_sorts(shop):
    tools = [row for row in RECORDS.products if row["category"] == "tools"]
    body = (await shop("/api/products", category="tools", sort="-price", per_page="100"))[1]
    assert (body["total"], len(body["items"])) == (len(tools), len(tools))
    prices = [float(row["price"]["amount"]) for row in body["items"]]
    assert prices == sorted(prices, reverse=True)
    names = [row["name"] for row in (await shop("/api/products", sort="name", per_page="100"))[1]["items"]]
    assert names == sorted(row["name"] for row in RECORDS.products)[:100]


async def test_shop_single_products_and_refusals(shop):
    assert await shop("/api/products/p-0001") == (200, RECORDS.products[0])
    assert await shop("/api/products/p-9999") == (404, {"error": "no such product"})
    assert (await shop("/api/products", key=""))[0] == 401
    assert (await shop("/api/products/p-0001", key="wrong"))[0] == 401
    for query in ({"page": "0"}, {"per_page": "-1"}, {"page": "x"}, {"sort": "inventory"}):
        assert (await shop("/api/products", **query))[0] == 400
    assert await shop("/health", key="") == (200, {"status": "ok"})


# --- the ERP ---


def test_sqlite_holds_the_records(tmp_path):
    path = tmp_path / "new" / "erp.sqlite"
    assert erp.build_sqlite(path, RECORDS)
    with contextlib.closing(sqlite3.connect(path)) as db:
        invoices = db.execute("SELECT * FROM invoices ORDER BY id").fetchall()
        items = db.execute("SELECT * FROM invoice_items ORDER BY id").fetchall()
        late = db.execute("SELECT count(*) FROM invoices WHERE status = 'overdue' AND due_on < '2026-01-01'").fetchone()
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert invoices == [tuple(row.values()) for row in RECORDS.invoices]
    assert items == [tuple(row.values()) for row in RECORDS.items]
    assert late == (sum(row["status"] == "overdue" for row in RECORDS.invoices),)
    assert [entry.name for entry in path.parent.iterdir()] == ["erp.sqlite"]


def test_sqlite_is_kept_until_the_records_change(tmp_path):
    path = tmp_path / "erp.sqlite"
    assert erp.build_sqlite(path, RECORDS)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE invoices SET status = 'touched' WHERE id = 'i-00001'")
    assert not erp.build_sqlite(path, RECORDS)
    fewer = data.Data(RECORDS.customers, RECORDS.products, RECORDS.invoices[:1], RECORDS.items[:1])
    (tmp_path / "erp.sqlite-journal").write_bytes(b"left by a writer that was killed")
    assert erp.build_sqlite(path, fewer)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT status, total_cents FROM invoices").fetchall() == [("paid", 3998)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["erp.sqlite"]


@pytest.mark.parametrize("content", [b"", b"a letter to my aunt"])
def test_a_file_of_somebody_else_is_never_overwritten(tmp_path, content):
    path = tmp_path / "erp.sqlite"
    path.write_bytes(content)
    with pytest.raises(FileExistsError, match="ERP_PATH"):
        erp.build_sqlite(path, RECORDS)
    assert path.read_bytes() == content


def test_postgres_holds_the_same(embedded_dsn):  # noqa: F811 - the fixture of that name
    with fresh_database(embedded_dsn) as dsn:
        assert erp.fill_postgres(dsn, RECORDS)
        assert not erp.fill_postgres(dsn, RECORDS)
        with psycopg.connect(dsn) as db:
            db.execute("SET timezone TO 'UTC'")
            invoices = db.execute(
                "SELECT id, invoice_no, customer_id, status, total_cents, due_on::text,"
                " to_char(created_at, 'YYYY-MM-DD HH24:MI:SS'), to_char(updated_at, 'YYYY-MM-DD HH24:MI:SS')"
                " FROM invoices ORDER BY id"
            ).fetchall()
            items = db.execute("SELECT * FROM invoice_items ORDER BY id").fetchall()
        assert invoices == [tuple(row.values()) for row in RECORDS.invoices]
        assert items == [tuple(row.values()) for row in RECORDS.items]
        fewer = data.Data(RECORDS.customers, RECORDS.products, RECORDS.invoices[:1], RECORDS.items[:1])
        assert erp.fill_postgres(dsn, fewer)
        with psycopg.connect(dsn) as db:
            assert db.execute("SELECT count(*) FROM invoices").fetchone() == (1,)
            db.execute("COMMENT ON TABLE invoices IS NULL")
        with pytest.raises(FileExistsError, match="ERP_DSN"):
            erp.fill_postgres(dsn, RECORDS)


# --- the scripts ---


@contextlib.contextmanager
def started(*command: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A process with its first output to come; killed and closed at the end."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON | environ
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def get(url: str, **headers: str) -> int:
    """Status of one request, 0 where nothing listens."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except urllib.error.URLError:
        return 0


def test_serve_prints_its_urls_and_reads_the_demo_keys(tmp_path):
    script = str(ROOT / "examples/sources/serve.py")
    with started(sys.executable, script, "--cms-port", "0", "--shop-port", "0", ERP_PATH=f"{tmp_path}/e.db") as process:
        urls = json.loads(process.stdout.readline())
        assert urls["erp"] == f"{tmp_path}/e.db"
        assert erp.build_sqlite(tmp_path / "e.db", RECORDS) is False
        assert get(urls["cms"] + "/items/customers/c-0001", Authorization="Bearer demo-cms-token-not-a-secret") == 200
        assert get(urls["cms"] + "/items/customers/c-0001") == 401
        assert get(urls["shop"] + "/api/products/p-0001", **{"X-Shop-Key": "demo-shop-key-not-a-secret"}) == 200
        process.send_signal(signal.SIGTERM)
        assert (process.wait(), process.stderr.read()) == (0, "")


def test_serve_says_in_one_line_that_a_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        script = str(ROOT / "examples/sources/serve.py")
        with started(sys.executable, script, "--cms-port", port, ERP_PATH=f"{tmp_path}/e.db") as process:
            assert process.wait() == 3
            assert re.fullmatch(r"serve\.py: .*address already in use.*\n", process.stderr.read())


# Stands in for the runtime: says what it was given, then waits for a signal and tells which; `exit N` ends at once.
RUNTIME = """
import json, os, signal, sys
def stop(signum, frame):
    print("stopped by", signal.Signals(signum).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop), signal.signal(signal.SIGINT, stop)
print(json.dumps([os.getpid(), os.environ["CMS_URL"], os.environ["SHOP_URL"], sys.argv[1:]]), flush=True)
if sys.argv[1:2] == ["exit"]:
    sys.exit(int(sys.argv[2]))
if sys.argv[1:2] == ["die"]:
    os.kill(os.getpid(), signal.SIGKILL)
while True:
    signal.pause()
"""
RUN = f"import sys; from examples.run import main; sys.exit(main(command=[sys.executable, '-c', {RUNTIME!r}]))"


@contextlib.contextmanager
def run(tmp_path: Path, *argv: str, **environ: str):
    """`run.py` with the stand-in; gives the process, the first line it printed and what the stand-in was given."""
    environ = {"ERP_PATH": f"{tmp_path}/e.db", "PYTHONPATH": str(ROOT)} | environ
    with started(sys.executable, "-c", RUN, *argv, **environ) as process:
        said = process.stdout.readline()
        yield process, said, json.loads(process.stdout.readline())


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_run_serves_the_sources_until_it_is_told_to_stop(tmp_path, signum):
    with run(tmp_path, "--port", "0", CMS_PORT="0", SHOP_PORT="0") as (process, said, (_, cms, shop, argv)):
        assert said == f"sources: cms {cms}, shop {shop}, erp {tmp_path}/e.db\n"
        assert argv == ["--port", "0"]
        assert (get(cms + "/server/health"), get(shop + "/health")) == (200, 200)
        process.send_signal(signum)
        assert process.stdout.read() == f"stopped by {signum.name}\n"
        assert (process.wait(), process.stderr.read()) == (0, "")
        assert (get(cms + "/server/health"), get(shop + "/health")) == (0, 0)


def test_no_child_outlives_run(tmp_path):
    with run(tmp_path, CMS_PORT="0", SHOP_PORT="0") as (process, _, _):
        process.kill()
        assert process.stdout.read() == "stopped by SIGTERM\n"  # ends when the last writer of the pipe is gone


@pytest.fixture
def run_here(tmp_path, monkeypatch, capfd):
    """`run.py` in this process, for a stand-in that ends by itself: its exit code, output lines and error text."""
    for name in set(os.environ) - set(ENVIRON):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ERP_PATH", f"{tmp_path}/e.db")

    def call(*argv: str, **environ: str):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = main(argv, [sys.executable, "-c", RUNTIME])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err

    return call


@pytest.mark.parametrize(("argv", "code"), [(["exit", "0"], 0), (["exit", "7"], 7), (["die"], 137)])
def test_run_ends_with_the_runtime(run_here, argv, code):
    ended, out, err = run_here(*argv, CMS_PORT="0", SHOP_PORT="0")
    assert (ended, err) == (code, "")
    _, cms, shop, _ = json.loads(out[1])
    assert (get(cms), get(shop)) == (0, 0)


def test_run_takes_a_free_port_where_the_usual_one_is_taken(run_here):
    with contextlib.ExitStack() as stack:
        for port in (serve.CMS_PORT, serve.SHOP_PORT):
            with contextlib.suppress(OSError):  # somebody else's server takes it as well as ours
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        code, out, _ = run_here("exit", "0")
    _, cms, shop, _ = json.loads(out[1])
    assert code == 0
    assert not cms.endswith(f":{serve.CMS_PORT}")
    assert not shop.endswith(f":{serve.SHOP_PORT}")


def test_run_leaves_a_source_of_the_users_own_alone(run_here):
    _, out, _ = run_here("exit", "0", CMS_URL="https://cms.example.com", SHOP_PORT="0")
    _, cms, shop, _ = json.loads(out[1])
    assert cms == "https://cms.example.com"
    assert shop.startswith("http://127.0.0.1:")


def test_run_fills_the_postgres_it_is_given(run_here, embedded_dsn):  # noqa: F811 - the fixture of that name
    with fresh_database(embedded_dsn) as dsn:
        assert run_here("exit", "0", CMS_PORT="0", SHOP_PORT="0", ERP_DSN=dsn)[0] == 0
        with psycopg.connect(dsn) as db:
            assert db.execute("SELECT count(*) FROM invoice_items").fetchone() == (20_000,)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CMS_PORT": "99999"}, "CMS_PORT is not a port: 99999"),
        ({"ERP_PATH": str(Path(__file__))}, "not the example's database"),
        ({"ERP_DSN": "sup3rsecret@@"}, "ERP_DSN cannot be filled"),
    ],
)
def test_run_says_in_one_line_why_it_cannot_start(run_here, environ, message):
    code, out, err = run_here(**environ)
    assert (code, out) == (3, [])
    assert re.fullmatch(rf"run\.py: .*{re.escape(message)}.*\n", err)
    assert "sup3rsecret" not in err


def test_demo_keys_are_marked_as_such():
    keys = {path.name: path.read_text().strip() for path in (ROOT / "examples/keys").iterdir() if path.suffix != ".md"}
    assert set(keys) == {
        "support.key",
        "analyst.key",
        "steward.key",
        "cms.token",
        "shop.key",
        "shop-webhook.key",
        "pepper.key",
    }
    assert all(text.startswith("demo-") and "not-a-secret" in text for text in keys.values())
    assert len(keys["pepper.key"]) >= 32
