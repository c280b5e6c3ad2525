# SPDX-License-Identifier: Apache-2.0
"""Migrations on both servers: up, down one, status, together, and what they refuse (MC-1, MC-2, MC-15, MC-16)."""

import asyncio
import dataclasses

import pytest

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.migrate import Migration, down, known_migrations, status, up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool

NAMES = """
SELECT 'relation' AS kind, c.relname AS name FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f')
UNION ALL SELECT 'index', c.relname FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'i'
   AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid AND o.contype IN ('p', 'u'))
UNION ALL SELECT 'constraint ' || contype::text, conname FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
"""
PREFIX = {
    "relation": "dictamesh_",
    "index": "idx_dictamesh_",
    "constraint p": "pk_dictamesh_",
    "constraint u": "uq_dictamesh_",
    "constraint f": "fk_dictamesh_",
    "constraint c": "chk_dictamesh_",
    "function": "dictamesh_",
    "trigger": "trg_dictamesh_",
}
COMMENTS = """
SELECT c.relname AS name, d.objsubid AS part, d.description AS text FROM pg_class c
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL SELECT proname, 0, obj_description(oid, 'pg_proc') FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT typname, 0, obj_description(oid, 'pg_type') FROM pg_type
 WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
"""
ENTITY_CATALOG = [
    "id",
    "entity_type",
    "domain",
    "source_system",
    "source_entity_id",
    "api_base_url",
    "api_path_template",
    "api_method",
    "api_auth_type",
    "schema_id",
    "schema_version",
    "created_at",
    "updated_at",
    "last_seen_at",
    "status",
    "availability_sla",
    "latency_p99_ms",
    "freshness_sla_seconds",
    "contains_pii",
    "data_classification",
    "retention_days",
]
RELATIONSHIPS = [
    "id",
    "subject_catalog_id",
    "subject_entity_type",
    "subject_entity_id",
    "relationship_type",
    "relationship_cardinality",
    "object_catalog_id",
    "object_entity_type",
    "object_entity_id",
    "valid_from",
    "valid_to",
    "subject_display_name",
    "object_display_name",
    "relationship_metadata",
    "created_by_event_id",
    "created_at",
]
SCHEMAS = [
    "id",
    "entity_type",
    "version",
    "schema_format",
    "schema_definition",
    "backward_compatible",
    "forward_compatible",
    "published_at",
    "deprecated_at",
    "retired_at",
]
EVENT_LOG = [
    "id",
    "event_id",
    "event_type",
    "catalog_id",
    "entity_type",
    "entity_id",
    "changed_fields",
    "encoded",
    "event_payload",
    "trace_id",
    "span_id",
    "event_timestamp",
    "ingested_at",
]
VERSIONS = [step.version for step in known_migrations()]
EVERYTHING = """
SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'dictamesh_schema_migrations'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
   AND conrelid <> 'dictamesh_schema_migrations'::regclass
"""


async def everything(pool: Pool) -> set[str]:
    """Tables, indexes, functions, types and constraints as the database writes them."""
    return {row["name"] for row in await pool.rows(EVERYTHING.encode())}


async def columns(pool: Pool, table: str) -> set[str]:
    statement = b"SELECT column_name FROM information_schema.columns WHERE table_name = %(table)s"
    return {row["column_name"] for row in await pool.rows(statement, {"table": table})}


def broken(version: int) -> Migration:
    return Migration(version, "broken", b"CREATE TABLE dictamesh_half (); SELECT 1/0", b"", "c")


async def test_up_status_down_up(pool: Pool) -> None:
    before = await status(pool)
    assert (before.version, len(before.pending)) == (0, len(known_migrations()))
    assert await columns(pool, "dictamesh_schema_migrations") == set(), "status changes nothing"
    assert [step.version for step in await up(pool)] == VERSIONS
    assert await up(pool) == []
    after = await status(pool)
    assert (after.version, after.pending) == (VERSIONS[-1], ())
    full = await everything(pool)
    for index, version in reversed(list(enumerate(VERSIONS))):
        undone = await down(pool)
        assert undone is not None
        assert undone.version == version, "down is one step"
        assert (await status(pool)).version == (VERSIONS[index - 1] if index else 0)
    assert await everything(pool) == {"dictamesh_schema_migrations"}
    assert await down(pool) is None
    assert [step.version for step in await up(pool)] == VERSIONS
    assert await everything(pool) == full


async def test_columns(catalog: Pool) -> None:
    assert set(ENTITY_CATALOG) <= await columns(catalog, "dictamesh_entity_catalog")
    assert set(RELATIONSHIPS) <= await columns(catalog, "dictamesh_entity_relationships")
    assert {*EVENT_LOG, "topic", "partition", "offset"} == await columns(catalog, "dictamesh_event_log")
    assert set(SCHEMAS) == await columns(catalog, "dictamesh_schemas")


async def test_names_and_comments_keep_the_convention(catalog: Pool) -> None:
    found = await catalog.rows(NAMES.encode())
    assert {row["kind"] for row in found} == set(PREFIX), "the query sees every kind of name"
    assert [row for row in found if not row["name"].startswith(PREFIX[row["kind"]])] == []
    comments = await catalog.rows(COMMENTS.encode())
    assert len(comments) >= 7
    assert [row for row in comments if not (row["text"] or "").startswith("DictaMesh:")] == []


async def test_many_runtimes_migrate_at_the_same_time(dsn: str) -> None:
    pools = [await open_pool(dsn, PoolSettings(max_size=2, idle=1)) for _ in range(4)]
    try:
        done = await asyncio.gather(*(up(pool) for pool in pools))
        assert sorted(step.version for steps in done for step in steps) == VERSIONS
    finally:
        for pool in pools:
            await pool.close()


async def test_failed_migration_leaves_nothing(pool: Pool) -> None:
    steps = [*known_migrations(), broken(VERSIONS[-1] + 1)]
    with pytest.raises(CatalogUnavailable, match="SQLSTATE 22012"):
        await up(pool, steps)
    assert (await status(pool, steps)).version == VERSIONS[-1]
    assert await pool.rows(b"SELECT 1 FROM pg_class WHERE relname = 'dictamesh_half'") == []


async def test_newer_database_is_refused(catalog: Pool) -> None:
    with pytest.raises(CatalogUnavailable, match=f"migration {VERSIONS[-1]}, which this release does not know"):
        await up(catalog, known_migrations()[:-1])


async def test_changed_text_is_refused(catalog: Pool) -> None:
    first, *others = known_migrations()
    for action in (up, down, status):
        with pytest.raises(CatalogUnavailable, match=r"migration 1 \(catalog\) was applied with another text"):
            await action(catalog, [dataclasses.replace(first, checksum="other"), *others])


async def test_dirty_mark_is_refused(catalog: Pool) -> None:
    await catalog.execute(b"UPDATE dictamesh_schema_migrations SET dirty = true WHERE version = 2", ())
    with pytest.raises(CatalogUnavailable, match="marked dirty"):
        await up(catalog)


OLD_ROWS = b"""
INSERT INTO dictamesh_entity_catalog (mesh, product_id, product_version, entity_type, domain, source_system, key_fields,
       data_classification)
VALUES ('acme', 'a', '1', 'A', 'd', 's', '{id}', 'public'), ('acme', 'b', '1', 'B', 'd', 's', '{id}', 'public');
INSERT INTO dictamesh_entity_relationships (subject_catalog_id, subject_entity_type, relationship_type,
       relationship_cardinality, object_catalog_id, object_entity_type, object_display_name, valid_from, valid_to)
SELECT a.id, 'A', 'bees', 'one-to-many', b.id, 'B', 'a', now() - i, CASE WHEN i > '1 day' THEN now() END
  FROM dictamesh_entity_catalog a, dictamesh_entity_catalog b, unnest(ARRAY['2 days', '1 day']::interval[]) i
 WHERE a.entity_type = 'A' AND b.entity_type = 'B'
"""


async def test_rows_of_the_first_release_become_part_of_the_graph(pool: Pool) -> None:
    await up(pool, [step for step in known_migrations() if step.version <= 2])
    async with pool.transaction() as connection:
        await connection.execute(OLD_ROWS)
    await up(pool)
    kinds = await pool.rows(b"SELECT * FROM dictamesh_relation_kinds")
    assert [(row["subject_entity_type"], row["relationship_type"], row["inverse"]) for row in kinds] == [
        ("A", "bees", "a")
    ]
    statement = b"""
    SELECT s.entity_type AS subject, o.entity_type AS object, e.first_seen_at = e.valid_from AS since, e.kind
      FROM dictamesh_entity_relationships e
      JOIN dictamesh_entity_catalog s ON s.node = e.subject_node
      JOIN dictamesh_entity_catalog o ON o.node = e.object_node
    """
    expected = {"subject": "A", "object": "B", "since": True, "kind": kinds[0]["kind"]}
    assert await pool.rows(statement) == [expected] * 2
