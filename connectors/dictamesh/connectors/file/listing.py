# SPDX-License-Identifier: Apache-2.0
"""Files below a folder that a pattern names; nothing outside the folder, not through links either (S24)."""

from dataclasses import dataclass
from pathlib import Path

from dictamesh.connectors.sdk.errors import Fault, Terminal, Transient

MAX_FILES = 10_000
_MAGIC = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it is now; another stamp means other content."""

    path: str
    size: int
    changed: int  # nanoseconds


def stamps(folder: Path, pattern: str, place: str) -> tuple[Stamp, ...]:
    """List the files in order of their paths.

    `Terminal(REFUSED)` where a name or a link leaves the folder, `Terminal(NOT_FOUND)` where nothing matches,
    `Terminal(TOO_LARGE)` for more than 10,000 files.
    """
    root = folder.resolve()
    try:
        found = sorted(_matches(root, pattern, place))
        return tuple(_stamp(path, root, place) for path in found)
    except FileNotFoundError:
        raise Terminal(Fault.NOT_FOUND, place=place) from None
    except (ValueError, NotImplementedError):
        raise Terminal(Fault.REFUSED, place=place) from None
    except OSError:
        raise Transient(Fault.CONNECTION_FAILED, place=place) from None


def _matches(root: Path, pattern: str, place: str) -> list[Path]:
    parts = pattern.replace("\\", "/").split("/")
    if pattern.startswith("/") or ".." in parts or "\0" in pattern:
        raise Terminal(Fault.REFUSED, place=place)
    exact = root / pattern
    if exact.is_file():
        return [exact]
    found: list[Path] = []
    for path in root.glob(pattern) if _MAGIC & set(pattern) else ():
        if path.is_file():
            found.append(path)
        if len(found) > MAX_FILES:
            raise Terminal(Fault.TOO_LARGE, place=place)
    if not found:
        raise Terminal(Fault.NOT_FOUND, place=place)
    return found


def _stamp(path: Path, root: Path, place: str) -> Stamp:
    real = path.resolve(strict=True)
    if not real.is_relative_to(root):
        raise Terminal(Fault.REFUSED, place=place)
    state = real.stat()
    return Stamp(str(real), state.st_size, state.st_mtime_ns)
