# SPDX-License-Identifier: Apache-2.0
"""The two trees of a comparison: folders, commits, or what a running mesh serves."""

import contextlib
from pathlib import Path

import uvloop

from dictamesh.runtime.catalog.deployments import Deployment, last
from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import PoolSettings, open_pool
from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import Built, build, build_file
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.documents import Files, Folder, Memory
from dictamesh.specs.documents.git import GitTree, GitUnreadable, repository

GIT = "git:"
RUNNING = "running"


def side(config: Path, named: str, data_dir: str | None = None) -> Built:
    """Build the tree that `named` stands for: `git:REV`, `running`, a folder, or a mesh file.

    `running` is what a mesh of the same name serves, by the catalog. Raises UsageError, and StartFailed or
    CatalogUnavailable where the catalog cannot be asked.
    """
    if named == RUNNING:
        return _running(config, data_dir)
    files, name = _commit(config, named.removeprefix(GIT)) if named.startswith(GIT) else _folder(config, named)
    return build(files, name)


def _running(config: Path, data_dir: str | None) -> Built:
    own = build_file(config)
    if own.plan is None:
        raise UsageError(f"{config} is refused by validate, so the catalog that it names cannot be asked")
    found = uvloop.run(_served(own.plan, config, data_dir))
    if found is None:
        raise UsageError(f"no mesh of the name '{own.plan.name}' has run on this catalog")
    return build(Memory(found.files), found.mesh_file)


async def _served(plan: Plan, config: Path, data_dir: str | None) -> Deployment | None:
    dsn = plan.mesh.catalog.dsn
    if dsn is not None:
        address: str | None = Resolver(config.absolute().parent).text(dsn, "catalog.dsn")
    else:
        address = running_owner(data_dir_of(plan, data_dir))
    if address is None:
        raise StartFailed("no mesh is running on the data folder", "start it, or name another with --data-dir")
    pool = await open_pool(address, PoolSettings(max_size=1, idle=1))
    try:
        return await last(pool, plan.name)
    finally:
        await pool.close()


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
