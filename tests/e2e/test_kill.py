# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of the runtime, of its PostgreSQL or of both, with audited reads and registrations under way (S30, S31).

An answer is sent after its audit row is committed: whatever was answered must be in the log after the next start.
`DICTAMESH_KILL_ROUNDS` says how often (5).
"""

import asyncio
import contextlib
import os
import random
import re
import signal
from pathlib import Path

import aiohttp
import psycopg
import pytest

from dictamesh.runtime.catalog.ownership import running_owner
from examples.sources import serve
from tests.support.running import Runtime, example_sources, example_tree, start

ROUNDS = int(os.environ.get("DICTAMESH_KILL_ROUNDS", "5"))
VICTIMS = ("runtime", "postmaster", "both")
QUERY = "{ customers(limit: 2) { name } }"
READERS = 4


@pytest.mark.timeout(60 + 12 * ROUNDS)
async def test_no_acknowledged_read_or_registration_is_missing(tmp_path: Path) -> None:
    config, data_dir = example_tree(tmp_path), tmp_path / "data"
    seed = random.randrange(1 << 30)
    print(f"seed {seed}, {ROUNDS} rounds")
    dice = random.Random(seed)
    acknowledged: set[str] = set()
    registered: set[str] = set()
    async with example_sources(tmp_path) as sources:
        for number in range(ROUNDS):
            runtime = await start(config, data_dir, sources.environment)
            victims = VICTIMS[number % len(VICTIMS)]
            try:
                await round_of_work(runtime, data_dir, config, dice, victims, acknowledged, registered, number)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    runtime.process.kill()
                await runtime.process.wait()
                await asyncio.gather(*runtime.readers)
        last = await start(config, data_dir, sources.environment)
        traces, versions = stored(data_dir)
        assert await last.stop() == 0
    assert len(acknowledged) >= ROUNDS
    print(f"{len(acknowledged)} answers and {len(registered)} registrations acknowledged")
    assert acknowledged - traces == set()
    assert registered - versions == set()


async def round_of_work(
    runtime: Runtime,
    data_dir: Path,
    config: Path,
    dice: random.Random,
    victims: str,
    acknowledged: set[str],
    registered: set[str],
    number: int,
) -> None:
    """Read and reload until somebody dies."""
    postmaster = postmaster_of(data_dir)
    work = [asyncio.create_task(read(runtime, acknowledged)) for _ in range(READERS)]
    work.append(asyncio.create_task(reload(runtime, config, registered, number)))
    await asyncio.sleep(dice.uniform(0.05, 1.0))
    if victims != "runtime":
        os.kill(postmaster, signal.SIGKILL)
        await asyncio.sleep(dice.uniform(0, 0.8) if victims == "postmaster" else 0)
    runtime.process.kill()
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


async def read(runtime: Runtime, acknowledged: set[str]) -> None:
    """Ask for names in clear; each answer without errors counts by the trace that it was sent under."""
    headers = {"X-API-Key": serve.key("support.key")}
    async with aiohttp.ClientSession() as session:
        while True:
            trace = f"{random.getrandbits(128):032x}"
            sent = {**headers, "traceparent": f"00-{trace}-{random.getrandbits(64) | 1:016x}-01"}
            try:
                async with session.post(f"{runtime.url}/graphql", json={"query": QUERY}, headers=sent) as response:
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, ValueError, OSError):
                await asyncio.sleep(0.01)
                continue
            if answer.get("data") and "errors" not in answer:
                acknowledged.add(trace)
            else:
                await asyncio.sleep(0.01)


async def reload(runtime: Runtime, config: Path, registered: set[str], number: int) -> None:
    """Register new versions through SIGHUP; one counts once the runtime serves it."""
    product = config.parent / "products" / "invoices.yaml"
    minor = 0
    while True:
        minor += 1
        version = f"1.{number}.{minor}"
        text = re.sub(r"^version: .*$", f"version: {version}", product.read_text(), flags=re.MULTILINE)
        product.write_text(text)
        before = sum('"message":"reloaded"' in line for line in runtime.errors)
        runtime.process.send_signal(signal.SIGHUP)
        while sum('"message":"reloaded"' in line for line in runtime.errors) == before:
            await asyncio.sleep(0.01)
        registered.add(version)


def postmaster_of(data_dir: Path) -> int:
    dsn = running_owner(data_dir)
    assert dsn is not None
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    return int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])


def stored(data_dir: Path) -> tuple[set[str], set[str]]:
    """Traces in the audit log, and versions of the invoice schema in the catalog."""
    dsn = running_owner(data_dir)
    assert dsn is not None
    with psycopg.connect(dsn) as connection:
        traces = {str(row[0]) for row in connection.execute("SELECT trace_id FROM dictamesh_audit_logs")}
        query = "SELECT version FROM dictamesh_schemas WHERE entity_type = 'Invoice'"
        versions = {str(row[0]) for row in connection.execute(query)}
    return traces, versions
