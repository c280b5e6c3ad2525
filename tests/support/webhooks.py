# SPDX-License-Identifier: Apache-2.0
"""A webhook on a real server, and a sender that signs as it declares."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from dictamesh.runtime.capture.webhook.building import receivers
from dictamesh.runtime.capture.webhook.receiver import Receivers
from dictamesh.runtime.capture.webhook.signature import signed
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.seal import seal_of
from dictamesh.specs.expressions.tree import Column
from dictamesh.specs.manifest import SourceColumn
from dictamesh.specs.model.events import Changes
from dictamesh.specs.types import LONG, STRING, TIMESTAMP
from tests.support.plans import MONEY, entity, plan
from tests.support.plans import field as served
from tests.support.recorder import IDS, Listening

SECRET = b"the shop's secret"
SEAL = seal_of(b"a secret of the mesh")
SIGNATURE = {"secret": "${env:SHOP_SECRET}", "header": "X-Shop-Signature", "prefix": "sha256=", "timestamp": "X-Time"}


def order(webhook: dict[str, Any] | None = None, **changes: Any) -> EntityPlan:
    """An entity that takes webhooks with `id` in the body and the row under `data`."""
    declared = {"signature": SIGNATURE, "id": "delivery", "payload": "data", **(webhook or {})}
    return orders({"webhook": declared, **changes})


def orders(changes: dict[str, Any], **more: Any) -> EntityPlan:
    """Orders whose city stands within an object of the source."""
    made = entity(
        "Order",
        served("id"),
        served("total", MONEY),
        served("updated", TIMESTAMP),
        served("city", column="address.city", expr=Column(("address.city",), STRING)),
        served("revision", LONG),
        changes=Changes.model_validate(changes),
        catalog={"domain": "sales"},
        **more,
    )
    columns = tuple(SourceColumn(one.column or one.name, one.type) for one in made.fields)
    return replace(made, source=replace(made.source, columns=columns))


@dataclass
class Shop:
    """A sender, and what it talks to."""

    url: str
    plan: Plan
    recorder: Listening
    receivers: Receivers
    session: aiohttp.ClientSession
    outcomes: list[str] = field(default_factory=list)

    async def send(self, body: Any, *, at: float | None = None, **headers: str | None) -> tuple[int, dict[str, Any]]:
        """Sign and post; a header of None is left out. Returns status and body of the answer."""
        return (await self.send_raw(body if isinstance(body, bytes) else json.dumps(body).encode(), at=at, **headers))[
            :2
        ]

    async def send_raw(
        self, body: bytes, *, at: float | None = None, **headers: str | None
    ) -> tuple[int, dict[str, Any], Any]:
        sent = {**self.signed(body, at), **{name.replace("_", "-"): value for name, value in headers.items()}}
        given = {name: value for name, value in sent.items() if value is not None}
        async with self.session.post(self.url, data=body, headers=given) as answer:
            return answer.status, await answer.json(), answer.headers

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        declared = self.recorder.entity.changes.webhook.signature
        now = str(int(time.time() if at is None else at)) if declared.timestamp else None
        headers = {"Content-Type": "application/json"}
        headers[declared.header] = declared.prefix + signed(declared, SECRET, body, now)
        return headers | ({declared.timestamp: now} if declared.timestamp else {})


@asynccontextmanager
async def shop(pool: Pool, served_entity: EntityPlan | None = None, **settings: Any) -> AsyncIterator[Shop]:
    """A receiver on loopback that records into the catalog."""
    of = served_entity or order()
    made = plan(of)
    recorder = Listening(pool, made, of, SEAL)
    outcomes: list[str] = []
    taking = Receivers(counted=lambda _product, _entity, outcome: outcomes.append(outcome), **settings)
    taking.use(receivers(made, pool, SEAL, {of.address: SECRET}, IDS, lambda _: recorder))
    app = web.Application(client_max_size=0)
    app.add_routes(taking.routes())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/{of.product}/{of.name}"
    connector = aiohttp.TCPConnector(limit=0, force_close=False)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Shop(url, made, recorder, taking, session, outcomes)
    finally:
        await taking.close()
        await runner.cleanup()


def delivery(number: int, word: str = "updated", **row: Any) -> dict[str, Any]:
    """A delivery of the shop."""
    return {"delivery": f"d-{number}", "event": word, "data": {"id": f"o-{number}", "total": "1.50", **row}}
