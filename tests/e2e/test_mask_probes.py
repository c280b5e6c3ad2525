# SPDX-License-Identifier: Apache-2.0
"""Attacks on masked fields: each works without protection, and with it tells nothing (S19, S20).

An attack is refused before any source is asked, or the answer is the same to the byte in two worlds that differ only in
the masked values.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.e2e.probing.attacks import OPERATIONS
from tests.e2e.probing.worlds import BADGES, CLOSED, ONE, OPEN, TWO, World, answers, world
from tests.support.running import edit, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENOUGH = 60


@dataclass(frozen=True)
class Worlds:
    """The two worlds with policies, and without."""

    closed: tuple[World, World]
    open: tuple[World, World]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worlds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worlds]:
    folder = tmp_path_factory.mktemp("worlds")
    folder.chmod(0o755)
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(world(folder / f"{policies}-{name}", rows, BADGES[name], text))
            for policies, text in (("closed", CLOSED), ("open", OPEN))
            for name, rows in (("one", ONE), ("two", TWO))
        ]
        for each in made:
            await settled(each)
        yield Worlds((made[0], made[1]), (made[2], made[3]))


async def settled(target: World) -> None:
    """Wait until the mesh has checked its quality rules, then keep it from asking its sources by itself."""

    async def told() -> bool:
        return '"reachable"' in await target.got("/api/v1/catalog/products/people", "chief")

    await until(told, "quality rules are checked")
    edit(target.config, "quality: {every: 1s}", "quality: {enabled: false}")

    async def calm() -> bool:
        return (await target.runtime.reloads()).get("applied") == 1

    await until(calm, "no more rules are checked")


Attack = Callable[[World], Awaitable[str]]


def operation(query: str) -> Attack:
    async def attack(target: World) -> str:
        return await target.said(query)

    return attack


async def by_variables(target: World) -> str:
    query = "query Q($f: PersonFilter, $o: [PersonOrder!]) { people(filter: $f, orderBy: $o) { id } }"
    return await target.said(query, variables={"f": {"email": {"like": "a%"}}, "o": [{"pay": "DESC"}]})


async def by_one_of_several_operations(target: World) -> str:
    query = 'query A { people { id } } query B { people(filter: {email: {like: "a%"}}) { id } }'
    return await target.said(query, operationName="B")


async def after_somebody_else(target: World) -> str:
    """A cached row is a whole row: what a chief has read must not come out for a reader."""
    await target.said("{ guest(id: 2) { email secret pay } guests { email } }", "chief")
    return await target.said("{ guest(id: 2) { email secret pay note } }")


async def by_an_explanation(target: World) -> str:
    return await target.said("{ people { id email pay share } }", extensions={"explain": True})


async def by_a_stranger(target: World) -> str:
    return await target.said("{ people { id email secret iban born pay } }", None)


async def by_a_key_that_is_a_value(target: World) -> str:
    """A key that is personal data is looked up by its pseudonym alone."""
    return await target.said('{ badge(code: "A-1") { colour } }')


async def by_get(target: World) -> str:
    return await target.got("/graphql?query=%7B%20people%7Bid%20email%20secret%7D%20%7D")


async def by_a_quality_rule(target: World) -> str:
    page = answers((await target.got("/api/v1/catalog/products/people")).partition(" ")[2])
    return json.dumps(page["quality"])


async def by_a_quality_rule_in_graphql(target: World) -> str:
    return await target.said('{ catalog { product(name: "people") { quality { address rule passed rate } } } }')


async def followed(target: World) -> None:
    """Let the chief follow a relation over a hidden key, and wait until the catalog has the edges that it saw."""
    await target.said("{ people { id boss { id } } }", "chief")

    async def known() -> bool:
        return '"objectId"' in await target.said(GRAPH, "chief")

    await until(known, "the relations that were followed are in the catalog")


GRAPH = '{ catalog { graph(type: "Person", id: "1") { nodes { entityType id } edges { objectId relation } } } }'


async def by_the_graph(target: World) -> str:
    await followed(target)
    return await target.said(GRAPH)


async def by_the_relations_of_a_record(target: World) -> str:
    await followed(target)
    text = await target.got("/api/v1/catalog/relationships?entity_type=Person&entity_id=1")
    return json.dumps([(each["object_entity_id"]) for each in answers(text.partition(" ")[2]).get("items", ())])


async def by_the_audit(target: World) -> str:
    """Which records somebody has read: tokens of keys, the same for the same key."""
    await target.said("{ badges { code } }", "chief")
    status, _, text = (await target.got("/api/v1/audit?entity_type=Badge&limit=1")).partition(" ")
    if status != "200":
        return text
    return json.dumps([sorted(each["subject_tokens"]) for each in answers(text)["items"]])


OTHERS: dict[str, Attack] = {
    "the rate of a quality rule": by_a_quality_rule,
    "the rate of a quality rule in GraphQL": by_a_quality_rule_in_graphql,
    "the graph of the catalog": by_the_graph,
    "relations of a record in the catalog": by_the_relations_of_a_record,
    "the audit of others": by_the_audit,
    "filter and order in variables": by_variables,
    "the second of two operations": by_one_of_several_operations,
    "a row that somebody else has read": after_somebody_else,
    "an explained answer": by_an_explanation,
    "a stranger": by_a_stranger,
    "a GET request": by_get,
}
ATTACKS: dict[str, Attack] = {**{name: operation(query) for name, query in OPERATIONS.items()}, **OTHERS}


def refused(text: str) -> bool:
    body = text.partition(" ")[2] if text[:3].isdigit() else text
    told = answers(body)
    return (
        isinstance(told, dict)
        and "errors" in told
        and "data" not in told
        and [each["extensions"]["code"] for each in told["errors"]] == ["FORBIDDEN"]
    )


async def test_there_are_enough() -> None:
    assert len(ATTACKS) >= ENOUGH


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_tells_nothing(worlds: Worlds, name: str) -> None:
    attack = ATTACKS[name]
    one, two = [await attack(each) for each in worlds.open]
    assert one != two, "without protection the attack does not work"
    assert '"VALIDATION_ERROR"' not in one
    calls = [await each.asked() for each in worlds.closed]
    said = [await attack(each) for each in worlds.closed]
    assert said[0] == said[1]
    if refused(said[0]):
        assert [await each.asked() for each in worlds.closed] == calls, "a source was asked"
    assert said[0] != one


async def test_a_hidden_key_is_found_by_its_pseudonym_alone(worlds: Worlds) -> None:
    for each in worlds.closed:
        assert answers(await by_a_key_that_is_a_value(each))["data"] == {"badge": None}


async def test_tokens_are_turned_back_for_whoever_sees_the_field(worlds: Worlds) -> None:
    for each, rows in zip(worlds.closed, (ONE, TWO), strict=True):
        told = answers(await each.said("{ people { ref } }"))["data"]["people"]
        asked = {"field": "people#Person.ref", "tokens": [row["ref"] for row in told]}
        assert await each.posted("/api/v1/tokens/reveal", asked, "chief") == (
            200,
            {"field": "people#Person.ref", "values": [row[11] for row in rows]},
        )
        for body in (asked, {**asked, "field": "people#Person.nothing"}):
            status, refusal = await each.posted("/api/v1/tokens/reveal", body, "reader")
            assert (status, refusal["error"]["code"]) == (403, "FORBIDDEN")
        status, refusal = await each.posted("/api/v1/tokens/reveal", {"field": "x", "tokens": []}, "chief")
        assert (status, refusal["error"]["code"]) == (400, "INVALID_REQUEST")
        _, _, rows_of_audit = (await each.got("/api/v1/audit?entity_type=Person&limit=500", "chief")).partition(" ")
        assert {(True, ("ref",)), (False, ())} <= {
            (row["success"], tuple(row["fields"])) for row in answers(rows_of_audit)["items"]
        }


async def test_a_search_finds_no_value_and_no_hidden_thing(worlds: Worlds) -> None:
    for each, rows in zip(worlds.closed, (ONE, TWO), strict=True):
        for value in (rows[0][3], rows[0][11], "ann", "indigo", "3100"):
            for key in ("reader", "chief"):
                found = answers((await each.got(f"/api/v1/catalog/search?q={value}", key)).partition(" ")[2])
                assert found["total"] == 0


async def test_whoever_may_see_sees(worlds: Worlds) -> None:
    """The masks above are of the policies, not of a mesh that shows nothing."""
    for each, rows in zip(worlds.closed, (ONE, TWO), strict=True):
        told = answers(await each.said("{ people { id email pay } }", "chief"))
        assert [(row["id"], row["email"], row["pay"]) for row in told["data"]["people"]] == [
            (row[0], row[3], row[8]) for row in rows
        ]


async def test_no_masked_value_stands_in_logs_and_metrics(worlds: Worlds) -> None:
    for each, rows in zip(worlds.closed, (ONE, TWO), strict=True):
        sinks = "".join(each.runtime.output + each.runtime.errors) + await each.runtime.metrics()
        values = [str(cell) for row in rows for cell in row[3:8] if isinstance(cell, str)]
        assert [value for value in values if value in sinks] == []
        assert json.loads((await each.got("/health/ready")).partition(" ")[2])
