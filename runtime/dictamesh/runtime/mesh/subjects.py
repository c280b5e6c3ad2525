# SPDX-License-Identifier: Apache-2.0
"""The key that turns subjects into audit tokens (S30): one of `security.keys`, or one kept in the data folder."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed

FILE_NAME = "audit.key"
SIZE = 32


def audit_key(plan: Plan, keys: Mapping[str, bytes], data_dir: Path) -> bytes:
    """Return the key; replicas of one mesh share it through `audit: {key: NAME}`. Raises StartFailed."""
    if plan.mesh.audit.key is not None:
        return keys[plan.mesh.audit.key]
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _create(path)
        found = path.read_bytes()
    except OSError as error:
        raise StartFailed(
            f"the audit key {path} cannot be kept ({error.strerror})",
            "see the rights of the folder, or choose another --data-dir",
        ) from None
    if len(found) != SIZE:
        raise StartFailed(
            f"the audit key {path} is damaged", "restore it from a backup; tokens of a new key match no old ones"
        )
    return found


def _create(path: Path) -> None:
    """Write a new key whole or not at all, unless there is one."""
    if path.exists():
        return
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
