# SPDX-License-Identifier: Apache-2.0
"""An empty catalog is what it was, but for history, after the specs, a fresh snapshot and the log have filled it."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.events.reading import following
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.specs.model import Runtime
from tests.support.running import until
from tests.support.subscribing import Heard, heard

EDITS = {
    "capture: false": "capture: true, lease: 0.2s",
    "{poll: {cursor: name}}": "{snapshot: {every: 0.3s}}",
    "{poll: {cursor: colour}}": "{snapshot: {every: 0.3s}}",
}
EDGES = b"""
SELECT subject_entity_type, subject_entity_id, relationship_type, object_entity_type, object_entity_id
  FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*' AND valid_to IS NULL
"""
RECORDS = b"""
SELECT entity_type, source_entity_id, status, product_id, domain, data_classification, contains_pii
  FROM dictamesh_entity_catalog WHERE status = 'active'
"""
# What is history, or would be another mesh: the log and its counters, the audit, keys, which migrations ran.
KEPT = ("event", "audit", "subject", "schema", "migration", "erasure", "dead")
TABLES = b"""
SELECT relname FROM pg_class
 WHERE relkind IN ('r', 'p') AND relname LIKE 'dictamesh_%' AND NOT relispartition
"""


async def shown(people: Heard) -> tuple[set[Any], set[Any]]:
    pool = people.mesh.store.pool
    edges, records = await pool.rows(EDGES), await pool.rows(RECORDS)
    return {tuple(row.values()) for row in edges}, {tuple(row.values()) for row in records}


async def log(people: Heard) -> list[LoggedEvent]:
    pool = people.mesh.store.pool
    return await following(pool, people.mesh.consuming.topics(), {}).more()


async def again(people: Heard) -> Heard:
    """The same mesh started anew."""
    config = people.folder / "mesh.yaml"
    built = build_file(config)
    assert built.plan is not None
    settings = Runtime(port=0, metrics_port=0, data_dir=str(people.folder / "data"), watch=False, shutdown_timeout=5)
    return Heard(await start_mesh(Start(config, built, built.plan, settings)), people.folder)


async def test_an_empty_catalog_becomes_what_it_was(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with heard(tmp_path, dsn, monkeypatch, edits=EDITS) as people:

        async def told(count: int) -> bool:
            return len(await log(people)) >= count

        await until(lambda: told(5), "three people and two badges are told of")
        people.sql("INSERT INTO people VALUES ('4', 'Dee', 'DE', NULL, '2')")
        await until(lambda: told(6), "a fourth one is")
        people.sql("UPDATE people SET boss_id = '2' WHERE id = '3'")
        await until(lambda: told(7), "a change is")
        people.sql("DELETE FROM people WHERE id = '4'")
        await until(lambda: told(8), "a delete is")
        people.sql("INSERT INTO people VALUES ('4', 'Dee', 'DE', NULL, '1')")
        await until(lambda: told(9), "a second life is")

        async def related() -> bool:
            found = {(edge[1], edge[4]) for edge in (await shown(people))[0] if edge[2] == "boss"}
            return found == {("2", "1"), ("3", "2"), ("4", "1")}

        await until(related, "the catalog has read everything")
        before, versions = await shown(people), await newest(people)
        await people.stop()

    empty = await again(people)
    pool = empty.mesh.store.pool
    names = [row["relname"] for row in await pool.rows(TABLES)]
    await empty.stop()
    await emptied(dsn, [name for name in names if not any(part in name for part in KEPT)])

    people = await again(people)
    try:

        async def same() -> bool:
            return await shown(people) == before

        await until(same, "the catalog is what it was")
        await until(lambda: told(9 + 6), "the snapshot is told, as nothing was known of any record")
        await until(same, "the catalog is still what it was")
        after = await newest(people)
        assert after.keys() == versions.keys()
        assert all(after[each] > versions[each] for each in versions), "versions go on"
    finally:
        await people.stop()


async def newest(people: Heard) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for each in await log(people):
        key, version = (each.entity_type, each.entity_id), int(each.envelope["entity"]["version"])
        assert version > found.get(key, 0), "never back"
        found[key] = version
    return found


async def emptied(dsn: str, names: list[str]) -> None:
    assert any("entity_catalog" in name for name in names)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        tables = sql.SQL(", ").join(sql.Identifier(name) for name in names)
        await connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))


async def test_what_went_while_the_state_was_lost_is_told_of(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with heard(tmp_path, dsn, monkeypatch, edits=EDITS) as people:

        async def told(count: int) -> bool:
            return len(await log(people)) >= count

        await until(lambda: told(5), "three people and two badges are told of")
        await people.stop()
    await emptied(dsn, ["dictamesh_entity_catalog", "dictamesh_entity_state", "dictamesh_capture_state"])
    people.sql("DELETE FROM people WHERE id = '3'")
    people = await again(people)
    try:
        await until(lambda: told(5 + 4 + 1), "four are told of anew, and one of as gone")
        (gone,) = [each for each in await log(people) if each.event_type == "DELETED"]
        assert (gone.entity_id, gone.envelope["entity"]["version"]) == ("3", "2")

        async def without() -> bool:
            return {row[1] for row in (await shown(people))[1] if row[0] == "Person"} == {"*", "1", "2"}

        await until(without, "the catalog does not show it")
    finally:
        await people.stop()
