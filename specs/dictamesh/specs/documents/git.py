# SPDX-License-Identifier: Apache-2.0
"""The spec files of a commit, read out of git's objects; nothing is checked out."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dictamesh.specs.documents.files import MAX_BYTES, OutsidePathError, inside, matches

SECONDS = 30.0
"""How long git may take for one answer."""

_FILES = frozenset({"100644", "100755"})  # neither links nor modules


class GitUnreadable(Exception):  # noqa: N818 - the state of a repository
    """A commit or folder cannot be read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Blob:
    name: str  # of the object
    size: int


class GitTree:
    """The files below a folder of a working copy, as a commit has them (`Files`).

    `folder` lies in a git repository; paths are relative to it. Links and submodules are not followed. Raises
    GitUnreadable where git is missing, the folder is in no repository, or the revision is unknown.
    """

    __slots__ = ("_blobs", "_folder")

    def __init__(self, folder: Path, revision: str) -> None:
        self._folder = folder
        self._blobs = _blobs(folder, _commit(folder, revision))

    def read(self, path: str) -> bytes:
        """The content, at most `MAX_BYTES` + 1 bytes (`Files`)."""
        known = inside(path)
        if known is None:
            raise OutsidePathError(path)
        blob = self._blobs.get(known)
        if blob is None:
            if any(name.startswith(f"{known}/") for name in self._blobs):
                raise IsADirectoryError(path)
            raise FileNotFoundError(path)
        if blob.size > MAX_BYTES:
            return bytes(MAX_BYTES + 1)  # too large whatever it holds
        return _git(self._folder, "cat-file", "blob", blob.name)

    def glob(self, pattern: str) -> list[str]:
        """The paths of the files that match, sorted (`Files`)."""
        return sorted(path for path in self._blobs if matches(pattern, path))


def repository(folder: Path) -> Path:
    """Return the top folder of the working copy that `folder` lies in; raises GitUnreadable."""
    return Path(_git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n"))


def _commit(folder: Path, revision: str) -> str:
    if not revision or revision.startswith("-"):
        raise GitUnreadable(f"'{revision}' is no revision")
    try:
        found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitUnreadable as fault:
        if fault.args and fault.args[0] == _FAILED:
            raise GitUnreadable(f"git knows no revision '{revision}'; fetch it, or correct the name") from None
        raise
    return found.decode().strip()


def _blobs(folder: Path, commit: str) -> Mapping[str, _Blob]:
    # within a sub-folder git lists paths relative to that folder, and what lies in it alone
    listed = _git(folder, "ls-tree", "-r", "-l", "-z", commit)
    found: dict[str, _Blob] = {}
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        head, tab, path = line.partition("\t")
        if tab:
            mode, _, name, size = head.split()
            if mode in _FILES:
                found[path] = _Blob(name, int(size))
    return found


_FAILED = "git refused"


def _git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, arguments without a shell
            command, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise GitUnreadable("git is not installed, so no commit can be read") from None
    except subprocess.TimeoutExpired:
        raise GitUnreadable("git did not answer in time") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace")
    if "dubious ownership" in said:
        raise GitUnreadable("git trusts no repository of another user; add it to its setting safe.directory")
    if "not a git repository" in said:
        raise GitUnreadable(f"{folder} lies in no git repository")
    raise GitUnreadable(_FAILED)
