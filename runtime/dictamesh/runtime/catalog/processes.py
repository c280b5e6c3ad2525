# SPDX-License-Identifier: Apache-2.0
"""Server processes: started as another user, ended with their parent, and found again when orphaned (S31)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from dictamesh.runtime.catalog.errors import CatalogUnavailable

# Runs between fork and the server in a fresh interpreter: a preexec_fn can deadlock in a process that has threads, and
# the parent-death signal must be set after the change of user, which clears it.
_LAUNCHER = """
import ctypes, os, sys
uid, gid, number, parent = map(int, sys.argv[1:5])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
os.umask(0o077)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, number)
    if os.getppid() != parent:
        sys.exit(1)
os.execv(sys.argv[5], sys.argv[5:])
"""
# Secrets in the runtime's environment are no business of the server.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_POLL_SECONDS = 0.02


def spawn(
    arguments: list[str], uid: int, gid: int, log: IO[bytes], *, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a program as a direct child under ``uid``, without open files, environment or terminal of the runtime.

    The kernel sends ``death_signal`` to it when the *thread* that called this function ends, so call it from a thread
    that lives as long as the runtime.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER]
    who = [str(uid), str(gid), str(int(death_signal)), str(os.getpid())]
    return subprocess.Popen(  # noqa: S603 - the program is ours, nothing of a user's is in its arguments
        [*launcher, *who, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=_ENVIRONMENT,
        start_new_session=True,  # Ctrl-C in the terminal is for the runtime, which stops the server last
    )


def stop_leftovers(cluster: Path) -> int:
    """End every server process that still works on ``cluster`` and drop its stale pid file; returns how many there
    were.

    Call only with the data folder's lock held. A process counts when its program is ``postgres`` and its working
    directory is ``cluster``, so a reused process id is never signalled. Raises ``CatalogUnavailable`` when one
    survives.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return 0
    found = servers_on(cluster)
    for processes, number, patience in (
        (_postmaster(pid_file), signal.SIGINT, 10.0),
        (found, signal.SIGQUIT, 5.0),
        (found, signal.SIGKILL, 5.0),
    ):
        if _gone(cluster, 0.0):
            break
        for pid in processes:
            _send(pid, cluster, number)
        _gone(cluster, patience)
    if not _gone(cluster, 0.0):
        raise CatalogUnavailable(
            f"an old PostgreSQL still works on {cluster} and cannot be ended", "end it, or choose another --data-dir"
        )
    # PostgreSQL refuses to start while any process has the number in this file; the scan above knows better.
    pid_file.unlink(missing_ok=True)
    return len(found)


def servers_on(cluster: Path) -> list[int]:
    """Process ids of every PostgreSQL process, postmaster or backend, that works on ``cluster``."""
    wanted = str(cluster.resolve())
    numbers = (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
    return [pid for pid in numbers if _works_on(pid, wanted)]


def _works_on(pid: int, cluster: str) -> bool:
    try:
        program = Path(os.readlink(f"/proc/{pid}/exe")).name
        return program.removesuffix(" (deleted)") == "postgres" and os.readlink(f"/proc/{pid}/cwd") == cluster
    except OSError:
        return False


def _postmaster(pid_file: Path) -> list[int]:
    try:
        return [int(pid_file.read_text(encoding="ascii").splitlines()[0])]
    except (OSError, ValueError, IndexError):
        return []


def _send(pid: int, cluster: Path, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            # The handle pins the process: what is verified now is what gets the signal.
            if _works_on(pid, str(cluster.resolve())):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _gone(cluster: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while servers_on(cluster):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
