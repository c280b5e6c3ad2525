# SPDX-License-Identifier: Apache-2.0
"""Some runtimes on one catalog: changes of the CMS are captured by one of them, and by another once that is killed."""

import asyncio
import itertools
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.running import (
    PROGRAM,
    Runtime,
    Sources,
    clean_environment,
    edit,
    example_tree,
    running,
    start,
    until,
)

__all__ = ["embedded_dsn"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEYS = (
    'audit: {readers: [steward], key: shared, signingKey: shared}\nerasure: {key: shared}\ncatalog: {dsn: "${env:DSN}"}'
)
PEPPER = 'keys: {mesh-pepper: "${file:keys/pepper.key}"'


def versions(dsn: str, record: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT event_type, event_payload->'entity'->>'version', event_payload->'metadata'->>'capture'"
            " FROM dictamesh_event_log WHERE entity_type = 'Customer' AND entity_id = %s ORDER BY id",
            (record,),
        )
        return [(str(row[0]), str(row[1]), str(row[2])) for row in found.fetchall()]


def touched(row: dict[str, Any], **more: Any) -> None:
    row |= {**more, "date_updated": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


async def owned(runtime: Runtime) -> bool:
    return bool(re.search(r"dictamesh_capture_owned\{[^}]*Customer[^}]*\} 1\.0", await runtime.metrics()))


async def test_a_killed_runtime_is_replaced_and_nothing_is_missed(
    sources: Sources, embedded_dsn: str, tmp_path: Path
) -> None:
    config = example_tree(tmp_path)
    edit(config, "audit: {readers: [steward]}", KEYS)
    edit(config, PEPPER, f'{PEPPER}, shared: "${{env:SHARED}}"')
    customers = sources.records.customers
    with fresh_database(embedded_dsn) as dsn:
        environment = {**sources.environment, "DSN": dsn, "SHARED": "s" * 40}
        one = await start(config, tmp_path / "one", environment)
        await until(lambda: bool(versions(dsn, customers[-1]["id"])), "the first pass ends")
        async with running(config, tmp_path / "two", environment) as two:
            try:
                assert await owned(one)
                assert not await owned(two)
                touched(customers[7], country="IT")
                await until(lambda: len(versions(dsn, customers[7]["id"])) == 2, "a change arrives")
                os.kill(one.process.pid, signal.SIGKILL)
                touched(customers[7], country="PT")
                await until(lambda: len(versions(dsn, customers[7]["id"])) == 3, "the other one goes on")
                assert await owned(two)
            finally:
                if one.process.returncode is None:
                    one.process.kill()
                await asyncio.gather(one.process.wait(), *one.readers)
            assert versions(dsn, customers[7]["id"]) == [
                ("CREATED", "1", "poll/1"),
                ("UPDATED", "2", "poll/1"),
                ("UPDATED", "3", "poll/2"),
            ]
            shown = await state(config, environment, "show")
            assert "customers#Customer  poll of customers.date_updated on cms: running" in shown
            (stand,) = json.loads(await state(config, environment, "reset", "--entity", "Customer", "--format", "json"))
            assert (stand["position"], stand["records"]["live"]) == (None, len(customers))
            touched(customers[7], country="DE")
            await until(lambda: len(versions(dsn, customers[7]["id"])) == 4, "capture begins anew")
            await until(lambda: bool(versions(dsn, customers[7]["id"])[-1][2] == "poll/4"), "by an owner of its own")
            assert len(versions(dsn, customers[8]["id"])) == 1


@pytest.mark.parametrize("replicas", [2, 3])
async def test_one_of_some_replicas_owns_and_is_replaced_once_it_is_killed(
    replicas: int, sources: Sources, embedded_dsn: str, tmp_path: Path
) -> None:
    config = example_tree(tmp_path)
    edit(config, "audit: {readers: [steward]}", KEYS)
    edit(config, PEPPER, f'{PEPPER}, shared: "${{env:SHARED}}"')
    changed, last = sources.records.customers[11], sources.records.customers[-1]["id"]
    with fresh_database(embedded_dsn) as dsn:
        environment = {**sources.environment, "DSN": dsn, "SHARED": "s" * 40}
        running = [await start(config, tmp_path / str(number), environment) for number in range(replicas)]
        changing = asyncio.create_task(changes(changed))
        try:
            await until(lambda: bool(versions(dsn, last)), "the first pass ends", seconds=60)
            for kills in range(1, replicas):
                owners = [each for each in running if await owned(each)]
                assert len(owners) == 1
                running.remove(owners[0])
                os.kill(owners[0].process.pid, signal.SIGKILL)
                killed = time.monotonic()
                await until(lambda after=kills: epochs(dsn)[-1] > after, "a change is captured by another", seconds=10)
                took = time.monotonic() - killed
                print(f"\nreplaced owner {kills} of {replicas} replicas: a change in the log after {took:.1f} s")
                await asyncio.gather(owners[0].process.wait(), *owners[0].readers)
            assert epochs(dsn) == list(range(1, replicas + 1))  # in the order of the log: who was ousted wrote no more
        finally:
            changing.cancel()
            for each in running:
                await each.stop(signal.SIGKILL)


async def changes(row: dict[str, Any]) -> None:
    """Change a row on and on; a value that came again in step with the polls would be no change to them."""
    for number in range(10**6):
        touched(row, country=f"C{number}")
        await asyncio.sleep(0.1)


def epochs(dsn: str) -> list[int]:
    """The owners of the customers' capture in the order of the log, each as often as it began to write."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT split_part(event_payload->'metadata'->>'capture', '/', 2)::bigint FROM dictamesh_event_log"
            " WHERE entity_type = 'Customer' ORDER BY id"
        ).fetchall()
    return [epoch for epoch, _ in itertools.groupby(row[0] for row in found)]


async def state(config: Path, environment: dict[str, str], *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "--config", str(config), "state", *words),
        env=clean_environment(environment),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
