# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of runtime, PostgreSQL or both while registration and audit are written: no acknowledged row is missing.

``DICTAMESH_KILL_ROUNDS`` says how often (5); the seed of each round is printed (S31).
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from dictamesh.runtime.catalog.cluster import start

VICTIMS = ("both", "starting", "postmaster", "runtime")
ROUNDS = int(os.environ.get("DICTAMESH_KILL_ROUNDS", "5"))
# Registers and audits without pause; prints each acknowledged row and registration as soon as it is acknowledged.
RUNTIME = """
import asyncio, sys
from pathlib import Path
from dictamesh.runtime.audit.log import open_audit
from dictamesh.runtime.audit.file import JsonlAudit, import_jsonl
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.rows import EntityRow, Registration
from dictamesh.runtime.governance.audit import AuditRow, AuditUnavailable

def say(*words):
    print(*words, flush=True)

async def audit(log):
    while True:
        row = AuditRow("p", "customers", "Customer", "h", fields=("email",))
        try:
            await log.record([row])
        except AuditUnavailable:
            await asyncio.sleep(0.01)
        else:
            say("row", row.id)

async def registering(pool, round_):
    number = 0
    while True:
        number += 1
        entity = EntityRow(f"p{number}", "1.0.0", f"E{round_}x{number}", "d", "s", ("id",), "public", False)
        try:
            await register(pool, Registration("kill", (entity,)))
        except CatalogUnavailable:
            await asyncio.sleep(0.01)
        else:
            say("entity", entity.entity_type)

async def main():
    folder = Path(sys.argv[1])
    filed = [AuditRow("q", "customers", "Customer", "h", fields=("name",)) for _ in range(3)]
    await JsonlAudit(folder / "audit.jsonl").record(filed)
    for row in filed:
        say("row", row.id)
    say("starting")
    cluster = await start(folder)
    say("postmaster", cluster.pid)
    pool = await open_pool(cluster.dsn, PoolSettings(max_size=6, idle=2, acquire_timeout=2))
    await up(pool)
    await import_jsonl(pool, folder / "audit.jsonl")
    log = open_audit(pool)
    say("ready")
    await asyncio.gather(registering(pool, sys.argv[2]), *(audit(log) for _ in range(20)))

asyncio.run(main())
"""


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def run_until_killed(folder: Path, number: int, dice: random.Random) -> tuple[str, list[list[str]]]:
    """One life of a runtime; what it acknowledged before it died."""
    arguments = [sys.executable, "-c", RUNTIME, str(folder), str(number)]
    output = folder.parent / "acknowledged.txt"
    victims = VICTIMS[number % len(VICTIMS)]
    with output.open("w") as sink, subprocess.Popen(arguments, stdout=sink, stderr=subprocess.PIPE) as runtime:
        awaited = "starting" if victims == "starting" else "ready"
        while awaited not in output.read_text():
            assert runtime.poll() is None, runtime.stderr.read().decode()
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.6))
        said = dict(line.split() for line in output.read_text().splitlines() if line.startswith("postmaster "))
        if victims in {"postmaster", "both"}:
            kill(int(said["postmaster"]))
        if victims == "postmaster":
            time.sleep(dice.uniform(0, 0.8))  # it goes on, and shall not have acknowledged what was lost
        kill(runtime.pid)
    lines = output.read_text().split("\n")[:-1]  # what has no newline was not said
    return victims, [line.split() for line in lines]


def stored(dsn: str) -> tuple[set[str], set[str]]:
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('dictamesh_audit_logs')").fetchone() == (None,):
            return set(), set()
        rows = {str(row[0]) for row in connection.execute("SELECT id FROM dictamesh_audit_logs")}
        entities = {str(row[0]) for row in connection.execute("SELECT entity_type FROM dictamesh_entity_catalog")}
    return rows, entities


def filed(folder: Path) -> set[str]:
    """Ids in the file that the next start imports."""
    path = folder / "audit.jsonl"
    text = path.read_text() if path.exists() else ""
    return {word for word in text.replace('"', " ").split() if len(word) == 36}


def test_no_acknowledged_row_is_missing() -> None:
    rows: set[str] = set()
    entities: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="dictamesh-kill-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "data"
        for number in range(ROUNDS):
            seed = random.SystemRandom().randrange(1 << 30)
            victims, said = run_until_killed(folder, number, random.Random(seed))
            rows |= {words[1] for words in said if words[0] == "row"}
            entities |= {words[1] for words in said if words[0] == "entity"}
            missing = asyncio.run(compare(folder, rows, entities))
            print(f"round {number} seed {seed} killed {victims}: {len(rows)} rows, {len(entities)} entities, {missing}")
            assert missing == (set(), set()), f"seed {seed}, killed {victims}"
    assert rows


async def compare(folder: Path, rows: set[str], entities: set[str]) -> tuple[set[str], set[str]]:
    """What was acknowledged and is not there after a start."""
    async with await start(folder) as cluster:
        found_rows, found_entities = stored(cluster.dsn)
    return rows - found_rows - filed(folder), entities - found_entities
