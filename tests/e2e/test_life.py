# SPDX-License-Identifier: Apache-2.0
"""The life of the process: start, refusals to start, sources that fail, the end.

AR-5, AR-6, AR-8, OB-4, OB-8, OB-9, S1, S31, S32.
"""

import asyncio
import re
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.catalog.ownership import running_owner
from examples.sources import data, serve
from examples.sources.cms import cms_app
from tests.support.postgres import embedded_dsn, fresh_database  # noqa: F401 - a fixture
from tests.support.running import (
    PROGRAM,
    ROOT,
    TOUR,
    Runtime,
    Sources,
    clean_environment,
    command,
    edit,
    example_tree,
    running,
    spawn,
    until,
)
from tests.support.slow import slow_source

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUSTOMER = '{ customer(id: "c-0001") { id country } }'
TELL_APART = ("trace_id", "span_id", "timestamp", "level", "service", "message", "logger")


async def refused(config: Path, data_dir: Path, sources: Sources, *more: str) -> tuple[int, str]:
    """Exit code and standard error of a runtime that does not start."""
    arguments = ("--config", str(config), "--data-dir", str(data_dir), "--port", "0", "--metrics-port", "0", *more)
    code, out, err = await command(*arguments, environment=sources.environment)
    assert out == ""
    assert "Traceback" not in err
    return code, "".join(line for line in err.splitlines(keepends=True) if not line.startswith("{"))


async def test_a_second_runtime_on_the_same_data_folder_is_refused(
    example: Runtime, sources: Sources, tmp_path: Path
) -> None:
    async with running(example_tree(tmp_path), tmp_path / "data", sources.environment) as first:
        (tmp_path / "other").mkdir()
        code, err = await refused(example_tree(tmp_path / "other"), tmp_path / "data", sources)
        assert code == 3
        assert f"the data folder {tmp_path / 'data'} is in use by process {first.process.pid}" in err
        assert "--data-dir" in err
        assert (await first.ask(CUSTOMER))["data"]["customer"]


async def test_a_missing_secret_stops_the_start_and_is_named(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    (config.parent / "keys" / "cms.token").unlink()
    code, err = await refused(config, tmp_path / "data", sources)
    assert code == 3
    assert "servers.cms.auth.token: the file keys/cms.token is not there" in err


async def test_an_empty_secret_stops_the_start_and_is_named(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    (config.parent / "keys" / "support.key").write_text("\n", encoding="utf-8")
    code, err = await refused(config, tmp_path / "data", sources)
    assert code == 3
    assert "security.apiKeys.support-desk" in err


async def test_two_callers_with_one_key_stop_the_start(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    (config.parent / "keys" / "analyst.key").write_text(serve.key("support.key"), encoding="utf-8")
    code, err = await refused(config, tmp_path / "data", sources)
    assert code == 3
    assert "'support-desk' and 'bi-tool' have the same value" in err
    assert serve.key("support.key") not in err


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
async def test_a_port_that_is_taken_is_named(option: str, sources: Sources, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, err = await refused(example_tree(tmp_path), tmp_path / "data", sources, option, port)
    assert code == 3
    assert f"port {port} of 127.0.0.1" in err
    assert option in err


async def test_a_data_folder_that_is_a_file_is_named(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    code, err = await refused(example_tree(tmp_path), tmp_path / "data", sources)
    assert code == 3
    assert str(tmp_path / "data") in err


async def test_an_audit_file_that_cannot_be_read_is_told(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "data" / "audit.jsonl").mkdir(parents=True)
    code, err = await refused(example_tree(tmp_path), tmp_path / "data", sources)
    assert code == 3
    assert f"a file of the data folder {tmp_path / 'data'} cannot be used" in err


async def test_a_reader_of_the_table_that_goes_away_ends_the_runtime(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    line = f'"{PROGRAM}" --config "{config}" --data-dir "{tmp_path / "data"}" --port 0 --metrics-port 0 | true'
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", line, env=clean_environment(sources.environment), stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(shell.communicate(), 30)
    assert b"Traceback" not in err
    assert b"fault of DictaMesh" not in err


async def test_a_catalog_that_cannot_be_reached_is_named_without_its_password(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config, "runtime: {", 'catalog: {dsn: "${env:CATALOG_DSN}"}\nruntime: {')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sources = Sources(
        sources.records,
        sources.cms,
        sources.shop,
        {**sources.environment, "CATALOG_DSN": f"postgresql://mesh:s3cret-word@127.0.0.1:{port}/catalog"},
    )
    code, err = await refused(config, tmp_path / "data", sources)
    assert code == 3
    assert "catalog.dsn" in err
    assert "s3cret-word" not in err


async def test_catalog_dsn(embedded_dsn: str, sources: Sources, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    config = example_tree(tmp_path)
    edit(config, "runtime: {", 'catalog: {dsn: "${env:CATALOG_DSN}", pool: {max: 4, idle: 2}}\nruntime: {')
    with fresh_database(embedded_dsn) as dsn:
        environment = {**sources.environment, "CATALOG_DSN": dsn}
        async with running(config, tmp_path / "data", environment) as runtime:
            assert "catalog   PostgreSQL of catalog.dsn" in "".join(runtime.output)
            status, found = await runtime.get("/api/v1/catalog/entities", "steward")
            assert status == 200
            assert {each["entity_type"] for each in found["items"]} == {"Customer", "Invoice", "InvoiceItem", "Product"}
            await runtime.ask("{ customers(limit: 1) { name } }", "support")
            with psycopg.connect(dsn) as connection:
                rows = connection.execute("SELECT principal, entity_type, fields FROM dictamesh_audit_logs").fetchall()
            assert rows == [("support-desk", "Customer", ["name"])]
        assert not (tmp_path / "data" / "postgres").exists()
        code, _ = await refused(
            config,
            tmp_path / "data",
            Sources(sources.records, sources.cms, sources.shop, {**environment, "DICTAMESH_PORT": "@int 5"}),
        )
        assert code == 3


End = Callable[[Runtime], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_under_way_ends_before_the_process_does(number: int, sources: Sources, tmp_path: Path) -> None:
    async with slow_source() as slow:
        config = example_tree(tmp_path)
        edit(
            config,
            "name: acme",
            "name: acme\nevents: {capture: false}\nresilience: {default: {timeout: 20s, retry: {within: 25s}}}",
        )
        async with running(config, tmp_path / "data", {**sources.environment, "SHOP_URL": slow.url}) as runtime:
            asked = asyncio.create_task(runtime.ask("{ products(limit: 2) { id } }"))
            await slow.reached.wait()
            runtime.process.send_signal(number)
            await until(lambda: not_ready(runtime), "the process says that it is not ready")
            assert runtime.process.returncode is None
            slow.release.set()
            answer = await asked
            assert answer == {"data": {"products": [{"id": "p1"}, {"id": "p2"}]}}
            assert await asyncio.wait_for(runtime.process.wait(), 10) == 0
            await asyncio.gather(*runtime.readers)
            assert runtime.output[-1] == "stopped\n"
            assert not runtime.said("cut off")


async def not_ready(runtime: Runtime) -> bool:
    status, found = await runtime.get("/health/ready")
    return status == 503 and found["draining"]


async def test_what_does_not_end_is_cut_off_in_time(sources: Sources, tmp_path: Path) -> None:
    async with slow_source() as slow:
        config = example_tree(tmp_path)
        edit(
            config,
            "name: acme",
            "name: acme\nevents: {capture: false}\nresilience: {default: {timeout: 50s, retry: {within: 55s}}}",
        )
        edit(config, "runtime: {", "runtime: {shutdownTimeout: 4s, ")
        async with running(config, tmp_path / "data", {**sources.environment, "SHOP_URL": slow.url}) as runtime:
            asked = asyncio.create_task(runtime.ask("{ products(limit: 2) { id } }"))
            await slow.reached.wait()
            assert await runtime.stop() == 0
            assert runtime.said("cut off")[0]["count"] == 1
            with pytest.raises(Exception):  # noqa: B017 - the connection ends one way or another
                await asked


async def test_a_signal_during_the_start_ends_it(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    for delay in (0.6, 1.0, 1.4):
        runtime = await spawn(config, tmp_path / "data", sources.environment)
        await asyncio.sleep(delay)
        code = await runtime.stop()
        assert code in {0, -signal.SIGTERM}, "".join(runtime.errors)  # the latter before the handlers are set
        assert "Traceback" not in "".join(runtime.errors)
    async with running(config, tmp_path / "data", sources.environment) as runtime:
        assert (await runtime.ask(CUSTOMER))["data"]["customer"]


async def test_a_source_that_fails_is_degraded_not_down(sources: Sources, tmp_path: Path) -> None:
    """Breaker, last known good, the mark, health and metrics (AR-5, RS-4, S25)."""
    config = example_tree(tmp_path)
    edit(config, "name: acme", "name: acme\nresilience: {default: {retry: {attempts: 1}, breaker: {openFor: 1s}}}")
    edit(
        config.parent / "products" / "customers.yaml",
        "{property: latency, value: 5, unit: s}",
        "{property: latency, value: 1, unit: s}",
    )
    app = cms_app(data.generate().customers, serve.key("cms.token"))
    async with AsyncExitStack() as outer:
        stack = AsyncExitStack()
        url = await serve.listen(stack, app, 0)
        runtime = await outer.enter_async_context(
            running(config, tmp_path / "data", {**sources.environment, "CMS_URL": url})
        )
        fresh = await runtime.ask(CUSTOMER)
        assert fresh == {"data": {"customer": {"id": "c-0001", "country": "DE"}}}
        status, found = await runtime.get("/health/ready")
        assert (status, found["status"]) == (200, "healthy")
        await stack.aclose()  # the CMS is gone
        await until(lambda: degraded(runtime), "the answer comes from an expired row and says so")
        assert (await runtime.ask(CUSTOMER))["data"] == fresh["data"]
        unknown = await runtime.ask('{ customer(id: "c-0002") { id } }')
        assert unknown["data"]["customer"] is None
        assert unknown["errors"][0]["extensions"]["code"] in {"SOURCE_UNAVAILABLE", "CIRCUIT_OPEN"}
        for _ in range(5):
            await runtime.ask("{ customersCount }")
        await until(lambda: cms_is_down(runtime), "health tells, once it looks again")
        status, found = await runtime.get("/health/ready")
        assert (status, found["status"]) == (200, "degraded")
        text = await runtime.metrics()
        assert 'dictamesh_breaker_transitions_total{server="cms",to_state="open"}' in text
        assert runtime.said("a circuit breaker moved")
        others = await runtime.ask("{ products(limit: 1) { id } invoices(limit: 1) { id } }")
        assert "errors" not in others
        again = AsyncExitStack()
        await outer.enter_async_context(again)
        app = cms_app(data.generate().customers, serve.key("cms.token"))
        await serve.listen(again, app, int(url.rpartition(":")[2]))
        await until(lambda: whole(runtime), "the CMS is back, and so are whole answers")


async def degraded(runtime: Runtime) -> bool:
    return (await runtime.ask(CUSTOMER)).get("extensions", {}).get("degraded") == ["customers"]


async def cms_is_down(runtime: Runtime) -> bool:
    found: dict[str, Any] = (await runtime.get("/health/ready"))[1]
    return found["checks"]["server:cms"]["status"] == "unhealthy"


async def whole(runtime: Runtime) -> bool:
    answer = await runtime.ask('{ customer(id: "c-0003") { id } }')
    return answer == {"data": {"customer": {"id": "c-0003"}}}


async def test_labels_are_bounded(example: Runtime) -> None:
    await example.ask(TOUR, "support")
    series = labels(await example.metrics())
    for number in range(30):
        await example.post(b'{"query": "{ customers(limit: %d) { id } }"}' % number, {"X-Anything": str(number)})
        await example.post(b"{ nonsense %d" % number)
        await example.get(f"/api/v1/catalog/entities/Nothing{number}", "steward")
        await example.post(b'{"query": "{ c%d: customersCount }"}' % number)
    async with asyncio.timeout(10):
        for number in range(30):
            host, port = example.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"PROPFIND /path/{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            await reader.read()
            writer.close()
            await writer.wait_closed()
    after = labels(await example.metrics())
    assert not re.search(r"nothing\d|Nothing|PROPFIND|nonsense|path/\d", "\n".join(after))
    assert len(after - series) <= 60, sorted(after - series)
    assert 'dictamesh_http_requests_total{method="other",route="other",status="404"}' in after


def labels(text: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


async def test_every_line_of_the_log_is_json(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config.parent / "products" / "customers.yaml", "path: /items/customers\n", "path: /items/nothing\n")
    async with running(config, tmp_path / "data", sources.environment, "--log-level", "debug") as runtime:
        await runtime.ask("{ customers(limit: 1) { id } }")
        await runtime.post(b"\xff\x00 no json", {"X-API-Key": "wrong"})
        edit(config, "name: acme", "name: acme\nspeling: 1")
        await runtime.until_said("the changed specs have errors")
        code = await runtime.stop()
    assert code == 0
    for record in runtime.log():
        assert set(TELL_APART) <= set(record), record
    assert {"adapters ready", "governance ready", "catalog ready", "gateway ready"} <= {
        record["message"] for record in runtime.log()
    }


async def test_declared_columns_are_held_against_the_live_ones(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config.parent / "products" / "invoices.yaml", "physicalName: invoice_no", "physicalName: invoice_number")
    async with running(config, tmp_path / "data", sources.environment) as runtime:
        found = await runtime.until_said("declared columns are missing in the source")
        assert [(each["entity"], each["reason"]) for each in found] == [("invoices#Invoice", "invoice_number")]
        code, out, _ = await command(
            "contract-test", "invoices", "--live", "--config", str(config), environment=sources.environment
        )
        assert code == 1
        assert "failed   Invoice columns: declared, and not there: invoice_number" in out


async def test_settings_come_in_layers(sources: Sources, tmp_path: Path) -> None:
    """Defaults, then the mesh file, then the environment, then the command line (AR-6)."""
    config = example_tree(tmp_path)
    edit(config, "runtime: {port: 8080, metricsPort: 9090}", "runtime: {port: 1, metricsPort: 2, logLevel: error}")
    environment = {**sources.environment, "DICTAMESH_LOG_LEVEL": "warning", "DICTAMESH_UNKNOWN_WORD": "@format {x}"}
    async with running(config, tmp_path / "data", environment) as runtime:
        assert not runtime.said("ready")  # the environment's warning
    async with running(config, tmp_path / "data", environment, "--log-level", "info") as runtime:
        assert runtime.said("gateway ready")
    code, err = await refused(
        config,
        tmp_path / "data",
        Sources(sources.records, sources.cms, sources.shop, {**environment, "DICTAMESH_LOG_LEVEL": "loud"}),
    )
    assert code == 3
    assert "DICTAMESH_LOG_LEVEL" in err
    assert (ROOT / "examples" / "mesh.yaml").exists()


async def test_queries_of_the_command_line_are_audited_with_and_without_a_runtime(
    sources: Sources, tmp_path: Path
) -> None:
    config, data_dir = example_tree(tmp_path), tmp_path / "data"
    asked = ("query", "--config", str(config), "--data-dir", str(data_dir), "--as", "support", "--purpose", "service")

    async def ask(fields: str) -> None:
        code, out, err = await command(
            *asked, f"{{ customers(limit: 2) {{ {fields} }} }}", environment=sources.environment
        )
        assert code == 0, out + err

    await ask("name")
    assert (data_dir / "audit.jsonl").exists()
    async with running(config, data_dir, sources.environment):
        assert not (data_dir / "audit.jsonl").exists()
        await ask("email")
        assert not (data_dir / "audit.jsonl").exists()
        dsn = running_owner(data_dir)
        assert dsn is not None
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(
                "SELECT principal, purpose, fields, subject_count FROM dictamesh_audit_logs ORDER BY occurred_at"
            ).fetchall()
        code, err = await refused_command("migrate", "status", "--config", str(config), "--data-dir", str(data_dir))
        assert code == 3
        assert "is in use by process" in err
    assert rows == [("command-line", "service", [field], 2) for field in ("name", "email")]


async def refused_command(*arguments: str) -> tuple[int, str]:
    code, out, err = await command(*arguments)
    assert out == ""
    return code, err
