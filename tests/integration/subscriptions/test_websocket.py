# SPDX-License-Identifier: Apache-2.0
"""Subscriptions over WebSocket: graphql-transport-ws to the letter, and what each subscriber hears."""

from tests.support.subscribing import WHAT, Heard, connected

QUERY = f"subscription {{ personChanged {WHAT} }}"


async def test_a_change_comes_as_the_record_is_now(people: Heard) -> None:
    async with connected(people.url) as socket:
        await socket.subscribe(QUERY)
        await people.ask("{ person(id: \"2\") { name } }")  # now it is cached
        await socket.subscribe(QUERY, "2")
        await socket.quiet(0.3)
        people.sql("UPDATE people SET name = 'Bea' WHERE id = '2'")
        written = await people.change("2")
        for _ in range(2):
            message = await socket.next()
            told = message["payload"]["data"]["personChanged"]
            assert message["type"] == "next"
            assert told["node"] == {"id": "2", "name": "Bea", "email": "bob@x.example", "boss": {"name": "Ann"}}
            assert told["event"]["id"] == str(written)
            assert (told["event"]["type"], told["event"]["key"]) == ("UPDATED", "2")
            assert told["event"]["changedFields"] == ["name"]
        answer = await people.ask("{ person(id: \"2\") { name } }")
        assert answer["data"]["person"]["name"] == "Bea"
