# SPDX-License-Identifier: Apache-2.0
"""What the mesh took out does not come back by itself, and versions go on."""

from dictamesh.runtime.capture.contract import Batch, Seen
from dictamesh.runtime.lifecycle.withdrawal import announcer, withdraw
from tests.integration.capture.conftest import Mesh, counts, row


async def take_out(mesh: Mesh, record: str, reason: str) -> None:
    announcing = await announcer(mesh.pool, mesh.plan.name, mesh.entity)
    async with mesh.pool.transaction() as connection:
        await withdraw(connection, "Customer", [record], announcing, reason)  # type: ignore[arg-type]


async def test_an_erased_record_leaves_no_hash_and_stays_away_while_its_source_is_late(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1"), row("c2")]))
    await take_out(mesh, "c1", "erasure")
    kept = await mesh.pool.rows(
        b"SELECT version, deleted, field_hashes, content_hash, withdrawn"
        b" FROM dictamesh_entity_state WHERE entity_id = 'c1'"
    )
    assert kept == [{"version": 2, "deleted": True, "field_hashes": b"", "content_hash": b"", "withdrawn": "erasure"}]
    assert counts(await recorder.record(Batch(mesh.state, [row("c1"), row("c1", "other")]))) == (0, 0, 0, 2, 0)
    assert await mesh.told() == [("c1", "1", "CREATED"), ("c1", "2", "DELETED"), ("c2", "1", "CREATED")]


async def test_once_the_source_has_followed_the_key_may_be_used_again(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1"), row("c2")]))
    await take_out(mesh, "c1", "erasure")
    await recorder.record(Batch(mesh.state, [Seen(columns={"id": "c1"}, deleted=True)]))
    assert counts(await recorder.record(Batch(mesh.state, [row("c1", "new")]))) == (1, 0, 0, 0, 0)
    assert (await mesh.told())[:3] == [("c1", "1", "CREATED"), ("c1", "2", "DELETED"), ("c1", "3", "CREATED")]
    await take_out(mesh, "c2", "erasure")
    await recorder.record(Batch(mesh.state, pass_id="p"))
    await recorder.record(Batch(mesh.state, [row("c1", "new")], complete="p"))
    assert counts(await recorder.record(Batch(mesh.state, [row("c2")]))) == (1, 0, 0, 0, 0)


async def test_what_retention_took_out_comes_back_when_its_source_changes_it(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1")]))
    await take_out(mesh, "c1", "retention")
    assert counts(await recorder.record(Batch(mesh.state, [row("c1")]))) == (0, 0, 0, 1, 0)
    assert counts(await recorder.record(Batch(mesh.state, [row("c1", "new")]))) == (1, 0, 0, 0, 0)
    assert [version for _, version, _ in await mesh.told()] == ["1", "2", "3"]


async def test_a_record_that_was_erased_before_it_was_captured_is_not_announced(mesh: Mesh) -> None:
    await take_out(mesh, "c1", "erasure")
    assert counts(await mesh.recorder().record(Batch(mesh.state, [row("c1")]))) == (0, 0, 0, 1, 0)


async def test_versions_go_on_where_the_log_knows_more_than_the_state(mesh: Mesh) -> None:
    recorder = mesh.recorder()
    await recorder.record(Batch(mesh.state, [row("c1"), row("c1", "b")]))
    await mesh.pool.execute(b"DELETE FROM dictamesh_entity_state", ())
    await recorder.record(Batch(mesh.state, [row("c1", "b")]))
    assert [version for _, version, _ in await mesh.told()] == ["1", "2", "3"]
