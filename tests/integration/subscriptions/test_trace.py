# SPDX-License-Identifier: Apache-2.0
"""One trace from a webhook over the log and the catalog to a subscriber (OB-2)."""

import hashlib
import hmac
import json

import aiohttp

from dictamesh.runtime.events.reading import following
from dictamesh.runtime.events.system import RELATIONSHIP_CREATED
from dictamesh.runtime.observe import trace
from tests.support.running import until
from tests.support.subscribing import connected, heard

KEY = b"the sender's key"
WEBHOOK = 'Person: {changes: {webhook: {signature: {secret: "${env:HEARD_HOOK}"}, id: "header:X-Id", payload: row}}}'
EDITS = {"Person: {changes: {poll: {cursor: name}}}": WEBHOOK, "capture: false": "capture: true"}
ROW = {"id": "2", "name": "Bea", "country": "FR", "email": "bea@x.example", "boss_id": "1"}


async def test_one_trace_from_the_webhook_to_the_message(tmp_path, dsn: str, monkeypatch) -> None:
    monkeypatch.setenv("HEARD_HOOK", KEY.decode())
    async with heard(tmp_path, dsn, monkeypatch, edits=EDITS) as people, connected(people.url) as socket:
        await socket.subscribe("subscription { personChanged { event { type key } node { name } } }")
        await socket.quiet(0.5)
        people.sql("UPDATE people SET name = 'Bea' WHERE id = '2'")
        caller = trace.begin()
        body = json.dumps({"event": "updated", "row": ROW}).encode()
        sent = {
            "Content-Type": "application/json",
            "X-Signature": hmac.digest(KEY, body, hashlib.sha256).hex(),
            "X-Id": "1",
            "traceparent": caller.traceparent(),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{people.mesh.url}/webhooks/people/Person", data=body, headers=sent) as response,
        ):
            assert response.status == 202, await response.text()
        message = (await socket.next())["payload"]
        assert message["data"]["personChanged"] == {
            "event": {"type": "CREATED", "key": "2"},
            "node": {"name": "Bea"},
        }
        heard_at = trace.parse(message["extensions"]["traceparent"])
        pool = people.mesh.store.pool
        topic = people.mesh.world.plan.entities["people#Person"].topic.name
        (logged,) = await following(pool, [topic], {}).more()
        produced = logged.envelope["trace_context"]

        async def related() -> bool:
            return bool(await following(pool, [RELATIONSHIP_CREATED], {}).more())

        await until(related, "the catalog has told of the relation")
        told = (await following(pool, [RELATIONSHIP_CREATED], {}).more())[0]
        consumed = told.envelope["trace_context"]
        assert heard_at is not None
        assert {caller.trace_id, heard_at.trace_id, produced["trace_id"], consumed["trace_id"]} == {caller.trace_id}
        assert consumed["parent_span_id"] == produced["span_id"]
        assert len({caller.span_id, heard_at.span_id, produced["span_id"], consumed["span_id"]}) == 4
