# SPDX-License-Identifier: Apache-2.0
"""The spec files of what a mesh serves, kept whenever its plan changes."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from dictamesh.runtime.catalog.pool import Pool

_KEEP = 100
_INSERT = b"""
INSERT INTO dictamesh_deployments (mesh, plan_hash, mesh_file, files)
SELECT %(mesh)s, %(plan_hash)s, %(mesh_file)s, %(files)s::jsonb
 WHERE %(plan_hash)s IS DISTINCT FROM (
       SELECT plan_hash FROM dictamesh_deployments WHERE mesh = %(mesh)s ORDER BY id DESC LIMIT 1)
"""
_FORGET = b"""
DELETE FROM dictamesh_deployments d
 WHERE d.mesh = %(mesh)s
   AND d.id <= (SELECT id FROM dictamesh_deployments WHERE mesh = %(mesh)s ORDER BY id DESC OFFSET %(keep)s LIMIT 1)
"""
_LAST = b"""
SELECT mesh, plan_hash, mesh_file, files FROM dictamesh_deployments WHERE mesh = %(mesh)s ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Spec files as they were served: texts by path relative to the folder of `mesh_file`."""

    mesh: str
    plan_hash: str
    mesh_file: str
    files: Mapping[str, str]


async def remember(pool: Pool, deployed: Deployment) -> None:
    """Keep what is served now, unless it is what was kept last; the last 100 stay. Raises `CatalogUnavailable`."""
    # lone surrogates of a text cannot be stored, and no plan comes of such a text
    files = orjson.dumps(dict(deployed.files)).decode()
    said = {"mesh": deployed.mesh, "plan_hash": deployed.plan_hash, "mesh_file": deployed.mesh_file, "files": files}
    async with pool.transaction() as connection:
        await connection.execute(_INSERT, said)
        await connection.execute(_FORGET, {"mesh": deployed.mesh, "keep": _KEEP})


async def last(pool: Pool, mesh: str) -> Deployment | None:
    """Return what a mesh served last; None where it has never run on this catalog. Raises `CatalogUnavailable`."""
    rows = await pool.rows(_LAST, {"mesh": mesh})
    return Deployment(**rows[0]) if rows else None
