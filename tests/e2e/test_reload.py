# SPDX-License-Identifier: Apache-2.0
"""Hot reload by S29: what the watcher takes, what it refuses, what goes on meanwhile, what is left of a product."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.running import Runtime, Sources, edit, example_tree, place, running, until
from tests.support.slow import slow_source

__all__ = ["embedded_dsn"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYONE_ELSE = "{name: everyone-else, effect: mask, mask: {kind: redact}}"
WITHOUT_TESTS = "\ntests:"
EMAIL = '{ customer(id: "c-0001") { email } }'
REDACTED = {"data": {"customer": {"email": "***REDACTED***"}}}


@asynccontextmanager
async def mesh_over(tmp_path: Path, sources: Sources, *arguments: str) -> AsyncIterator[tuple[Runtime, Path]]:
    """A runtime over a tree of its own; gives the folder of the tree."""
    config = example_tree(tmp_path)
    async with running(config, tmp_path / "data", sources.environment, *arguments) as runtime:
        yield runtime, config.parent


async def email(runtime: Runtime) -> str:
    answer = await runtime.ask(EMAIL)
    found: str = answer["data"]["customer"]["email"]
    return found


def loosen(tree: Path) -> None:
    """Show e-mail addresses to everybody; the policy's own tests go, they would refuse it before."""
    policy = tree / "policies" / "privacy.yaml"
    text = policy.read_text(encoding="utf-8").replace(EVERYONE_ELSE, "{name: everyone-else, effect: allow}")
    documents = [each.partition(WITHOUT_TESTS)[0] for each in text.split("\n---\n")]
    place(policy, "\n---\n".join(documents) + "\n")


async def test_the_watcher_refuses_what_shows_more_and_a_signal_accepts_it(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        assert await email(runtime) == "***REDACTED***"
        loosen(tree)
        await runtime.until_said("send SIGHUP to accept")
        assert await email(runtime) == "***REDACTED***"
        reasons = [record["reason"] for record in runtime.said("the change would show more")]
        assert any(reason.startswith("field customers#Customer.email for anonymous: redact") for reason in reasons)
        assert await runtime.reloads() == {"refused": 1}
        runtime.process.send_signal(signal.SIGHUP)
        await runtime.until_said("reloaded")
        assert await email(runtime) == "john@example.com"
        assert await runtime.reloads() == {"refused": 1, "applied": 1}


async def test_accept_weaker_lets_the_watcher_load_it(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources, "--accept-weaker") as (runtime, tree):
        loosen(tree)
        await runtime.until_said("reloaded")
        assert await email(runtime) == "john@example.com"


WEAKER = {
    "a policy is gone": ("policies/finance.yaml", None, None),
    "a tag is gone": (
        "products/customers.yaml",
        "classification: confidential, tags: [pii.indirect.birthdate]",
        "classification: public",
    ),
    "a tier is lower": (
        "products/products.yaml",
        "logicalType: integer, classification: internal",
        "logicalType: integer, classification: public",
    ),
    "rows are no longer filtered": ("policies/privacy.yaml", '"country = ANY(principal.countries)"', "all"),
}


@pytest.mark.parametrize("case", WEAKER)
async def test_each_weakening_is_refused(case: str, tmp_path: Path, sources: Sources) -> None:
    name, before, after = WEAKER[case]
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        for policy in (tree / "policies").iterdir():
            documents = [each.partition(WITHOUT_TESTS)[0] for each in policy.read_text("utf-8").split("\n---\n")]
            place(policy, "\n---\n".join(documents) + "\n")
        await until(lambda: reloaded(runtime, "applied"), "a tree without inline tests is served")
        if before is None or after is None:
            (tree / name).unlink()
        else:
            edit(tree / name, before, after)
        await until(lambda: reloaded(runtime, "refused"), case)
        assert runtime.said("the change would show more")
        edit_back = await runtime.ask("{ invoices(limit: 1) { total } }")
        assert edit_back["data"]["invoices"] == [{"total": None}]


async def reloaded(runtime: Runtime, outcome: str) -> bool:
    return outcome in await runtime.reloads()


async def test_faulty_specs_leave_the_mesh_as_it_was(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        edit(tree / "products" / "customers.yaml", "logicalType: boolean", "logicalType: bolean")
        found = await runtime.until_said("a finding in the specs")
        assert found[0]["file"].startswith("products/customers.yaml:")
        assert found[0]["code"].startswith("DM")
        await runtime.until_said("the changed specs have errors")
        assert await email(runtime) == "***REDACTED***"
        edit(tree / "products" / "customers.yaml", "logicalType: bolean", "logicalType: boolean")
        edit(tree / "products" / "customers.yaml", "version: 1.2.0", "version: 1.3.0")
        await runtime.until_said("reloaded")
        assert await runtime.reloads() == {"invalid": 1, "applied": 1}


async def test_a_missing_secret_leaves_the_mesh_as_it_was(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        edit(tree / "mesh.yaml", "${file:keys/support.key}", "${file:keys/other.key}")
        found = await runtime.until_said("cannot be served")
        assert "security.apiKeys.support-desk: the file keys/other.key is not there" in found[0]["reason"]
        answer = await runtime.ask(EMAIL, "support")
        assert answer["data"]["customer"]["email"] == "john@example.com"
        shutil.copy(tree / "keys" / "support.key", tree / "keys" / "other.key")
        runtime.process.send_signal(signal.SIGHUP)
        await runtime.until_said("reloaded")


async def test_a_signal_reads_changed_secrets(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        old = (tree / "keys" / "support.key").read_text(encoding="utf-8").strip()
        (tree / "keys" / "support.key").write_text("another-key-of-the-support-desk\n", encoding="utf-8")
        runtime.process.send_signal(signal.SIGHUP)
        await runtime.until_said("reloaded")
        answer = await runtime.ask(EMAIL, headers={"X-API-Key": "another-key-of-the-support-desk"})
        assert answer["data"]["customer"]["email"] == "john@example.com"
        refused = await runtime.ask(EMAIL, headers={"X-API-Key": old})
        assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_tree_in_motion_is_left_alone(tmp_path: Path, sources: Sources) -> None:
    """Changes closer together than a second are one change; what lies between them is never served."""
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        product = tree / "products" / "products.yaml"
        whole = product.read_text(encoding="utf-8")
        for size in range(12):
            product.write_text(whole[: 200 + 60 * size], encoding="utf-8")  # half written
            await asyncio.sleep(0.3)
        place(product, whole.replace("version: 1.0.0", "version: 1.1.0"))
        await runtime.until_said("reloaded")
        assert await runtime.reloads() == {"applied": 1}


async def test_a_half_done_pull_does_not_unmask(tmp_path: Path, sources: Sources) -> None:
    """The policy file is gone for longer than the quiet second, then it comes back."""
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        policy = tree / "policies" / "privacy.yaml"
        text = policy.read_text(encoding="utf-8")
        policy.unlink()
        await until(lambda: reloaded(runtime, "refused"), "the missing policy is seen")
        assert await email(runtime) == "***REDACTED***"
        place(policy, text)
        await until(lambda: reloaded(runtime, "unchanged"), "the policy is back")
        assert await email(runtime) == "***REDACTED***"


async def test_operations_in_flight_end_on_the_old_plan(tmp_path: Path, sources: Sources) -> None:
    async with slow_source() as slow:
        environment = {**sources.environment, "SHOP_URL": slow.url}
        config = example_tree(tmp_path)
        edit(
            config,
            "name: acme",
            "name: acme\nevents: {capture: false}\nresilience: {default: {timeout: 20s, retry: {within: 25s}}}",
        )
        async with running(config, tmp_path / "data", environment) as runtime:
            asked = asyncio.create_task(runtime.ask("{ products(limit: 2) { id sku name } }"))
            await slow.reached.wait()
            # the server's address changes, the field goes: neither concerns the operation under way
            edit(config, "${env:SHOP_URL:-http://127.0.0.1:8056}", "${env:CMS_URL}")
            edit(
                config.parent / "products" / "products.yaml",
                "      - {name: sku, logicalType: string, required: true, classification: public}\n",
                "",
            )
            await runtime.until_said("reloaded")
            assert "errors" in await runtime.ask("{ products(limit: 2) { sku } }")
            assert not asked.done()
            slow.release.set()
            answer = await asked
            assert "errors" not in answer, answer
            assert [row["sku"] for row in answer["data"]["products"]] == ["S1", "S2"]


async def test_a_request_that_comes_while_capture_is_exchanged_keeps_its_lines(
    tmp_path: Path, sources: Sources, embedded_dsn: str
) -> None:
    """Whatever a reload waits for, what holds a request's lines open is what answers it."""
    async with slow_source() as slow:
        config = example_tree(tmp_path)
        edit(config, "name: acme", "name: acme\nresilience: {default: {timeout: 20s, retry: {within: 25s}}}")
        edit(config, "audit: {readers: [steward]}", 'audit: {readers: [steward]}\ncatalog: {dsn: "${env:DSN}"}')
        # the shop is read by callers alone
        products = config.parent / "products" / "products.yaml"
        text = products.read_text(encoding="utf-8")
        cut = re.sub(r"\n    changes:.*?(?=\n    \w)", "", text, flags=re.DOTALL)
        place(products, cut)
        with fresh_database(embedded_dsn) as dsn:
            environment = {**sources.environment, "SHOP_URL": slow.url, "DSN": dsn}
            async with running(config, tmp_path / "data", environment) as runtime:
                with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as watcher:
                    holder.execute("LOCK TABLE dictamesh_capture_state IN ACCESS EXCLUSIVE MODE")
                    edit(config, "timeout: 20s", "timeout: 21s")  # every server is made anew
                    await until(lambda: bool(watcher.execute(PAUSES).fetchall()), "the reload waits for the catalog")
                    asked = asyncio.create_task(runtime.ask("{ products(limit: 2) { id sku } }"))
                    await slow.reached.wait()
                await runtime.until_said("reloaded")
                await asyncio.sleep(0.5)  # for what would close the lines under it
                slow.release.set()
                answer = await asked
                assert "errors" not in answer, answer
                assert [row["sku"] for row in answer["data"]["products"]] == ["S1", "S2"]


PAUSES = """
SELECT 1 FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%status = ''paused''%'
"""


async def test_breakers_of_unchanged_servers_live_on(tmp_path: Path, sources: Sources) -> None:
    environment = {**sources.environment, "CMS_URL": "http://127.0.0.1:9"}  # nobody listens there
    config = example_tree(tmp_path)
    edit(config, "name: acme", "name: acme\nresilience: {default: {retry: {attempts: 1}}}")
    async with running(config, tmp_path / "data", environment) as runtime:
        for _ in range(5):
            await runtime.ask("{ customers(limit: 1) { id } }")
        assert await code_of(runtime) == "CIRCUIT_OPEN"
        edit(config.parent / "products" / "products.yaml", "version: 1.0.0", "version: 1.1.0")
        await runtime.until_said("reloaded")
        assert await code_of(runtime) == "CIRCUIT_OPEN"
        edit(config, "retry: {attempts: 1}", "retry: {attempts: 2}")  # now the servers are made anew
        await runtime.until_said("reloaded", times=2)
        assert await code_of(runtime) == "SOURCE_UNAVAILABLE"


async def code_of(runtime: Runtime) -> str:
    answer = await runtime.ask("{ customers(limit: 1) { id } }")
    found: str = answer["errors"][0]["extensions"]["code"]
    return found


async def test_a_removed_product_is_deprecated_in_the_catalog(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        invoices = tree / "products" / "invoices.yaml"
        lines = invoices.read_text(encoding="utf-8").splitlines()
        place(invoices, "\n".join(line for line in lines if "products#Product" not in line) + "\n")
        (tree / "products" / "products.yaml").unlink()
        await runtime.until_said("reloaded")
        status, found = await runtime.get("/api/v1/catalog/entities/Product", "steward")
        assert status == 200
        assert found["status"] == "deprecated"
        status, found = await runtime.get("/api/v1/catalog/entities/Customer", "steward")
        assert found["status"] == "active"
        answer = await runtime.ask("{ products { id } }")
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
        assert (
            'product="products"'
            not in (await runtime.metrics()).partition("dictamesh_entity_info")[2].partition("# HELP")[0]
        )


async def test_reloads_under_traffic_fail_no_request(tmp_path: Path, sources: Sources) -> None:
    async with mesh_over(tmp_path, sources) as (runtime, tree):
        failures: list[str] = []
        stop = asyncio.Event()

        async def caller() -> None:
            while not stop.is_set():
                answer = await runtime.ask("{ customers(limit: 2) { id invoices(limit: 1) { id } } }", "support")
                if "errors" in answer:
                    failures.append(json.dumps(answer["errors"]))

        callers = [asyncio.create_task(caller()) for _ in range(4)]
        edit(tree / "mesh.yaml", "name: acme", "name: acme\nresilience: {default: {timeout: 20s}}")
        for number in range(3):
            await runtime.until_said("reloaded", times=number + 1)
            # every server is made anew each time
            edit(tree / "mesh.yaml", f"timeout: 2{number}s", f"timeout: 2{number + 1}s")
        await runtime.until_said("reloaded", times=4)
        stop.set()
        await asyncio.gather(*callers)
        assert failures == []
