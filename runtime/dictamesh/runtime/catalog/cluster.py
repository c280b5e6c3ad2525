# SPDX-License-Identifier: Apache-2.0
"""The embedded PostgreSQL as the runtime holds it: owned, started, watched over, stopped (S31)."""

import asyncio
import contextlib
import logging
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from dictamesh.runtime.catalog.binaries import Binaries
from dictamesh.runtime.catalog.embedded import discard, end, launch, prepare, ready
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.layout import (
    Layout,
    layout_for,
    remove_socket_folder,
    remove_sockets,
    socket_folder,
)
from dictamesh.runtime.catalog.ownership import Ownership, own
from dictamesh.runtime.catalog.processes import stop_leftovers

_LOG = logging.getLogger("dictamesh.catalog")
_WATCH_SECONDS = 0.2
_LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class Cluster:
    """A running PostgreSQL; ``dsn`` is its conninfo and stays the same when the server has to be started again."""

    dsn: str
    layout: Layout
    binaries: Binaries
    socket_dir: Path
    locks: tuple[Ownership, ...]
    process: subprocess.Popen[bytes]
    _watch: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self.process.pid

    async def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is on disk. Escalates after 10 s; idempotent."""
        if not self.locks:
            return
        locks, self.locks = self.locks, ()
        try:
            if self._watch is not None:
                self._watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watch
            await end(self.process)
            remove_socket_folder(self.socket_dir)
        finally:
            for lock in reversed(locks):
                lock.release()

    def watch(self) -> None:
        """Start the server again whenever it ends unasked, for as long as the event loop runs."""
        self._watch = asyncio.get_running_loop().create_task(self._restart_forever(), name="dictamesh-postgres-watch")

    async def _restart_forever(self) -> None:
        pause = _WATCH_SECONDS
        while True:
            await asyncio.sleep(pause)
            if self.process.poll() is None:
                pause = _WATCH_SECONDS
                continue
            _LOG.warning("PostgreSQL ended by itself (status %s); starting it again", self.process.returncode)
            try:
                await asyncio.to_thread(stop_leftovers, self.layout.cluster)
                remove_sockets(self.socket_dir)
                self.process = launch(self.binaries, self.layout, self.socket_dir)
                await ready(self.process, self.layout)
            except (CatalogUnavailable, OSError) as error:
                _LOG.error("PostgreSQL did not start again: %s", error)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def __aenter__(self) -> "Cluster":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def start(data_dir: Path, layout: Layout | None = None) -> Cluster:
    """Own ``data_dir`` and serve its cluster, made first where there is none; ready to connect on return.

    Call from the thread that lives as long as the runtime: the server ends with that thread (Linux). ``layout``
    overrides where the cluster lives. Raises ``DataFolderBusy`` when another runtime owns the folder and
    ``CatalogUnavailable`` for whatever else keeps the server from running.
    """
    try:
        cluster = await _started(_absolute(data_dir), layout)
    except OSError as error:
        raise CatalogUnavailable(
            f"cannot serve the catalog from {data_dir} ({error.strerror})",
            "see that the folder and its files belong to this user and the disk has room, or choose another --data-dir",
        ) from None
    cluster.watch()
    return cluster


async def _started(data_dir: Path, layout: Layout | None) -> Cluster:
    with contextlib.ExitStack() as undo:
        locks = [_locked(data_dir, undo)]
        layout = layout or layout_for(data_dir)
        if layout.home != data_dir:
            # A copied data folder names the same cluster: the cluster itself is locked too.
            locks.append(_locked(layout.home, undo))
        binaries = await asyncio.to_thread(prepare, layout, [lock.previous.socket_dir for lock in locks])
        socket_dir = socket_folder(layout.uid, layout.gid)
        undo.callback(remove_socket_folder, socket_dir)
        for lock in locks:
            lock.publish(None, socket_dir)
        process = launch(binaries, layout, socket_dir)
        undo.callback(discard, process)
        await ready(process, layout)
        dsn = f"host={socket_dir} port=5432 user=dictamesh dbname=postgres"
        for lock in locks:
            lock.publish(dsn, socket_dir)
        undo.pop_all()
    return Cluster(dsn, layout, binaries, socket_dir, tuple(locks), process)


def _absolute(folder: Path) -> Path:
    return folder.absolute()  # the server's working directory is another


def _locked(folder: Path, undo: contextlib.ExitStack) -> Ownership:
    lock = own(folder)
    undo.callback(lock.release)
    return lock
