# SPDX-License-Identifier: Apache-2.0
"""Real PostgreSQL servers for tests: the embedded one, and a PostgreSQL 15 where the machine has one.

Use the fixtures by importing them into a ``conftest.py`` (or a test module)::

    from tests.support.postgres import embedded_dsn, postgres15_dsn  # noqa: F401

``embedded_dsn`` (session): conninfo of a running embedded PostgreSQL 18, superuser ``dictamesh``, database
``postgres``. ``postgres15_dsn`` (session): conninfo of a PostgreSQL 15 (``DICTAMESH_TEST_POSTGRES``, else the programs
on this machine); skips with the reason where there is none, fails under ``CI=true``. ``fresh_database(dsn)``: a context
manager that makes an empty database of a random name on that server, gives its conninfo and drops it; use it whenever a
test creates tables. Order of text is by code point on both servers.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dictamesh.runtime.catalog import embedded
from dictamesh.runtime.catalog.binaries import Binaries
from dictamesh.runtime.catalog.cluster import start
from dictamesh.runtime.catalog.layout import SERVER_UID, Layout, remove_socket_folder, socket_folder
from dictamesh.runtime.catalog.processes import spawn

_PROGRAMS_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="session")
def embedded_dsn() -> Iterator[str]:
    """Conninfo of an embedded PostgreSQL that runs for the whole test session."""
    folder = Path(tempfile.mkdtemp(prefix="dictamesh-test-"))
    folder.chmod(0o755)
    with asyncio.Runner() as runner:
        cluster = runner.run(start(folder))
        try:
            yield cluster.dsn
        finally:
            runner.run(cluster.stop())
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres15_dsn() -> Iterator[str]:
    """Conninfo of a PostgreSQL 15, or a skip that says what is missing."""
    given = os.environ.get("DICTAMESH_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = programs_of_15()
    if programs is None:
        reason = "no PostgreSQL 15: set DICTAMESH_TEST_POSTGRES or install postgresql-15"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with _postgres_15(programs) as dsn:
        yield dsn


@contextlib.contextmanager
def fresh_database(dsn: str) -> Iterator[str]:
    """An empty database on the server of ``dsn``; gives its conninfo and drops it at the end."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    try:
        yield psycopg.conninfo.make_conninfo(dsn, dbname=name)
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def programs_of_15() -> Path | None:
    found = shutil.which("postgres")
    for folder in (_PROGRAMS_15, Path(found).resolve().parent if found else None):
        if folder is None or not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        if " 15." in said:
            return folder
    return None


@contextlib.contextmanager
def _postgres_15(programs: Path) -> Iterator[str]:
    uid, gid = (SERVER_UID, SERVER_UID) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    home = Path(tempfile.mkdtemp(prefix="dictamesh-pg15-"))
    home.chmod(0o755)
    layout = Layout(home, home, uid, gid)
    sockets = socket_folder(uid, gid)
    try:
        layout.cluster.mkdir(mode=0o700)
        os.chown(layout.cluster, uid, gid)
        with layout.log.open("ab") as log:
            options = ["--username=dictamesh", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
            made = spawn(
                [str(programs / "initdb"), f"--pgdata={layout.cluster}", *options],
                uid,
                gid,
                log,
                death_signal=signal.SIGKILL,
            )
            assert made.wait(60) == 0, layout.log.read_text()
        server = embedded.launch(Binaries(programs.parent, 15), layout, sockets)
        try:
            asyncio.run(embedded.ready(server, layout))
            yield f"host={sockets} port=5432 user=dictamesh dbname=postgres"
        finally:
            asyncio.run(embedded.end(server))
    finally:
        remove_socket_folder(sockets)
        shutil.rmtree(home)
