# SPDX-License-Identifier: Apache-2.0
"""Ways to learn a value that one may not see by listening: each tells what was heard while the source changed."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import aiohttp

from tests.e2e.probing.worlds import World, headers, plain

SETTLE = 1.5  # seconds: longer than several passes of the capture
LAST = 9_000
"""The level that ends an attack: a public field, of a record of its own."""


@dataclass(frozen=True)
class Step:
    """A change of the source; `one` happens in the first world, `two` in the second."""

    one: str
    two: str

    def of(self, world: World) -> str:
        return self.one if world.data.parent.name.endswith("one") else self.two


Heard = Callable[[World], Awaitable[str]]


def both(statement: str) -> Step:
    return Step(statement, statement)


def listen(query: str, steps: Sequence[Step]) -> Heard:
    """Subscribe, change the source step by step, and return all that was heard until the last change."""

    async def attack(target: World) -> str:
        url = f"{target.runtime.url}/graphql"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=("graphql-transport-ws",), headers=headers("reader")) as socket,
        ):
            await socket.send_json({"type": "connection_init"})
            await socket.receive_json(timeout=20)
            for at, text in (("attack", query), ("end", "subscription { personChanged { node { level } } }")):
                await socket.send_json({"id": at, "type": "subscribe", "payload": {"query": text}})
            await asyncio.sleep(SETTLE)
            for step in steps:
                _run(target, step.of(target))
                await asyncio.sleep(SETTLE)
            _run(target, f"UPDATE people SET level = {LAST} WHERE id = 4")
            heard = await _until_the_end(socket)
        _restore(target)
        await asyncio.sleep(SETTLE)
        return heard

    return attack


async def _until_the_end(socket: aiohttp.ClientWebSocketResponse) -> str:
    heard: list[str] = []
    async with asyncio.timeout(30):
        while True:
            message = await socket.receive_json()
            if message["id"] == "attack":
                heard.append(shown(json.dumps(message, separators=(",", ":"))))
            elif message["payload"]["data"]["personChanged"]["node"] == {"level": LAST}:
                # what the attack hears of the last change may come behind it
                try:
                    while True:
                        message = await socket.receive_json(timeout=0.5)
                        heard.append(shown(json.dumps(message, separators=(",", ":"))))
                except TimeoutError:
                    return "\n".join(heard)


def shown(text: str) -> str:
    """A message without what differs from run to run: ids, times, traces; of a cursor its length alone."""
    text = re.sub(r'"cursor":"([^"]*)"', lambda found: f'"cursor":{len(found[1])}', text)
    return re.sub(r'"traceparent":"[^"]*"', '"traceparent":""', plain(text))


def keep(target: World) -> None:
    """Keep the rows as they are, for the end of each attack."""
    _run(target, "CREATE TABLE kept AS SELECT * FROM people")


def _run(target: World, statement: str) -> None:
    with closing(sqlite3.connect(target.data.parent / "people.sqlite", timeout=20)) as db, db:
        db.execute(statement)


def _restore(target: World) -> None:
    with closing(sqlite3.connect(target.data.parent / "people.sqlite", timeout=20)) as db, db:
        db.execute("DELETE FROM people")
        db.execute("INSERT INTO people SELECT * FROM kept")


WHAT = "event { id type key changedFields version cursor at }"
SECRET = Step("UPDATE people SET email = 'eve@x.example' WHERE id = 2", "UPDATE people SET team = team WHERE id = 2")
PUBLIC = both("UPDATE people SET level = level + 10 WHERE id = 2")
TOGETHER = Step(
    "UPDATE people SET level = 77, secret = 'violet', pay = 3050 WHERE id = 2",
    "UPDATE people SET level = 77 WHERE id = 2",
)
SUBSCRIBED: dict[str, Heard] = {
    "heard: that a hidden field changed": listen(f"subscription {{ personChanged {{ {WHAT} }} }}", [SECRET]),
    "heard: which fields changed": listen(f"subscription {{ personChanged {{ {WHAT} }} }}", [TOGETHER]),
    "heard: how often hidden fields changed": listen(
        "subscription { personChanged { event { version cursor } } }", [PUBLIC, SECRET, PUBLIC]
    ),
    "heard: the values": listen(
        "subscription { personChanged { node { id email secret iban born pay share note initial } } }", [PUBLIC]
    ),
    "heard: by a filter": listen(
        'subscription { personChanged(filter: {email: {eq: "bob@x.example"}}) { node { id } } }', [PUBLIC]
    ),
    "heard: by a filter over a relation": listen(
        'subscription { personChanged(filter: {boss: {email: {like: "c%"}}}) { node { id } } }', [PUBLIC]
    ),
    "heard: by a filter below": listen(
        'subscription { personChanged { node { id staff(filter: {email: {like: "a%"}}) { id } } } }', [PUBLIC]
    ),
    "heard: over a hidden key": listen("subscription { personChanged { node { id boss { id team } } } }", [PUBLIC]),
    "heard: in fragments and aliases": listen(
        "subscription { x: personChanged { n: node { ...F } e: event { c: changedFields } } } "
        "fragment F on Person { a: email b: pay }",
        [TOGETHER],
    ),
    "heard: by one id": listen(f"subscription {{ personChanged(id: 2) {{ {WHAT} }} }}", [SECRET]),
}
