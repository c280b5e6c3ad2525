# SPDX-License-Identifier: Apache-2.0
"""May another user enter a folder or read a file? Asked of mode bits alone; a group's rights do not count."""

import os
from collections.abc import Iterable
from pathlib import Path


def can_enter(folder: Path, uid: int) -> bool:
    """Whether ``uid`` may pass through ``folder`` and every parent of it."""
    resolved = folder.resolve()
    return all(_allows(step, uid, 0o1) for step in (resolved, *resolved.parents))


def readable_tree(root: Path, files: Iterable[Path], uid: int) -> bool:
    """Whether ``uid`` may read each of ``files`` (relative to ``root``) and enter the folders on the way."""
    if not can_enter(root, uid):
        return False
    folders: set[Path] = set()
    for file in files:
        folders.update((root / file).relative_to(root).parents)
        if not _allows(root / file, uid, 0o4):
            return False
    return all(_allows(root / folder, uid, 0o5) for folder in folders)


def _allows(path: Path, uid: int, bits: int) -> bool:
    status = os.stat(path)
    return (status.st_mode >> (6 if status.st_uid == uid else 0)) & bits == bits
