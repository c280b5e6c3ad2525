# SPDX-License-Identifier: Apache-2.0
"""Starting a mesh."""

from pathlib import Path

from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.running import RunningMesh
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.store import open_store
from dictamesh.runtime.observe.drain import Drain
from dictamesh.runtime.observe.metrics import Metrics
from dictamesh.specs.resolve.mesh import LOOPBACK


async def start_mesh(start: Start) -> RunningMesh:
    """Start a mesh and return once it is ready; raises StartFailed with nothing left running."""
    if start.plan.mesh.security is None and start.settings.host not in LOOPBACK:
        raise StartFailed(
            f"without 'security' the runtime stays on loopback, not on {start.settings.host}",
            "add a 'security' block to the mesh file, or leave --host at 127.0.0.1",
        )
    metrics = Metrics()
    drain = Drain(on_change=lambda count: metrics.set("operations_in_flight", count))
    resolver = Resolver(start.config.parent)
    store = await open_store(start.plan.mesh.catalog, Path(start.settings.data_dir), resolver)
    mesh = RunningMesh(start, store, metrics, drain)
    try:
        await mesh.open()
    except BaseException:
        await mesh.stop()
        raise
    return mesh
