# SPDX-License-Identifier: Apache-2.0
"""Files of lines that are only ever appended to, by any number of processes, safe on disk when a call returns."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644
_LONGEST_TAIL = 1 << 24
_BLOCK = 1 << 16


def append_bytes(path: Path, lines: bytes, mode: int = PRIVATE, *, drop_torn: bool = False) -> None:
    """Append whole lines and wait for the disk; raises OSError.

    A line that a kill tore was never acknowledged: it is ended where it is, or with `drop_torn` cut off.
    """
    with locked(path, mode) as descriptor:
        if drop_torn:
            cut_torn(descriptor)
        append_locked(descriptor, path, lines)


def cut_torn(descriptor: int) -> None:
    """Cut off what stands behind the last end of a line; raises OSError."""
    size = end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


def append_locked(descriptor: int, path: Path, lines: bytes) -> None:
    """Append to a file that is held by `locked`; raises OSError."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines  # whoever died in the middle of a line shall not spoil ours
    with open(descriptor, "ab", closefd=False) as file:
        file.write(lines)
    os.fsync(descriptor)
    if not size:
        _sync_folder(path.parent)


@contextlib.contextmanager
def locked(path: Path, mode: int = PRIVATE) -> Iterator[int]:
    """The file under its lock, made where there is none, opened anew when somebody removed it while we waited."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                yield descriptor
                return
        finally:
            os.close(descriptor)


def last_line(descriptor: int) -> bytes | None:
    """Return the last whole line, None where there is none; a line torn by a kill does not count."""
    size = os.fstat(descriptor).st_size
    block = min(size, _BLOCK)
    while block:
        tail = os.pread(descriptor, block, size - block)
        lines = tail[: tail.rfind(b"\n") + 1].splitlines()
        if len(lines) > 1 or (lines and block == size):
            return lines[-1]
        if block in {size, _LONGEST_TAIL}:
            return None
        block = min(size, block * 16, _LONGEST_TAIL)
    return None


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
