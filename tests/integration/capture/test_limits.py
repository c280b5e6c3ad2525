# SPDX-License-Identifier: Apache-2.0
"""Records that break a limit of their contract become letters, and no event tells of them; the others go on (AD-18)."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.capture.contract import Batch, Recorded
from dictamesh.runtime.capture.letters import KeptLetters
from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.capture.snapshot import snapshot
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.events.dead_letters import TOPIC
from dictamesh.runtime.events.kept_letters import Letter, Which, letters
from dictamesh.runtime.events.payload import NoPayload
from tests.integration.capture.conftest import PRODUCT, Mesh, counts, plan_of, row, until
from tests.integration.capture.test_retry import trying
from tests.support.webhooks import SEAL

CHANGES = "{snapshot: {every: 0.05s, page: 10, pause: 0s}}"


def limited(**limits: str) -> Plan:
    product = PRODUCT.replace("CHANGES", CHANGES)
    for name, options in limits.items():
        product = product.replace(f"{{name: {name}, ", f"{{name: {name}, logicalTypeOptions: {options}, ")
    return plan_of(CHANGES, **{"a.product.yaml": product})


@asynccontextmanager
async def capturing(mesh: Mesh) -> AsyncIterator[None]:
    async with mesh.making(mesh.recorder(dead=KeptLetters(SEAL, TOPIC))) as making:
        task = asyncio.create_task(snapshot(making).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def pending(mesh: Mesh, count: int) -> list[Letter]:
    async def enough() -> list[Letter] | None:
        found = await letters(mesh.pool, Which("acme", status="pending"))
        return found if len(found) >= count else None

    found: list[Letter] = await until(enough)
    return found


async def told(mesh: Mesh, count: int) -> list[tuple[str, str, str]]:
    async def enough() -> bool:
        return len(await mesh.told()) >= count

    await until(enough)
    return await mesh.told()


async def test_a_record_that_breaks_a_limit_becomes_a_letter_and_the_others_go_on(mesh: Mesh) -> None:
    mesh.plan = limited(age="{minimum: 0, maximum: 130}", name="{pattern: '^[a-z]+$'}", label="{maxLength: 4}")
    mesh.sql(
        "INSERT INTO customers VALUES ('a', 'ana', 17, NULL, NULL), ('b', 'bob', 131, NULL, NULL)",
        "INSERT INTO customers VALUES ('c', 'Cyd', 17, NULL, NULL), ('d', 'dorothy', NULL, NULL, NULL)",
        "INSERT INTO customers VALUES ('e', NULL, NULL, NULL, NULL)",
    )
    async with capturing(mesh):
        found = await pending(mesh, 3)
        assert await told(mesh, 2) == [("a", "1", "CREATED"), ("e", "1", "CREATED")]
        await asyncio.sleep(0.3)  # some more passes: each tells of the same record once
        assert await pending(mesh, 3) == found
    limit = "a value breaks a limit of its contract: "
    assert {each.key: (each.stage, each.rule, each.error) for each in found} == {
        "b": ("map", "CONTRACT_VIOLATION customers#Customer.age", limit + "maximum"),
        "c": ("map", "CONTRACT_VIOLATION customers#Customer.name", limit + "pattern"),
        "d": ("map", "CONTRACT_VIOLATION customers#Customer.label", limit + "maxLength"),
    }


async def test_what_was_published_stands_until_the_record_keeps_its_limits_again(mesh: Mesh) -> None:
    mesh.plan = limited(age="{minimum: 0}")
    mesh.sql("INSERT INTO customers VALUES ('a', 'ana', 1, NULL, NULL)")
    async with capturing(mesh):
        await told(mesh, 1)
        mesh.sql("UPDATE customers SET age = -1")
        await pending(mesh, 1)
        assert await mesh.told() == [("a", "1", "CREATED")]
        mesh.sql("UPDATE customers SET age = 2")
        assert await told(mesh, 2) == [("a", "1", "CREATED"), ("a", "2", "UPDATED")]
    assert [each.envelope["changed_fields"] for each in await mesh.events()][1:] == [["age"]]


async def test_a_letter_is_published_once_the_contract_allows_its_value(mesh: Mesh, catalog: Pool) -> None:
    mesh.plan = limited(age="{maximum: 130}")
    mesh.sql("INSERT INTO customers VALUES ('a', 'methuselah', 969, NULL, NULL)")
    async with capturing(mesh):
        (letter,) = await pending(mesh, 1)
    recorder = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
    async with mesh.making(recorder) as making:

        async def line(_server: str) -> Line | None:
            return making.line

        again = await trying(catalog, mesh.plan, recorder, line).retry(letter)
        assert (again.became, again.rule) == ("failed", "CONTRACT_VIOLATION customers#Customer.age")
        mesh.plan = limited(age="{maximum: 1000}")
        wider = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
        (letter,) = await pending(mesh, 1)
        assert (await trying(catalog, mesh.plan, wider, line).retry(letter)).became == "retried"
    assert await mesh.told() == [("a", "1", "CREATED")]


async def test_a_full_pass_counts_a_record_that_breaks_a_limit_as_there(mesh: Mesh) -> None:
    mesh.plan = limited(age="{minimum: 0}")
    mesh.sql("INSERT INTO customers VALUES ('a', 'ana', 1, NULL, NULL), ('b', 'bob', -1, NULL, NULL)")

    async def again() -> Recorded:
        """A whole pass of a recorder that remembers nothing of those before it."""
        recorder = mesh.recorder(dead=KeptLetters(SEAL, TOPIC))
        pass_id = uuid.uuid4().hex
        rows = mesh.rows("SELECT id, name, age FROM customers")
        await recorder.record(Batch(mesh.state, pass_id=pass_id))
        seen = [row(id_, name, age=age) for id_, name, age in rows]
        done = await recorder.record(Batch(mesh.state, seen, pass_id=pass_id))
        ended = await recorder.record(Batch(mesh.state, complete=pass_id, position={"pass": pass_id}))
        return replace(done, deleted=done.deleted + ended.deleted)

    assert counts(await again()) == (1, 0, 0, 0, 1)
    mesh.sql("UPDATE customers SET age = -1 WHERE id = 'a'")
    assert counts(await again()) == (0, 0, 0, 1, 1)
    assert counts(await again()) == (0, 0, 0, 2, 0)
    mesh.sql("DELETE FROM customers")
    assert counts(await again()) == (0, 0, 1, 0, 0)
    assert await mesh.told() == [("a", "1", "CREATED"), ("a", "2", "DELETED")]


@pytest.mark.parametrize(
    "changes",
    [
        "{snapshot: {every: 0.1s, page: 2, pause: 0s}}",
        "{poll: {every: 0.05s, cursor: updated_at, deletes: 0.1s, page: 2, pause: 0s}}",
    ],
)
async def test_a_record_that_was_published_and_breaks_a_limit_is_told_as_deleted_once_it_is(
    mesh: Mesh, changes: str
) -> None:
    product = PRODUCT.replace("CHANGES", changes)
    product = product.replace("{name: age, ", "{name: age, logicalTypeOptions: {minimum: 0}, ")
    mesh.plan = plan_of(changes, **{"a.product.yaml": product})
    mesh.sql(
        "INSERT INTO customers VALUES ('a', 'ana', 1, NULL, '2024-01-01'), ('b', 'bob', 1, NULL, '2024-01-01')",
        "INSERT INTO customers VALUES ('c', 'cyd', -1, NULL, '2024-01-01')",
    )
    async with mesh.making(mesh.recorder(dead=KeptLetters(SEAL, TOPIC))) as making:
        task = asyncio.create_task((poll if "poll" in changes else snapshot)(making).run())
        try:
            await told(mesh, 2)
            mesh.sql("UPDATE customers SET age = -1, updated_at = '2024-01-02' WHERE id <> 'b'")
            await pending(mesh, 2)
            await asyncio.sleep(0.5)  # some full passes
            assert await mesh.told() == [("a", "1", "CREATED"), ("b", "1", "CREATED")]
            mesh.sql("DELETE FROM customers WHERE id <> 'b'")
            assert await told(mesh, 3) == [("a", "1", "CREATED"), ("a", "2", "DELETED"), ("b", "1", "CREATED")]
            await asyncio.sleep(0.3)
            assert len(await mesh.told()) == 3
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Whole(NoPayload):
    def of(self, entity: Any, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return row


async def test_a_text_that_is_left_out_leaves_no_record_that_breaks_a_limit(mesh: Mesh) -> None:
    """PostgreSQL holds no NUL; without the text the object lacks what its contract requires."""
    box = "logicalType: object, logicalTypeOptions: {required: [unit]}, properties: [{name: unit, logicalType: string}]"
    product = PRODUCT.replace("CHANGES", CHANGES).replace("{name: age, logicalType: integer", f"{{name: age, {box}")
    mesh.plan = plan_of(CHANGES, **{"a.product.yaml": product})
    recorder = mesh.recorder(_Whole(), KeptLetters(SEAL, TOPIC))
    seen = [row("a", age='{"unit": "mm"}'), row("b", age='{"unit": "m\\u0000"}')]
    assert counts(await recorder.record(Batch(mesh.state, seen))) == (1, 0, 0, 0, 1)
    assert [(each.key, each.stage) for each in await pending(mesh, 1)] == [("b", "map")]
