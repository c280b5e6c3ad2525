# SPDX-License-Identifier: Apache-2.0
"""The example's shop tells of its changes; what cannot be read waits, is shown, retried and dropped (EV-12, AD-7)."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from examples.sources import serve
from tests.support.running import Runtime, Sources, command, edit, example_sources, example_tree, running, until

PATH = "/webhooks/products/Product"
TOPIC = "products.shop.entity_changed"
KINDS = "updated: product.updated"
TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


async def deliver(runtime: Runtime, sources: Sources, body: Any, **headers: str) -> int:
    data = json.dumps(body).encode()
    sent = {**sources.hook.signed(data), **headers}
    async with aiohttp.ClientSession() as session, session.post(runtime.url + PATH, data=data, headers=sent) as answer:
        return answer.status


async def change(sources: Sources, method: str, path: str, body: Any = None) -> None:
    headers = {"X-Shop-Key": serve.key("shop.key")}
    url = f"{sources.environment['SHOP_URL']}/api/products{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body, headers=headers) as answer:
        assert answer.status == 200


def told(number: str, what: str, **product: Any) -> dict[str, Any]:
    price = {"amount": "9.99", "currency": "EUR"}
    row = {"id": number, "sku": "s", "name": "saw", "price": price, "inventory": 3, **product}
    return {"id": f"d-{number}-{what}", "type": f"product.{what}", "product": row}


@pytest.mark.timeout(240)
async def test_changes_of_the_shop_and_what_cannot_be_read(tmp_path: Path) -> None:
    config, home = example_tree(tmp_path), tmp_path / "data"
    products = config.parent / "products" / "products.yaml"
    async with example_sources(tmp_path) as sources, running(config, home, sources.environment) as runtime:
        at = ("--config", str(config), "--data-dir", str(home), "--format", "json")

        async def events() -> list[dict[str, Any]]:
            code, out, err = await command(
                "events", "tail", *at, "--topic", TOPIC, "--from", "beginning", environment=sources.environment
            )
            assert code == 0, err
            return [json.loads(line) for line in out.splitlines()]

        async def dlq(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
            code, out, err = await command("dlq", *arguments, *at, environment=sources.environment)
            assert code in {0, 1}, err
            return code, json.loads(out)

        async def about(number: str) -> list[tuple[str, list[str]]]:
            found = [each for each in await events() if each["entity"]["id"] == number]
            return [(each["event_type"], sorted(each["changed_fields"])) for each in found]

        async def pass_ended() -> bool:
            return len(await events()) >= 300

        await until(pass_ended, "the first snapshot of the shop is in the log", 90)

        sources.hook.url = runtime.url + PATH
        await change(sources, "PATCH", "/p-0001", {"inventory": 0, "name": "anvil"})
        await change(sources, "DELETE", "/p-0002")

        async def arrived() -> bool:
            return (await about("p-0002"))[-1][0] == "DELETED"

        await until(arrived, "the shop's changes arrive")
        assert (await about("p-0001"))[1:] == [("UPDATED", ["inStock", "inventory", "name"])]

        new = told("p-9001", "created")
        assert await deliver(runtime, sources, new, traceparent=TRACE) == 202
        assert await deliver(runtime, sources, new) == 200
        assert await deliver(runtime, sources, new, **{"X-Shop-Signature": "sha256=00"}) == 401
        made = [each for each in await events() if each["entity"]["id"] == "p-9001"]
        assert [each["trace_context"]["trace_id"] for each in made] == ["ab" * 16]

        assert (
            await deliver(runtime, sources, told("p-9002", "renamed", name="canary@example.com", inventory="3")) == 400
        )
        assert await deliver(runtime, sources, told("p-9003", "created", inventory="canary@example.com")) == 202
        assert await deliver(runtime, sources, told("p-9004", "exploded")) == 400
        code, found = await dlq("list")
        assert code == 0
        assert [(each["stage"], each["rule"], each["key"]) for each in found] == [
            ("decode", "UNKNOWN_EVENT_TYPE", None),
            ("map", "DATA_INVALID products#Product.inventory", "p-9003"),
            ("decode", "UNKNOWN_EVENT_TYPE", None),
        ]
        (_, shown), (_, opened) = await dlq("show", "--all"), await dlq("show", "--id", found[0]["id"], "--body")
        assert "canary" not in json.dumps([found, shown])
        assert "canary@example.com" in opened[0]["body"]["text"]
        (_, mapped) = await dlq("show", "--id", found[1]["id"], "--body")
        assert mapped[0]["body"]["record"]["inventory"] == "canary@example.com"
        audited, rows = await runtime.get("/api/v1/audit?product=products&limit=1", "steward")
        assert audited == 200, rows
        assert "command-line" in json.dumps(rows)

        assert (await dlq("retry", "--all"))[0] == 1
        edit(products, KINDS, "updated: [product.updated, product.renamed]")
        edit(products, "{name: inventory, logicalType: integer", "{name: inventory, logicalType: string")
        edit(products, "transformLogic: inventory > 0", "transformLogic: inventory > '0'")
        code, outcomes = await dlq("retry", "--all")
        assert code == 1
        assert [each["outcome"] for each in outcomes] == ["retried", "retried", "failed"]
        assert await about("p-9003") != []
        assert await about("p-9002") != []
        assert (await dlq("drop", "--id", found[2]["id"]))[1][0]["outcome"] == "dropped"
        assert (await dlq("list"))[1] == []
        assert sorted(each["status"] for each in (await dlq("list", "--all"))[1]) == ["dropped", "retried", "retried"]

        metrics = await runtime.metrics()
        for outcome, count in {"accepted": 4, "duplicate": 1, "unsigned": 1, "invalid": 2}.items():
            labels = f'entity="Product",outcome="{outcome}",product="products"'
            assert f"dictamesh_webhook_deliveries_total{{{labels}}} {count}.0" in metrics
        assert "canary" not in metrics + "".join(runtime.errors) + "".join(runtime.output)
        assert serve.key("shop-webhook.key") not in "".join(runtime.errors)
