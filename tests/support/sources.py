# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL servers as sources of changes: `wal_level = logical`, to be killed and started again at will.

Use the fixtures by importing them: ``source18`` and ``source15`` (module scoped `Source`), ``source`` runs a test on
both. PostgreSQL 15 skips with the reason where the machine has none, and fails under ``CI=true``.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from dictamesh.runtime.catalog import embedded
from dictamesh.runtime.catalog.binaries import Binaries, binaries_for
from dictamesh.runtime.catalog.layout import SERVER_UID, Layout, remove_socket_folder, socket_folder
from dictamesh.runtime.catalog.processes import spawn, stop_leftovers
from tests.support.postgres import programs_of_15

_SETTINGS = """
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
max_wal_size = 256MB
wal_sender_timeout = 20s
"""


@dataclass
class Source:
    """A server; its conninfo stays the same over restarts."""

    binaries: Binaries
    layout: Layout
    sockets: Path
    process: subprocess.Popen[bytes] | None = field(default=None)
    tcp: int | None = None  # a port of the loopback interface, for those who know no other way

    @property
    def dsn(self) -> str:
        return f"host={self.sockets} port={self.tcp or 5432} user=dictamesh dbname=postgres"

    async def start(self) -> None:
        """Start it from the main thread: it ends with the thread that started it."""
        self.process = embedded.launch(self.binaries, self.layout, self.sockets) if self.tcp is None else self._tcp()
        await embedded.ready(self.process, self.layout)

    def _tcp(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.tcp),
            "unix_socket_directories": str(self.sockets),
        }
        command = [str(self.binaries.postgres), "-D", str(self.layout.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.layout.log.open("ab") as log:
            return spawn(command, self.layout.uid, self.layout.gid, log, death_signal=signal.SIGINT)

    def kill(self) -> None:
        """Kill the server's first process with -9; the others notice and end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        stop_leftovers(self.layout.cluster)

    async def stop(self) -> None:
        """Stop it as an administrator does: it waits until what streams from it has taken everything."""
        if self.process is not None and self.process.poll() is None:
            await embedded.end(self.process)

    def set(self, **settings: str) -> None:
        """Change settings that need no restart."""
        with psycopg.connect(self.dsn, autocommit=True) as admin:
            for name, value in settings.items():
                admin.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            admin.execute("SELECT pg_reload_conf()")


def _made(binaries: Binaries, home: Path, uid: int) -> Source:
    layout = Layout(home, home, uid, uid)
    layout.cluster.mkdir(mode=0o700)
    os.chown(layout.cluster, uid, uid)
    with layout.log.open("ab") as log:
        options = ["--username=dictamesh", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        command = [str(binaries.initdb), f"--pgdata={layout.cluster}", *options]
        made = spawn(command, uid, uid, log, death_signal=signal.SIGKILL)
        assert made.wait(120) == 0, layout.log.read_text()
    with (layout.cluster / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    return Source(binaries, layout, socket_folder(uid, uid))


@contextlib.contextmanager
def running(binaries: Binaries | None = None, tcp: int | None = None) -> Iterator[Source]:
    """A source for the block, with the PostgreSQL that the runtime brings unless told otherwise."""
    uid = SERVER_UID if os.geteuid() == 0 else os.geteuid()
    home = Path(tempfile.mkdtemp(prefix="dictamesh-source-"))
    home.chmod(0o755)
    source = None
    try:
        source = _made(binaries or binaries_for(uid, home), home, uid)
        source.tcp = tcp
        asyncio.run(source.start())
        yield source
    finally:
        if source is not None:
            asyncio.run(source.stop())
            remove_socket_folder(source.sockets)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def source18() -> Iterator[Source]:
    """The PostgreSQL that the runtime brings."""
    with running() as source:
        yield source


@pytest.fixture(scope="module")
def source15() -> Iterator[Source]:
    """A PostgreSQL 15 of this machine."""
    programs = programs_of_15()
    if programs is None:
        reason = "no PostgreSQL 15: install postgresql-15"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running(Binaries(programs.parent, 15)) as source:
        yield source


@pytest.fixture(params=["source15", "source18"])
def source(request: pytest.FixtureRequest) -> Source:
    """Each of both servers."""
    found: Source = request.getfixturevalue(request.param)
    return found
