# SPDX-License-Identifier: Apache-2.0
"""The two trees of a comparison: folders, commits, or what a running mesh serves."""

import contextlib
from pathlib import Path

from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.mesh.build import Built, build
from dictamesh.specs.documents import Files, Folder
from dictamesh.specs.documents.git import GitTree, GitUnreadable, repository

GIT = "git:"


def side(config: Path, named: str) -> Built:
    """Build the tree that `named` stands for: `git:REV`, a folder, or a mesh file; raises UsageError."""
    files, name = _commit(config, named.removeprefix(GIT)) if named.startswith(GIT) else _folder(config, named)
    return build(files, name)


def _commit(config: Path, revision: str) -> tuple[Files, str]:
    try:
        return GitTree(config.absolute().parent, revision), config.name
    except GitUnreadable as fault:
        raise UsageError(f"{GIT}{revision} cannot be read: {fault}") from None


def _folder(config: Path, named: str) -> tuple[Files, str]:
    """The mesh file of a tree stands where it does in its own: beside the same name, or at the same place below."""
    path = Path(named)
    tried = [path] if path.is_file() else [path / each for each in _places(config)]
    found = next((each for each in tried if each.is_file()), None)
    if found is None:
        raise UsageError(f"there is no mesh file {' or '.join(dict.fromkeys(map(str, tried)))}")
    return Folder(found.parent), found.name


def _places(config: Path) -> list[Path]:
    places = [config] if not config.is_absolute() else []
    with contextlib.suppress(GitUnreadable, ValueError):
        places.append(config.absolute().relative_to(repository(config.absolute().parent)))
    return [*places, Path(config.name)]
