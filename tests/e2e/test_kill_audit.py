# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of writers and of PostgreSQL while processes audit: the chains stay whole, no acknowledged row is lost.

Two processes share one log, as replicas do: the owner of the embedded PostgreSQL, which also signs heads, and a second
one. ``DICTAMESH_AUDIT_EVENTS`` says how many rows are acknowledged in all (500), ``DICTAMESH_AUDIT_KILLS`` how often
something is killed (2); the seed of each round is printed. After each kill the log is verified (S30, S31).
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

from dictamesh.runtime.audit.examine import examine_database, read_heads
from dictamesh.runtime.audit.findings import Report
from dictamesh.runtime.audit.keys import known_keys, signer_from
from dictamesh.runtime.audit.reading import read_entries
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool

EVENTS = int(os.environ.get("DICTAMESH_AUDIT_EVENTS", "500"))
KILLS = int(os.environ.get("DICTAMESH_AUDIT_KILLS", "2"))
VICTIMS = ("everything", "postmaster", "owner", "replica", "owner and replica")
SECRET = "the signing key of this test, long enough"
WRITER = """
import asyncio, random, sys
from pathlib import Path
from dictamesh.runtime.audit.heads import HeadSigner
from dictamesh.runtime.audit.heads_file import HeadsFile
from dictamesh.runtime.audit.keys import signer_from
from dictamesh.runtime.audit.log import open_audit
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.migrate import up
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.governance.audit import AuditRow, AuditUnavailable

def say(*words):
    print(*words, flush=True)

async def audit(log, dice):
    while True:
        products = dice.sample(["customers", "invoices", "products"], dice.choice([1, 1, 1, 2]))
        rows = [AuditRow("p", name, "Entity", "h", fields=("email",)) for name in products]
        try:
            await log.record(rows)
        except AuditUnavailable:
            await asyncio.sleep(0.01)
        else:
            for row in rows:
                say("row", row.id)
        await asyncio.sleep(dice.uniform(0, 0.02))

async def signing(pool, folder):
    signer = HeadSigner(pool, "acme", signer_from(sys.argv[3].encode()), HeadsFile(folder / "heads.jsonl"))
    while True:
        try:
            await signer.sign()
        except CatalogUnavailable:
            pass
        await asyncio.sleep(0.1)

async def main():
    folder, role = Path(sys.argv[1]), sys.argv[2]
    if role == "owner":
        cluster = await start(folder)
        say("postmaster", cluster.pid)
        dsn = cluster.dsn
    while role == "replica" and (dsn := running_owner(folder)) is None:
        await asyncio.sleep(0.02)
    pool = await open_pool(dsn, PoolSettings(max_size=4, idle=2, acquire_timeout=2))
    await up(pool)
    log, dice = open_audit(pool), random.Random()
    say("ready")
    work = [audit(log, dice) for _ in range(8)]
    if role == "owner":
        work.append(signing(pool, folder))
    await asyncio.gather(*work)

asyncio.run(main())
"""


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Life:
    """Both writers from their start to their violent end; what they acknowledge goes to files."""

    def __init__(self, folder: Path, number: int) -> None:
        self.outputs = {role: folder.parent / f"{role}-{number}.txt" for role in ("owner", "replica")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for role, output in self.outputs.items():
            command = [sys.executable, "-c", WRITER, str(folder), role, SECRET]
            with output.open("wb") as sink, output.with_suffix(".err").open("wb") as errors:
                self.processes[role] = subprocess.Popen(command, stdout=sink, stderr=errors)

    def said(self, role: str) -> list[list[str]]:
        lines = self.outputs[role].read_text().split("\n")[:-1]  # what has no newline was not said
        return [line.split() for line in lines]

    def acknowledged(self) -> set[str]:
        return {words[1] for role in self.outputs for words in self.said(role) if words[0] == "row"}

    def until(self, rows: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.acknowledged()) < rows or any(["ready"] not in self.said(role) for role in self.outputs):
            assert time.monotonic() < deadline, "the writers got nowhere"
            for role, process in self.processes.items():
                assert process.poll() is None, self.outputs[role].with_suffix(".err").read_text()
            time.sleep(0.01)

    def kill(self, victims: str, dice: random.Random) -> None:
        time.sleep(dice.uniform(0, 0.1))
        if victims in {"postmaster", "everything"}:
            kill(next(int(words[1]) for words in self.said("owner") if words[0] == "postmaster"))
        if victims == "postmaster":
            time.sleep(dice.uniform(0.2, 0.8))  # it is started again, and the writers go on
        elif victims == "replica":
            kill(self.processes["replica"].pid)
            time.sleep(dice.uniform(0, 0.2))
        elif victims == "owner":
            kill(self.processes["owner"].pid)
            time.sleep(dice.uniform(0, 0.2))  # the other one is left without a database
        self.end()

    def end(self) -> None:
        for process in self.processes.values():
            kill(process.pid)
            process.wait()


def test_chains_stay_whole_and_no_acknowledged_row_is_missing() -> None:
    rows: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="dictamesh-kill-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "data"
        for number in range(KILLS):
            seed = random.SystemRandom().randrange(1 << 30)
            victims, dice = VICTIMS[number % len(VICTIMS)], random.Random(seed)
            life = Life(folder, number)
            try:
                life.until(max(1, EVENTS * (number + 1) // KILLS - len(rows)))
                life.kill(victims, dice)
            finally:
                life.end()
            rows |= life.acknowledged()
            report, stored = asyncio.run(verified(folder))
            print(
                f"kill {number + 1} seed {seed} of {victims}: {len(rows)} rows acknowledged, {report.rows} stored in"
                f" {report.chains} chains, {report.heads} heads, {report.unsigned} unsigned,"
                f" missing {rows - stored or 0}"
            )
            assert report.findings == (), f"seed {seed}, killed {victims}"
            assert rows <= stored, f"seed {seed}, killed {victims}"
    assert len(rows) >= EVENTS


async def verified(folder: Path) -> tuple[Report, set[str]]:
    """The report on the log after a start, and the ids of all its rows."""
    keys = known_keys([signer_from(SECRET.encode()).pem.encode()])
    heads = folder / "heads.jsonl"
    async with await start(folder) as cluster:
        pool = await open_pool(cluster.dsn, PoolSettings(max_size=2, idle=1))
        await up(pool)
        try:
            report = await examine_database(pool, "acme", keys, read_heads(heads) if heads.exists() else [])
            return report, {entry["id"] async for entry in read_entries(pool)}
        finally:
            await pool.close()
