# SPDX-License-Identifier: Apache-2.0
"""Numbered pairs of SQL files, each applied in one transaction under a lock that all runtimes share (MC-15)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.up\.sql")
# Any constant serves, as long as every release uses the same.
_LOCK = b"SELECT pg_advisory_xact_lock(7163846501)"
_LEDGER = b"""
CREATE TABLE IF NOT EXISTS dictamesh_schema_migrations (
    version    integer     NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    dirty      boolean     NOT NULL DEFAULT false,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_schema_migrations PRIMARY KEY (version)
);
COMMENT ON TABLE dictamesh_schema_migrations IS 'DictaMesh: which migrations this database has.'
"""
_APPLIED = b"SELECT version, name, checksum, dirty, applied_at FROM dictamesh_schema_migrations ORDER BY version"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; ``checksum`` is the SHA-256 of its way up."""

    version: int
    name: str
    up: bytes
    down: bytes
    checksum: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of the database's ledger."""

    version: int
    name: str
    checksum: str
    dirty: bool
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """``version`` is 0 for an empty database; ``pending`` is in the order in which ``up`` would apply it."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]

    @property
    def version(self) -> int:
        """Number of the newest step that the database has."""
        return self.applied[-1].version if self.applied else 0


@cache
def known_migrations() -> tuple[Migration, ...]:
    """The migrations of this release, in order."""
    folder = files("dictamesh.runtime.catalog").joinpath("migrations")
    found = []
    for entry in folder.iterdir():
        if match := _FILE.fullmatch(entry.name):
            up = entry.read_bytes()
            down = folder.joinpath(entry.name.replace(".up.sql", ".down.sql")).read_bytes()
            version = int(match["version"])
            found.append(Migration(version, match["name"], up, down, hashlib.sha256(up).hexdigest()))
    return tuple(sorted(found, key=lambda migration: migration.version))


async def up(pool: Pool, known: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply everything that is pending and return it; any number of runtimes may do so at the same time.

    Raises ``CatalogUnavailable`` when the database has a step that this release does not know, or knows differently.
    """
    steps = tuple(known if known is not None else known_migrations())
    done: list[Migration] = []
    while True:
        async with pool.transaction() as connection:
            pending = await _locked_status(connection, steps)
            if not pending.pending:
                return done
            step = pending.pending[0]
            await connection.execute(step.up)
            await connection.execute(
                b"INSERT INTO dictamesh_schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                (step.version, step.name, step.checksum),
            )
        done.append(step)


async def down(pool: Pool, known: Sequence[Migration] | None = None) -> Migration | None:
    """Undo the newest step and return it, or None when there is none. What the step's tables hold is lost."""
    steps = tuple(known if known is not None else known_migrations())
    async with pool.transaction() as connection:
        current = await _locked_status(connection, steps)
        step = next((step for step in steps if step.version == current.version), None)
        if step is None:
            return None
        await connection.execute(step.down)
        await connection.execute(b"DELETE FROM dictamesh_schema_migrations WHERE version = %s", (step.version,))
        return step


async def status(pool: Pool, known: Sequence[Migration] | None = None) -> Status:
    """What the database has and what it lacks; changes nothing, raises as ``up`` does."""
    steps = tuple(known if known is not None else known_migrations())
    async with pool.transaction() as connection:
        cursor = await connection.execute(b"SELECT to_regclass('dictamesh_schema_migrations') IS NOT NULL")
        row = await cursor.fetchone()
        applied = await _applied(connection) if row is not None and row[0] else ()
    return _compared(applied, steps)


async def _locked_status(connection: psycopg.AsyncConnection[TupleRow], steps: tuple[Migration, ...]) -> Status:
    await connection.execute(_LOCK)
    await connection.execute(_LEDGER)
    return _compared(await _applied(connection), steps)


async def _applied(connection: psycopg.AsyncConnection[TupleRow]) -> tuple[Applied, ...]:
    cursor = await connection.execute(_APPLIED)
    return tuple(Applied(*row) for row in await cursor.fetchall())


def _compared(applied: tuple[Applied, ...], steps: tuple[Migration, ...]) -> Status:
    by_version = {step.version: step for step in steps}
    for row in applied:
        step = by_version.get(row.version)
        if step is None:
            raise CatalogUnavailable(
                f"the catalog's database has migration {row.version}, which this release does not know",
                "run the release that made it, or a newer one",
            )
        if step.checksum != row.checksum:
            raise CatalogUnavailable(
                f"migration {row.version} ({row.name}) was applied with another text than this release holds",
                "restore the migration file of the release that applied it",
            )
        if row.dirty:
            raise CatalogUnavailable(
                f"migration {row.version} ({row.name}) is marked dirty: it was applied in part",
                "finish or undo it by hand, then set dirty to false in dictamesh_schema_migrations",
            )
    have = {row.version for row in applied}
    return Status(applied, tuple(step for step in steps if step.version not in have))
