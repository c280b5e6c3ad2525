# SPDX-License-Identifier: Apache-2.0
"""The publication of a stream: made, and kept to the tables that the plan names, where it is ours."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.session import Connection, rows
from dictamesh.runtime.capture.postgres.tables import Table

_GENERATED_SINCE = 180_000
_OURS = "DictaMesh: tables whose changes a mesh follows."
_DOING = "managing the publication"
_FIND = b"""
SELECT p.oid, p.puballtables AS everything, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AS whole,
       p.pubviaroot AS via_root, coalesce(obj_description(p.oid, 'pg_publication') = %(ours)s, false) AS ours
  FROM pg_publication p WHERE p.pubname = %(name)s
"""
_TABLES = b"""
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, t.attnames::text[] AS columns
  FROM pg_publication_tables t
  JOIN pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
 WHERE t.pubname = %(name)s
"""


async def publish(connection: Connection, name: str, tables: Sequence[Table]) -> None:
    """See that a publication tells of `tables`: make it, add tables, take out those that the plan has no more.

    One that somebody else made is never altered. Raises `CaptureFailed` with the statement that helps.
    """
    found = await rows(connection, _FIND, {"name": name, "ours": _OURS}, doing=_DOING)
    if not found:
        await _create(connection, name, tables)
        return
    has = {row["oid"]: row for row in await rows(connection, _TABLES, {"name": name}, doing=_DOING)}
    missing = [table for table in tables if table.oid not in has]
    if not found[0]["ours"]:
        _fits(name, found[0], missing)
        return
    extra = [row for oid, row in has.items() if oid not in {table.oid for table in tables}]
    if missing:
        await _alter(connection, name, "ADD", [table.identifier for table in missing])
    if extra:
        await _alter(connection, name, "DROP", [sql.Identifier(row["schema"], row["name"]) for row in extra])


async def unpublish(connection: Connection, name: str) -> bool:
    """Drop a publication that is ours; raises `CaptureFailed`."""
    found = await rows(connection, _FIND, {"name": name, "ours": _OURS}, doing=_DOING)
    if not found or not found[0]["ours"]:
        return False
    await rows(connection, sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name)), doing=_DOING)
    return True


async def published(connection: Connection, name: str) -> frozenset[int]:
    """Return the OIDs of the tables that a publication tells of; raises `CaptureFailed`."""
    return frozenset(row["oid"] for row in await rows(connection, _TABLES, {"name": name}, doing=_DOING))


def _fits(name: str, found: dict[str, Any], missing: Sequence[Table]) -> None:
    if not found["whole"]:
        raise CaptureFailed(
            f"publication {name} leaves out a kind of change",
            f"ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')",
        )
    if missing:
        listed = ", ".join(table.shown for table in missing)
        via = "" if found["via_root"] else "; for partitioned tables set publish_via_partition_root = true as well"
        raise CaptureFailed(
            f"publication {name}, which is not of this mesh, leaves out {listed}",
            f"ALTER PUBLICATION {name} ADD TABLE {listed}{via}; or name another one",
        )


async def _create(connection: Connection, name: str, tables: Sequence[Table]) -> None:
    options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
    if connection.info.server_version >= _GENERATED_SINCE:
        options += ", publish_generated_columns = stored"
    statement = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})").format(
        sql.Identifier(name),
        sql.SQL(", ").join(table.identifier for table in tables),
        sql.SQL(options),
    )
    comment = sql.SQL("COMMENT ON PUBLICATION {} IS {}").format(sql.Identifier(name), sql.Literal(_OURS))
    cures = await _rights(connection, name, tables)
    async with connection.transaction():
        await rows(connection, statement, doing=_DOING, cures=cures)
        await rows(connection, comment, doing=_DOING)


async def _alter(connection: Connection, name: str, verb: str, tables: Sequence[sql.Identifier]) -> None:
    statement = sql.SQL("ALTER PUBLICATION {} {} TABLE {}").format(
        sql.Identifier(name),
        sql.SQL(verb),
        sql.SQL(", ").join(tables),
    )
    shown = ", ".join(table.as_string() for table in tables)
    cure = f"let the owner run: ALTER PUBLICATION {name} {verb} TABLE {shown}"
    await rows(connection, statement, doing=_DOING, cures={"42501": cure})


async def _rights(connection: Connection, name: str, tables: Sequence[Table]) -> dict[str, str]:
    (who,) = await rows(connection, b"SELECT current_user AS role, current_database() AS base", doing=_DOING)
    listed = ", ".join(table.shown for table in tables)
    cure = (
        f"GRANT CREATE ON DATABASE {who['base']} TO {who['role']} and make it an owner of the tables; or let their"
        f" owner run: CREATE PUBLICATION {name} FOR TABLE {listed} WITH (publish_via_partition_root = true)"
    )
    return {"42501": cure}
