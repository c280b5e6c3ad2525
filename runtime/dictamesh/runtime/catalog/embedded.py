# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL server process: its cluster made, its programs found, launched, ready, ended (S31, DESIGN §6)."""

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from dictamesh.runtime.catalog.binaries import Binaries, binaries_for
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.layout import (
    Layout,
    remove_socket_folder,
)
from dictamesh.runtime.catalog.processes import spawn, stop_leftovers

_LOG = logging.getLogger("dictamesh.catalog")
_HALF_MADE = ".postgres-"
_LARGEST_LOG = 1 << 20
_READY_SECONDS = 60.0
_INITDB_SECONDS = 120.0
_POLL_SECONDS = 0.01
_OWN_DATABASE = "set catalog.dsn to a PostgreSQL 15 or later"
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "64",
    "shared_buffers": "64MB",
    # The server's log may hold no statement and no value (S26): fatal errors and the server's own life only.
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_error_verbosity": "terse",
}


def prepare(layout: Layout, old_sockets: list[str | None]) -> Binaries:
    """Everything before the server: leftovers ended, programs readable, a whole cluster of the right version."""
    binaries = binaries_for(layout.uid, layout.binaries)
    if stop_leftovers(layout.cluster):
        _LOG.warning("ended an orphaned PostgreSQL on %s", layout.cluster)
    for folder in filter(None, old_sockets):
        remove_socket_folder(Path(folder))
    for half_made in layout.home.glob(f"{_HALF_MADE}*"):
        shutil.rmtree(half_made, ignore_errors=True)
    if not layout.cluster.exists():
        make_cluster(binaries, layout)
    _check_version(binaries, layout.cluster)
    return binaries


def _check_version(binaries: Binaries, cluster: Path) -> None:
    try:
        found = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError:
        raise CatalogUnavailable(
            f"{cluster} is no PostgreSQL cluster", "move that folder away to start with an empty catalog, or restore it"
        ) from None
    if found != str(binaries.major):
        raise CatalogUnavailable(
            f"the cluster in {cluster} was made by PostgreSQL {found}, this runtime brings {binaries.major}",
            "carry it over with pg_upgrade or a dump of a matching server, move that folder away to start anew, "
            f"or {_OWN_DATABASE}",
        )


def make_cluster(binaries: Binaries, layout: Layout) -> None:
    """Run initdb beside the final place and move the result there: a cluster exists whole or not at all."""
    try:
        fresh = Path(tempfile.mkdtemp(prefix=_HALF_MADE, dir=layout.home))
        if layout.uid != os.geteuid():
            os.chown(fresh, layout.uid, layout.gid)
        _run_initdb(binaries, layout, fresh)
        fresh.rename(layout.cluster)
        _sync(layout.home)
    except OSError as error:
        raise CatalogUnavailable(
            f"cannot make a PostgreSQL cluster in {layout.home} ({error.strerror})",
            f"choose a --data-dir on a local file system, or {_OWN_DATABASE}",
        ) from None


def _run_initdb(binaries: Binaries, layout: Layout, fresh: Path) -> None:
    options = ["--username=dictamesh", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
    # Text in the order of code points and case rules of Unicode, on every machine (S9).
    options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with _log_file(layout) as log:
        process = spawn(
            [str(binaries.initdb), f"--pgdata={fresh}", *options],
            layout.uid,
            layout.gid,
            log,
            death_signal=signal.SIGKILL,
        )
        try:
            status = process.wait(_INITDB_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            discard(process)
    if status != 0:
        raise CatalogUnavailable(
            f"initdb failed (status {status}) as user {layout.uid}; its words are in {layout.log}",
            f"see that the user has an entry in /etc/passwd and the disk has room, or {_OWN_DATABASE}",
        )


def launch(binaries: Binaries, layout: Layout, socket_dir: Path) -> subprocess.Popen[bytes]:
    """Start the server on the cluster; it listens on its socket only."""
    settings = {**_SETTINGS, "unix_socket_directories": str(socket_dir)}
    arguments = [str(binaries.postgres), "-D", str(layout.cluster)]
    for name, value in settings.items():
        arguments += ["-c", f"{name}={value}"]
    with _log_file(layout) as log:
        return spawn(arguments, layout.uid, layout.gid, log, death_signal=signal.SIGINT)


def _log_file(layout: Layout) -> IO[bytes]:
    if layout.log.exists() and layout.log.stat().st_size > _LARGEST_LOG:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    # Opened by descriptor: the file is private from its first byte on.
    return os.fdopen(os.open(layout.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


async def ready(process: subprocess.Popen[bytes], layout: Layout) -> None:
    """Wait until the server says in its pid file that it takes connections; a crash recovery may take its time."""
    deadline = time.monotonic() + _READY_SECONDS
    while not says_ready(layout.cluster, process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            raise CatalogUnavailable(
                f"PostgreSQL did not start (status {process.returncode}); its words are in {layout.log}",
                f"see that the disk has room and the folder is writable, or {_OWN_DATABASE}",
            )
        await asyncio.sleep(_POLL_SECONDS)


def says_ready(cluster: Path, pid: int) -> bool:
    """Whether the cluster's pid file is of server ``pid`` and says that it takes connections."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


async def end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; after 10 s an immediate one, after 15 s the kill that recovery copes with."""
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is None:
            process.send_signal(number)
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - a child's end sets no event
            await asyncio.sleep(_POLL_SECONDS)


def discard(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that nobody will miss, and reap it."""
    if process.poll() is None:
        process.kill()
        process.wait()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
