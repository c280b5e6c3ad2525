# SPDX-License-Identifier: Apache-2.0
"""What the guide to running it promises: drain, reload, deprecation, exit codes (AR-7, AR-8, AR-14, S29, S32)."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from examples.sources import serve
from tests.support.running import ROOT, Runtime, command, example_sources, example_tree, running, start

TUTORIAL = ROOT / "docs" / "tutorial" / "a-fourth-product.md"


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.1)


async def test_operations_under_way_finish_and_no_others_are_invited(tmp_path: Path) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.set()
        await release.wait()
        return web.json_response({"data": [{"id": "c-1", "country": "DE"}]})

    app = web.Application()
    app.router.add_get("/items/customers", slow)
    async with AsyncExitStack() as stack:
        cms = await serve.listen(stack, app, 0)
        sources = await stack.enter_async_context(example_sources(tmp_path))
        config = example_tree(tmp_path)
        patient = "resilience: {default: {timeout: 20s, retry: {within: 20s}}}\nevents: {capture: false}\n"
        config.write_text(config.read_text() + patient)
        environment = {**sources.environment, "CMS_URL": cms}
        runtime = await stack.enter_async_context(running(config, tmp_path / "data", environment))
        answer = asyncio.create_task(runtime.ask("{ customers(limit: 1) { id country } }"))
        await asked.wait()
        runtime.process.send_signal(signal.SIGTERM)

        async def draining() -> bool:
            status, body = await runtime.get("/health/ready")
            return status == 503 and body["draining"]

        await until(draining)
        release.set()
        assert (await answer)["data"] == {"customers": [{"id": "c-1", "country": "DE"}]}
        assert await runtime.stop() == 0


async def test_invalid_specs_create_nothing(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    product = config.parent / "products" / "invoices.yaml"
    product.write_text(product.read_text().replace("[finance]", "[finanse]"))
    code, out, err = await command("--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert (code, out) == (1, "")
    assert err.startswith("products/invoices.yaml:24:16 DM204 error: unknown tag 'finanse'")
    assert not (tmp_path / "data").exists()


async def test_exit_codes(tmp_path: Path) -> None:
    config = str(ROOT / "examples" / "mesh.yaml")
    assert (await command("validate", "--config", config))[0] == 0
    assert (await command("validate", "--config", config, "--no-such-flag"))[0] == 2
    assert (await command("validate", "--config", str(tmp_path / "none.yaml")))[0] in {1, 2}
    query = ["query", "--config", config, "--data-dir", str(tmp_path / "data")]
    assert (await command(*query, "{ nothing }"))[0] == 1
    (tmp_path / "file").touch()
    assert (await command("--config", config, "--data-dir", str(tmp_path / "file" / "data")))[0] == 3


async def test_a_second_runtime_on_the_folder_is_refused(tmp_path: Path) -> None:
    async with example_sources(tmp_path) as sources:
        config, data_dir = ROOT / "examples" / "mesh.yaml", tmp_path / "data"
        async with running(config, data_dir, sources.environment) as runtime:
            told = await command(
                "--config", str(config), "--data-dir", str(data_dir), "--port", "0", "--metrics-port", "0"
            )
            assert told[0] == 3
            assert f"is in use by process {runtime.process.pid}" in told[2]


async def test_what_would_show_more_waits_for_sighup(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    policies = config.parent / "policies" / "privacy.yaml"
    redact, partial = "mask: {kind: redact}}", "mask: {kind: partial}}"
    async with example_sources(tmp_path) as sources:
        runtime = await start(config, tmp_path / "data", sources.environment)
        try:
            policies.write_text(policies.read_text().replace(redact, partial))

            async def refused() -> bool:
                return 'dictamesh_reloads_total{outcome="refused"} 1.0' in await runtime.metrics()

            await until(refused)
            assert await email(runtime) == "***REDACTED***"
            assert any("field customers#Customer.address.city for anonymous: redact" in line for line in runtime.errors)
            runtime.process.send_signal(signal.SIGHUP)

            async def shown() -> bool:
                return await email(runtime) == "************.com"

            await until(shown)
        finally:
            await runtime.stop()


async def email(runtime: Runtime) -> str:
    return (await runtime.ask('{ customer(id: "c-0001") { email } }'))["data"]["customer"]["email"]


async def test_a_removed_product_stays_in_the_catalog_as_deprecated(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    found = re.search(r"<!-- file: \S+ -->\n```yaml\n(.*?)^```$", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    product = config.parent / "products" / "suppliers.yaml"
    product.write_text(found[1])
    (config.parent / "sources").mkdir(exist_ok=True)
    async with example_sources(tmp_path) as sources, running(config, tmp_path / "data", sources.environment) as runtime:
        status, body = await runtime.get("/api/v1/catalog/entities/Supplier", "steward")
        assert (status, body["status"]) == (200, "active")
        product.unlink()

        async def deprecated() -> bool:
            _, body = await runtime.get("/api/v1/catalog/entities/Supplier", "steward")
            return body["status"] == "deprecated"

        await until(deprecated)
        assert (await runtime.get("/api/v1/catalog/locate?type=Supplier&id=s-01", "steward"))[0] == 404

        async def unknown() -> bool:  # the catalog knows of a change a moment before it is served
            answer = await runtime.ask("{ suppliers { id } }")
            return [each["extensions"]["code"] for each in answer.get("errors", ())] == ["VALIDATION_ERROR"]

        await until(unknown)
