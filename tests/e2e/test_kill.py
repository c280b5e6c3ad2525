# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of the runtime, of its PostgreSQL or of both at random moments: nothing acknowledged is missing (S30, S31).

The mesh answers audited queries and reloads, so that it registers; an answer received, a reload told of and a finished
`query` command are acknowledgements. After each kill the cluster is opened by itself and asked for them, before a new
start of the runtime writes anything. `DICTAMESH_KILL_ROUNDS` says how often (5); the seed of each round is printed.
"""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psycopg
import pytest

from dictamesh.runtime.catalog.cluster import start as start_cluster
from examples.sources import serve
from tests.support.running import Runtime, Sources, command, edit, example_tree, place, spawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = int(os.environ.get("DICTAMESH_KILL_ROUNDS", "5"))
VICTIMS = ("both", "postmaster", "starting", "runtime", "postmaster, later runtime")
CALLERS = 12
QUERY = "{ customers(limit: 3) { name email } }"


@dataclass
class Acknowledged:
    """What somebody was told: trace ids of answers, ids of rows in the audit file, the last version registered."""

    traces: set[str] = field(default_factory=set)
    filed: set[str] = field(default_factory=set)
    version: int = 0
    refused: int = 0


@dataclass
class Place:
    """Where one mesh lives through all rounds."""

    config: Path
    data_dir: Path
    environment: dict[str, str]
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def postmaster(self) -> int | None:
        pointer = self.data_dir / "postgres.path"
        home = Path(pointer.read_text("utf-8").strip()) if pointer.exists() else self.data_dir
        try:
            return int((home / "postgres" / "postmaster.pid").read_text("utf-8").split()[0])
        except (OSError, IndexError):
            return None


async def test_nothing_acknowledged_is_missing(sources: Sources) -> None:
    with tempfile.TemporaryDirectory(prefix="dictamesh-kill-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
        where = Place(example_tree(Path(name)), Path(name) / "data", sources.environment)
        edit(where.config, "name: acme", "name: acme\ncache: {enabled: false}")
        for number in range(ROUNDS):
            seed = random.SystemRandom().randrange(1 << 30)
            victims = VICTIMS[number % len(VICTIMS)]
            before = len(where.acknowledged.traces)
            await life(where, victims, random.Random(seed))
            if number % 3 == 2:
                await ask_without_server(where)
            lost = await missing(where)
            told = where.acknowledged
            print(
                f"round {number + 1} seed {seed} killed {victims}: {len(told.traces) - before} answers,"
                f" {len(told.traces)} in all, {len(told.filed)} in the file, version {told.version},"
                f" {told.refused} refused, missing {lost or 'nothing'}"
            )
            assert lost == [], f"seed {seed}, killed {victims}"
        assert where.acknowledged.traces
        assert where.acknowledged.version
        assert ROUNDS < 3 or where.acknowledged.filed


async def life(where: Place, victims: str, dice: random.Random) -> None:
    """One life of a runtime, from its start to its violent end."""
    runtime = await spawn(where.config, where.data_dir, where.environment)
    try:
        if victims == "starting":
            await asyncio.sleep(dice.uniform(0.2, 2.0))
            return
        assert await runtime.ready(), "".join([*runtime.output, *runtime.errors])
        where.acknowledged.version = max(where.acknowledged.version, version_of(where))
        await under_load(runtime, where, victims, dice)
    finally:
        kill(runtime.process.pid)
        await runtime.process.wait()
        await asyncio.gather(*runtime.readers)


async def under_load(runtime: Runtime, where: Place, victims: str, dice: random.Random) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        work = [asyncio.create_task(asking(session, runtime, where)) for _ in range(CALLERS)]
        work.append(asyncio.create_task(registering(runtime, where)))
        await asyncio.sleep(dice.uniform(0.1, 1.5))
        if victims != "runtime":
            kill(where.postmaster)
        if victims == "postmaster":
            # it is started again, and serves on
            await asyncio.sleep(dice.uniform(0.3, 1.5))
        elif victims != "both":
            await asyncio.sleep(dice.uniform(0, 0.3))
        kill(runtime.process.pid)
        await asyncio.sleep(0.05)
        for task in work:
            task.cancel()
        ended = await asyncio.gather(*work, return_exceptions=True)
    for error in ended:
        assert isinstance(error, asyncio.CancelledError), error


async def asking(session: aiohttp.ClientSession, runtime: Runtime, where: Place) -> None:
    key = {"X-API-Key": serve.key("support.key")}
    while True:
        trace = os.urandom(16).hex()
        headers = {**key, "traceparent": f"00-{trace}-{os.urandom(8).hex()}-01"}
        try:
            async with session.post(f"{runtime.url}/graphql", json={"query": QUERY}, headers=headers) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, ValueError, TimeoutError):
            await asyncio.sleep(0.02)
            continue
        if "errors" in answer:
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL_ERROR"}
            where.acknowledged.refused += 1
        else:
            where.acknowledged.traces.add(trace)


async def registering(runtime: Runtime, where: Place) -> None:
    """Reload without pause; each reload registers another version of one product."""
    for times in itertools.count(1):
        version = next(where.versions)
        set_version(where, version)
        with contextlib.suppress(ProcessLookupError):
            runtime.process.send_signal(signal.SIGHUP)
        while len(runtime.said("reloaded")) < times:
            await asyncio.sleep(0.02)
            if runtime.said("cannot be served"):  # its PostgreSQL is away: no acknowledgement
                await asyncio.sleep(3600)
        where.acknowledged.version = version


def set_version(where: Place, version: int) -> None:
    product = where.config.parent / "products" / "products.yaml"
    lines = product.read_text(encoding="utf-8").splitlines()
    place(
        product, "\n".join(f"version: {version}.0.0" if each.startswith("version:") else each for each in lines) + "\n"
    )


def version_of(where: Place) -> int:
    text = (where.config.parent / "products" / "products.yaml").read_text(encoding="utf-8")
    return int(text.partition("\nversion: ")[2].partition(".")[0])


async def ask_without_server(where: Place) -> None:
    """While nothing runs, the `query` command audits into the file; the next start imports it."""
    arguments = ("query", "--config", str(where.config), "--data-dir", str(where.data_dir))
    code, out, err = await command(
        *arguments, "--as", "support", "--purpose", "service", QUERY, environment=where.environment
    )
    assert code == 0, out + err
    where.acknowledged.filed |= filed(where)


def filed(where: Place) -> set[str]:
    path = where.data_dir / "audit.jsonl"
    text = path.read_text("utf-8") if path.exists() else ""
    return {word for word in text.replace('"', " ").split() if len(word) == 36 and word.count("-") == 4}


async def missing(where: Place) -> list[str]:
    """What was acknowledged and is not on disk."""
    told = where.acknowledged
    async with await start_cluster(where.data_dir) as cluster:
        with psycopg.connect(cluster.dsn) as connection:
            if connection.execute("SELECT to_regclass('dictamesh_audit_logs')").fetchone() == (None,):
                found: list[tuple[str, str]] = []
                versions: list[tuple[str]] = []
            else:
                found = connection.execute("SELECT id::text, trace_id FROM dictamesh_audit_logs").fetchall()
                versions = connection.execute(
                    "SELECT product_version FROM dictamesh_entity_catalog WHERE entity_type = 'Product'"
                ).fetchall()
    lost = sorted(told.traces - {trace for _, trace in found})
    lost += sorted(told.filed - {row for row, _ in found} - filed(where))
    registered = max((int(version.partition(".")[0]) for (version,) in versions), default=0)
    return [*lost, *([f"version {told.version}"] if registered < told.version else [])]


def kill(pid: int | None) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
