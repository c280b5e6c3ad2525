# SPDX-License-Identifier: Apache-2.0
"""What the tables of a stream are at the source now, and whether their changes can be followed at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from dictamesh.connectors.sql.relation import table_parts
from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.session import Connection, rows
from dictamesh.runtime.compile.plan import EntityPlan

_TABLE = b"""
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       c.relpersistence::text AS persistence,
       has_table_privilege(c.oid, 'SELECT') AS readable, current_user AS role
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass(%(name)s)
"""
_COLUMNS = b"""
SELECT attname AS name, format_type(atttypid, atttypmod) AS type
  FROM pg_attribute WHERE attrelid = %(oid)s::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Where a table is partitioned, what deletes and updates tell is decided by each of its leaves.
_IDENTITIES = b"""
SELECT l.relid::regclass::text AS name, c.relreplident::text AS kind,
       ARRAY(SELECT a.attname::text FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
              WHERE i.indrelid = l.relid
                AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
       ) AS columns
  FROM (SELECT relid::oid FROM pg_partition_tree(%(oid)s::oid::regclass) WHERE isleaf
        UNION SELECT oid FROM pg_class WHERE oid = %(oid)s::oid AND relkind = 'r') l
  JOIN pg_class c ON c.oid = l.relid
"""
_FULL = "f"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that feeds an entity; `types` are those of its columns in SQL, by name."""

    oid: int
    schema: str
    name: str
    types: Mapping[str, str]

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """Its name in statements."""
        return sql.Identifier(self.schema, self.name)


async def table_of(connection: Connection, entity: EntityPlan) -> Table:
    """Look at the table of an entity; raises `CaptureFailed` where its changes could not be followed in full."""
    table = await live(connection, entity.source.physical_name)
    _has_columns(table, [column.name for column in entity.source.columns], entity)
    await _identified(connection, table, entity)
    return table


async def live(connection: Connection, physical_name: str) -> Table:
    """Look at a table; raises `CaptureFailed` where it is none that is logged, or may not be read."""
    name = ".".join('"' + part.replace('"', '""') + '"' for part in table_parts(physical_name))
    found = await rows(connection, _TABLE, {"name": name}, doing="looking at the source's tables")
    if not found:
        raise CaptureFailed(f"the source has no table {physical_name}", "correct physicalName, or create it")
    row = found[0]
    shown = f"{row['schema']}.{row['name']}"
    if row["kind"] not in {"r", "p"}:
        raise CaptureFailed(f"{shown} is no table, so no change of it is logged", "use `poll` or `snapshot`")
    if row["persistence"] != "p":
        raise CaptureFailed(f"{shown} is not logged", f"ALTER TABLE {shown} SET LOGGED")
    if not row["readable"]:
        raise CaptureFailed(f"the role may not read {shown}", f"GRANT SELECT ON {shown} TO {row['role']}")
    columns = await rows(connection, _COLUMNS, {"oid": row["oid"]}, doing="looking at the source's tables")
    return Table(row["oid"], row["schema"], row["name"], {each["name"]: each["type"] for each in columns})


def _has_columns(table: Table, wanted: Sequence[str], entity: EntityPlan) -> None:
    missing = [name for name in wanted if name not in table.types]
    if missing:
        raise CaptureFailed(
            f"{table.shown} has no column {missing[0]}, which {entity.address} reads", "change the spec, or the table"
        )


async def _identified(connection: Connection, table: Table, entity: EntityPlan) -> None:
    """A table without an identity must not get into a publication: its updates would fail for everybody."""
    key = set(entity.source.key)
    for row in await rows(connection, _IDENTITIES, {"oid": table.oid}, doing="looking at replica identities"):
        if row["kind"] == _FULL or key <= set(row["columns"]):
            continue
        columns = ", ".join(sorted(key))
        raise CaptureFailed(
            f"the replica identity of {row['name']} does not hold the key ({columns}) of {entity.address}, so deletes"
            " would tell of nobody",
            f"make it the primary key, or ALTER TABLE {row['name']} REPLICA IDENTITY USING INDEX a unique one over it,"
            " or REPLICA IDENTITY FULL",
        )
