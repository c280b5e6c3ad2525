# SPDX-License-Identifier: Apache-2.0
"""One runtime per data folder: a lock that the kernel releases when the process dies, even by ``kill -9`` (S31)."""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from dictamesh.runtime.catalog.errors import CatalogUnavailable, DataFolderBusy

LOCK_NAME = "owner.lock"
# A process that only asks who the owner is holds a shared lock for an instant; an owner-to-be outwaits it.
_PATIENCE_SECONDS = 0.3
_LARGEST_RECORD = 65_536


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """What the owner wrote into its lock file: its process, and once ready the conninfo and socket folder."""

    pid: int | None = None
    dsn: str | None = None
    socket_dir: str | None = None


@dataclass(frozen=True, slots=True)
class Ownership:
    """A held lock on a data folder; ``previous`` is what the last owner left, for cleaning up after it."""

    path: Path
    descriptor: int
    previous: OwnerRecord

    def publish(self, dsn: str | None, socket_dir: Path) -> None:
        """Make the conninfo known to :func:`running_owner`, and the socket folder to whoever must clean up."""
        _write(self.descriptor, OwnerRecord(os.getpid(), dsn, str(socket_dir)))

    def release(self) -> None:
        """Give the folder up; safe to call once only."""
        _write(self.descriptor, OwnerRecord())
        os.close(self.descriptor)


def own(folder: Path) -> Ownership:
    """Lock ``folder`` for the life of this process.

    The descriptor is closed on exec, so a PostgreSQL child never holds the lock. Raises ``DataFolderBusy`` when another
    process holds it, ``CatalogUnavailable`` when the folder cannot be written.
    """
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CatalogUnavailable(
            f"cannot write the data folder {folder} ({error.strerror})",
            "choose another with --data-dir, or give this user the right to write there",
        ) from None
    try:
        if not _acquire(descriptor):
            raise _busy(folder, _read(descriptor))
        previous = _read(descriptor)
        _write(descriptor, OwnerRecord(os.getpid(), socket_dir=previous.socket_dir))
    except BaseException:
        os.close(descriptor)
        raise
    return Ownership(path, descriptor, previous)


def running_owner(data_dir: Path) -> str | None:
    """The conninfo of the PostgreSQL that a live runtime serves from ``data_dir``, or None (S31).

    None also while an owner is still starting. Raises ``CatalogUnavailable`` when the lock file may not be read.
    """
    try:
        descriptor = os.open(data_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CatalogUnavailable(
            f"cannot read {data_dir / LOCK_NAME} ({error.strerror})", "run as the user that runs the mesh"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor).dsn
    else:
        return None
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _busy(folder: Path, owner: OwnerRecord) -> DataFolderBusy:
    who = f"process {owner.pid}" if owner.pid else "another process"
    return DataFolderBusy(
        f"the data folder {folder} is in use by {who}", "stop that runtime, or give this one its own --data-dir"
    )


def _read(descriptor: int) -> OwnerRecord:
    # A kill between truncation and write leaves half a record: that says no more than none does.
    try:
        record = orjson.loads(os.pread(descriptor, _LARGEST_RECORD, 0))
    except orjson.JSONDecodeError:
        return OwnerRecord()
    return OwnerRecord(record.get("pid"), record.get("dsn"), record.get("socket_dir"))


def _write(descriptor: int, record: OwnerRecord) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, orjson.dumps(record), 0)
