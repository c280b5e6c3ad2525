# SPDX-License-Identifier: Apache-2.0
"""Who hears of what: row filters, masks, uses of fields, deletions, reloads and ends of rights."""

import asyncio
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dictamesh.runtime.mesh.build import build_file
from tests.support.running import edit, until
from tests.support.subscribing import WHAT, Heard, Socket, connected, heard, slow

QUERY = f"subscription {{ personChanged {WHAT} }}"


async def told(socket: Socket) -> dict[str, Any]:
    return (await socket.next())["payload"]["data"]["personChanged"]


async def test_masks_and_changed_fields_are_the_callers(people: Heard) -> None:
    async with connected(people.url, "chief") as chief, connected(people.url, "reader") as reader:
        for socket in (chief, reader):
            await socket.subscribe(QUERY)
            await socket.quiet(0.3)
        await people.change("1", fields=("name", "email"))
        message = (await reader.next())["payload"]
        assert message["data"]["personChanged"]["node"]["email"] == "***REDACTED***"
        assert message["data"]["personChanged"]["event"]["changedFields"] == ["name"]
        assert message["data"]["personChanged"]["event"]["version"] is None
        assert [each["field"] for each in message["extensions"]["policy"]] == ["Person.email"]
        seen = await told(chief)
        assert seen["node"]["email"] == "ann@x.example"
        assert (seen["event"]["changedFields"], seen["event"]["version"]) == (["name", "email"], "1")
        await people.change("1", fields=("email",))  # nothing that a reader may know of
        assert (await told(chief))["event"]["changedFields"] == ["email"]
        await reader.quiet(0.7)


async def test_a_hidden_record_changes_for_nobody(people: Heard) -> None:
    async with connected(people.url, "german") as german, connected(people.url, "stranger") as stranger:
        for socket in (german, stranger):
            await socket.subscribe(QUERY)
            await socket.quiet(0.3)
        await people.change("2")  # in France
        await people.change("2", "DELETED")
        await people.change("3", "DELETED")  # of which this subscription has not told
        await people.change("1")
        assert (await told(german))["event"]["key"] == "1"
        people.sql("UPDATE people SET country = 'FR' WHERE id = '1'")
        await people.change("1", fields=("country",))
        people.sql("DELETE FROM people WHERE id = '1'")
        await people.change("1", "DELETED")  # hidden when it was deleted
        await german.quiet(1)
        people.sql("UPDATE people SET name = 'Cyd' WHERE id = '3'")
        await people.change("3")
        assert (await told(german))["event"]["key"] == "3"
        people.sql("DELETE FROM people WHERE id = '3'")
        await people.change("3", "DELETED")  # visible when it was last told of
        gone = await told(german)
        assert (gone["event"]["type"], gone["event"]["key"], gone["node"]) == ("DELETED", "3", None)
        await stranger.quiet(0.3)


async def test_id_and_filter_choose_what_is_heard(people: Heard) -> None:
    async with connected(people.url, "reader") as socket:
        await socket.subscribe(f'subscription {{ personChanged(id: "2") {WHAT} }}', "id")
        await socket.subscribe(f'subscription {{ personChanged(filter: {{country: {{eq: "FR"}}}}) {WHAT} }}', "filter")
        await socket.subscribe(
            'subscription { personChanged(filter: {boss: {name: {eq: "Ann"}}}) { event { key } } }', "boss"
        )
        await socket.quiet(0.3)
        await people.change("3")
        assert (await socket.next())["id"] == "boss"
        await people.change("2")
        assert {(await socket.next())["id"] for _ in range(3)} == {"id", "filter", "boss"}
        await people.change("1")
        await socket.quiet(0.7)


@pytest.mark.parametrize(
    "query",
    [
        'subscription { personChanged(filter: {email: {like: "a%"}}) { event { id } } }',
        'subscription { personChanged(filter: {boss: {email: {eq: "ann@x.example"}}}) { event { id } } }',
        'subscription { personChanged { node { staff(filter: {email: {like: "a%"}}) { id } } } }',
        "subscription { personChanged { node { staff(orderBy: [{email: ASC}]) { id } } } }",
    ],
)
async def test_a_field_that_is_not_clear_is_not_used(people: Heard, query: str) -> None:
    async with connected(people.url, "reader") as socket:
        await socket.subscribe(query)
        message = await socket.next()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
    rows = await people.mesh.store.pool.rows(b"SELECT denied_fields FROM dictamesh_audit_logs WHERE NOT success")
    assert [row["denied_fields"] for row in rows] == [["email"]]


async def test_a_pseudonym_stands_for_a_key_that_is_personal(people: Heard) -> None:
    badges = (await people.ask("{ badges { code colour } }"))["data"]["badges"]
    (red,) = [each["code"] for each in badges if each["colour"] == "red"]
    async with connected(people.url, "reader") as socket:
        await socket.subscribe(
            f'subscription {{ badgeChanged(code: "{red}") {{ event {{ key }} node {{ code colour }} }} }}'
        )
        await socket.quiet(0.3)
        people.sql("UPDATE badges SET colour = 'green' WHERE code = 'A-1'")
        await people.change(red, fields=("colour",), entity="people#Badge")
        seen = (await socket.next())["payload"]["data"]["badgeChanged"]
        assert seen == {"event": {"key": red}, "node": {"code": red, "colour": "green"}}
        await people.change(red, "DELETED", entity="people#Badge")
        assert (await socket.next())["payload"]["data"]["badgeChanged"]["event"] == {"key": red}


async def test_reads_of_personal_data_are_audited(people: Heard) -> None:
    async with connected(people.url, "chief") as socket:
        await socket.subscribe("subscription { personChanged { node { name email } } }")
        await socket.quiet(0.3)
        await people.change("1")
        await socket.next()
    rows = await people.mesh.store.pool.rows(
        b"SELECT principal, fields, subject_count FROM dictamesh_audit_logs WHERE success"
    )
    assert [tuple(row.values()) for row in rows] == [("chief", ["email"], 1)]


async def test_a_reload_masks_from_then_on(people: Heard) -> None:
    async with connected(people.url, "chief") as socket:
        await socket.subscribe(QUERY)
        await socket.subscribe('subscription { personChanged(filter: {email: {like: "a%"}}) { event { id } } }', "2")
        await socket.quiet(0.3)
        edit(people.folder / "specs.yaml", "{name: chiefs, roles: [chief], effect: allow}, ", "")
        assert await people.mesh.reload("watch") == "applied"
        await people.change("1")
        messages = {each["id"]: each for each in [await socket.next(), await socket.next()]}
        assert messages["1"]["payload"]["data"]["personChanged"]["node"]["email"] == "***REDACTED***"
        assert messages["2"]["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_what_waits_for_a_slow_client_is_masked_as_a_reload_says(people: Heard) -> None:
    """Up to 100 messages are made at a time; those that the client has not taken are made anew."""
    people.sql("UPDATE people SET name = ? WHERE id = '1'", "x" * 400_000)
    async with slow(people, "chief", QUERY) as (reader, _):
        await people.write(*(people.event("1") for _ in range(60)))
        await asyncio.sleep(1.5)  # its socket is full, and more is made
        edit(people.folder / "specs.yaml", "{name: chiefs, roles: [chief], effect: allow}, ", "")
        assert await people.mesh.reload("watch") == "applied"
        seen = b""
        clear = masked = 0
        while clear + masked < 60:
            async with asyncio.timeout(30):
                seen += await reader.read(1_000_000)
            clear, masked = seen.count(b"ann@x.example"), seen.count(b"***REDACTED***")
        assert clear < 40  # what was on its way already
        assert seen.rindex(b"ann@x.example") < seen.index(b"***REDACTED***")


async def test_an_entity_that_is_no_longer_there_ends_its_subscriptions(people: Heard) -> None:
    async with connected(people.url, "chief") as socket:
        await socket.subscribe("subscription { badgeChanged { event { id } } }")
        await socket.quiet(0.3)
        edit(
            people.folder / "specs.yaml",
            "Badge: {surrogate: {hmac: pepper}, changes: {poll: {cursor: colour}}}",
            "Badge: {surrogate: {hmac: pepper}}",
        )
        built = build_file(people.folder / "mesh.yaml")
        assert built.plan is not None
        assert await people.mesh.reload("signal") == "applied"
        await people.change("x", entity="people#Badge")
        assert (await socket.next())["type"] == "error"


async def test_rights_that_end_close_the_connection(tmp_path, dsn: str, monkeypatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch, subscriptions="recheck: 500ms") as people:
        async with connected(people.url, "reader") as socket:
            await socket.subscribe(QUERY)
            await socket.quiet(0.3)
            monkeypatch.setenv("HEARD_READER", "another-0123456789abcdef")
            assert await people.mesh.reload("signal") == "applied"
            code, reason = await socket.closed()
            assert (code, reason) == (4403, "Forbidden: the API key is not known")
        await until(
            lambda: 'ended_total{outcome="expired"} 1.0' in people.mesh.metrics.exposition().decode(), "counted"
        )


async def test_a_source_that_is_away_loses_nothing(people: Heard) -> None:
    async with connected(people.url, "german") as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        with closing(sqlite3.connect(people.folder / "people.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            written = await people.change("1")
            await people.change("2")
            await socket.quiet(6)
        async with asyncio.timeout(60):
            assert (await told(socket))["event"]["id"] == str(written)
        await socket.quiet(0.5)


async def test_no_event_bears_more_than_the_caller_may_know(people: Heard) -> None:
    async with connected(people.url, "reader") as socket:
        await socket.subscribe(QUERY)
        await socket.quiet(0.3)
        for record in ("1", "2", "3"):
            await people.change(record, fields=("email", "name"))
            text = json.dumps(await socket.next())
            assert "x.example" not in text
            assert '"email"]' not in text
