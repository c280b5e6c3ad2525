# SPDX-License-Identifier: Apache-2.0
"""Where a cluster lives, and as whom its server runs (S31)."""

import hashlib
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dictamesh.runtime.catalog.access import can_enter
from dictamesh.runtime.catalog.errors import CatalogUnavailable

POINTER_NAME = "postgres.path"
SYSTEM_HOME = Path("/var/lib/dictamesh")
# PostgreSQL refuses to run as root; this is `nobody` on every Linux distribution.
SERVER_UID = 65534
SOCKET_PREFIX = "dictamesh-"
_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
_PLAIN_PATH = re.compile(r"[\w/.+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layout:
    """``home`` holds the cluster; ``binaries`` is where copies of the programs are kept; ``uid`` runs the server."""

    home: Path
    binaries: Path
    uid: int
    gid: int

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """What the server says: starts, stops and fatal errors, no statements and no values."""
        return self.home / "postgres.log"


def layout_for(data_dir: Path, system_home: Path = SYSTEM_HOME) -> Layout:
    """The place of the cluster that belongs to ``data_dir``.

    A normal user's lies in the data folder. So does root's, unless the server's user could not enter there: then it
    lies under ``system_home`` and a pointer file in the data folder names it. Raises ``CatalogUnavailable`` when the
    named place is gone, belongs to someone else or cannot be made.
    """
    if os.geteuid() != 0:
        return _own_layout(data_dir)
    pointer = data_dir / POINTER_NAME
    if pointer.exists():
        return _pointed_layout(pointer, system_home)
    uid, gid = _server_user(data_dir / "postgres")
    if can_enter(data_dir, uid):
        return Layout(data_dir, data_dir, uid, gid)
    home = system_home / _fresh_name(data_dir)
    try:
        home.mkdir(parents=True, mode=0o711)
        pointer.write_text(f"{home}\n", encoding="utf-8")
    except OSError as error:
        raise CatalogUnavailable(
            f"user {SERVER_UID} cannot enter {data_dir}, and {home} cannot be made ({error.strerror})",
            "choose a --data-dir that other users can enter, do not run as root, or set catalog.dsn",
        ) from None
    return Layout(home, system_home, SERVER_UID, SERVER_UID)


def socket_folder(uid: int, gid: int) -> Path:
    """A new folder for the server's socket that only ``uid`` (and root) can enter: whoever gets in is trusted."""
    parent = Path(tempfile.gettempdir())
    folder_length = len(str(parent)) + 1 + len(SOCKET_PREFIX) + 8
    if folder_length > _LONGEST_SOCKET_FOLDER or not _PLAIN_PATH.fullmatch(str(parent)) or not can_enter(parent, uid):
        parent = Path("/tmp")  # noqa: S108 - mkdtemp makes an unguessable private folder in it
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=parent))
    if uid != os.geteuid():
        os.chown(folder, uid, gid)
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Remove a socket folder of ours and nothing else."""
    if not folder.name.startswith(SOCKET_PREFIX) or folder.is_symlink():
        return
    remove_sockets(folder)
    try:
        folder.rmdir()
    except OSError:
        return


def remove_sockets(folder: Path) -> None:
    """Remove what a killed server left in its socket folder."""
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)


def _own_layout(data_dir: Path) -> Layout:
    cluster = data_dir / "postgres"
    uid = os.geteuid()
    if (data_dir / POINTER_NAME).exists() or (cluster.exists() and cluster.stat().st_uid != uid):
        raise CatalogUnavailable(
            f"the catalog of {data_dir} belongs to another user",
            "run as that user or root, or choose another --data-dir",
        )
    return Layout(data_dir, data_dir, uid, os.getegid())


def _pointed_layout(pointer: Path, system_home: Path) -> Layout:
    home = Path(pointer.read_text(encoding="utf-8").strip())
    if not home.is_absolute() or not home.is_dir():
        raise CatalogUnavailable(
            f"the catalog that {pointer} names is gone: {home}",
            f"restore it, or delete {pointer} to start with an empty catalog",
        )
    uid, gid = _server_user(home / "postgres")
    return Layout(home, system_home, uid, gid)


def _server_user(cluster: Path) -> tuple[int, int]:
    """Root goes on with the cluster of whoever made it."""
    if cluster.exists():
        status = cluster.stat()
        if status.st_uid != 0:
            return status.st_uid, status.st_gid
    return SERVER_UID, SERVER_UID


def _fresh_name(data_dir: Path) -> str:
    # The token keeps a data folder that was deleted and made again from inheriting the old catalog.
    seed = f"{data_dir.resolve()}\0{secrets.token_hex(16)}"
    return hashlib.sha256(seed.encode()).hexdigest()[:16]
