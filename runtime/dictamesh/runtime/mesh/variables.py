# SPDX-License-Identifier: Apache-2.0
"""A loader for dynaconf that reads the keys of `runtime:` from the environment and nothing else."""

import os
from typing import Any

from dictamesh.runtime.mesh.failure import StartFailed


def load(obj: Any, env: str | None = None, silent: bool = True, key: str | None = None, **_: Any) -> None:  # noqa: ARG001 - dynaconf's protocol
    """Set the known keys on `obj`; a text that starts with `@` is refused, as dynaconf would run it."""
    for name in obj.get("KEYS_OF_THE_RUNTIME", ()):
        value = os.environ.get(f"DICTAMESH_{name}")
        if value is None:
            continue
        if value.lstrip().startswith("@"):
            raise StartFailed(f"DICTAMESH_{name} starts with '@'", "write the plain value")
        obj.set(name, value)
