# SPDX-License-Identifier: Apache-2.0
"""What a start needs."""

from dataclasses import dataclass
from pathlib import Path

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import Built
from dictamesh.specs.model import Runtime


@dataclass(frozen=True, slots=True)
class Start:
    """What a start needs: the mesh file, its plan, the settings of the process."""

    config: Path
    built: Built
    plan: Plan
    settings: Runtime
    accept_weaker: bool = False
