# SPDX-License-Identifier: Apache-2.0
"""The example: a row is edited in the CMS, and whoever listens hears of it, as far as each may."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from examples.sources.serve import key
from tests.support.running import Runtime, Sources, example_sources, example_tree, running, until
from tests.support.subscribing import Events, Socket

WHAT = "{ event { type key changedFields version } node { name email country } }"
CAPTURED = re.compile(
    r'^dictamesh_captured_changes_total\{entity="Customer",outcome="created"[^}]*\} (\S+)$', re.MULTILINE
)


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[tuple[Sources, Runtime]]:
    async with example_sources(tmp_path) as sources:
        config = example_tree(tmp_path)
        async with running(config, tmp_path / "data", sources.environment) as runtime:

            async def known() -> bool:
                found = CAPTURED.search(await runtime.metrics())
                return found is not None and float(found[1]) >= len(sources.records.customers)

            await until(known, "all customers are captured", 60)
            yield sources, runtime


async def _edit(sources: Sources, customer: str, **row: str) -> None:
    headers = {"Authorization": f"Bearer {key('cms.token')}"}
    url = f"{sources.environment['CMS_URL']}/items/customers/{customer}"
    async with aiohttp.ClientSession() as session, session.patch(url, json=row, headers=headers) as response:
        assert response.status == 200, await response.text()


async def test_an_edit_is_heard_over_both_transports(live: tuple[Sources, Runtime]) -> None:
    sources, runtime = live
    customer = sources.records.customers[0]
    url = f"{runtime.url}/graphql"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=("graphql-transport-ws",)) as connection,
        session.post(
            url,
            json={"query": f'subscription {{ customerChanged(id: "{customer["id"]}") {WHAT} }}'},
            headers={"Accept": "text/event-stream"},
        ) as stream,
    ):
        socket = Socket(connection)
        await socket.begin({"X-API-Key": key("support.key")})
        await socket.subscribe(f"subscription {{ customerChanged {WHAT} }}")

        async def both() -> bool:
            text = await runtime.metrics()
            return all(f'dictamesh_subscriptions_active{{transport="{name}"}} 1.0' in text for name in ("ws", "sse"))

        await until(both, "both listen")
        await _edit(sources, customer["id"], country="AT", email="new@x.example")
        support = (await socket.next(30))["payload"]["data"]["customerChanged"]
        assert support["node"]["email"] == "new@x.example"
        assert support["node"]["country"] == "AT"
        assert support["event"]["type"] == "UPDATED"
        assert {"email", "country"} <= set(support["event"]["changedFields"])
        stranger = (await Events(stream).next())[2]["data"]["customerChanged"]
        assert stranger["node"]["country"] == "AT"
        assert "new@x.example" not in str(stranger)
        assert stranger["event"]["key"] == customer["id"]
        assert "country" in stranger["event"]["changedFields"]
        assert "email" not in stranger["event"]["changedFields"]
        await runtime.stop()
        assert await socket.closed() == (1001, "The process is shutting down.")
