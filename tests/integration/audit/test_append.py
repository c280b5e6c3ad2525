# SPDX-License-Identifier: Apache-2.0
"""Appending to the chains: whole batches, one chain for all writers, rows from before the chains (S30)."""

import asyncio
import uuid
from typing import Any

import psycopg
import pytest

from dictamesh.runtime.audit.append import Appender, append_rows
from dictamesh.runtime.audit.chain import genesis, hash_of
from dictamesh.runtime.audit.earlier import UNKNOWN, chain_earlier_rows
from dictamesh.runtime.audit.log import open_audit, write_rows
from dictamesh.runtime.audit.reading import read_entries
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.migrate import down, known_migrations, status, up
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.governance.audit import AuditRow


def row(product: str = "customers", **changes: object) -> AuditRow:
    return AuditRow("desk", product, "Customer", "plan", **changes)


async def chains(pool: Pool) -> dict[str, list[dict[str, Any]]]:
    """The rows by product in the order of their chain; fails where one does not follow the other."""
    found: dict[str, list[dict[str, Any]]] = {}
    async for entry in read_entries(pool):
        chain = found.setdefault(entry["product"], [])
        before = chain[-1]["hash"] if chain else genesis(entry["product"])
        assert entry["previous_hash"] == before
        assert entry["hash"] == hash_of(entry)
        same_day = bool(chain) and chain[-1]["day"] == entry["day"]  # a test may run over midnight
        assert entry["sequence"] == (chain[-1]["sequence"] + 1 if same_day else 1)
        chain.append(entry)
    tips = await pool.rows(b"SELECT product, encode(hash, 'hex') AS hash, row_count FROM dictamesh_audit_chains")
    assert {each["product"]: (each["hash"], each["row_count"]) for each in tips} == {
        product: (chain[-1]["hash"], len(chain)) for product, chain in found.items()
    }
    return found


async def test_a_batch_over_several_products(catalog: Pool) -> None:
    appender = Appender(catalog)
    for _ in range(3):
        await appender.append([row(), row("invoices"), row()])
    found = await chains(catalog)
    assert {product: len(chain) for product, chain in found.items()} == {"customers": 6, "invoices": 3}


async def test_writers_of_several_processes_share_the_chains(dsn: str, catalog: Pool) -> None:
    pools = [await open_pool(dsn, PoolSettings(max_size=2, idle=1)) for _ in range(3)]
    logs = [open_audit(pool) for pool in pools]
    names = ("customers", "invoices", "products")
    made = [row(names[number % 3]) for number in range(300)]
    await asyncio.gather(*(logs[number % 3].record([each]) for number, each in enumerate(made)))
    await asyncio.gather(*(log.record([row(name) for name in names]) for log in logs for _ in range(20)))
    for log, pool in zip(logs, pools, strict=True):
        await log.close()
        await pool.close()
    found = await chains(catalog)
    ids = {entry["id"] for chain in found.values() for entry in chain}
    assert {str(each.id) for each in made} <= ids
    assert len(ids) == 480


async def test_what_another_writer_added_is_found_before_the_next_row(catalog: Pool) -> None:
    mine, theirs = Appender(catalog), Appender(catalog)
    for _ in range(4):
        await mine.append([row()])
        await theirs.append([row("invoices"), row()])
        await theirs.append([row()])
    assert {product: len(chain) for product, chain in (await chains(catalog)).items()} == {
        "customers": 12,
        "invoices": 4,
    }


async def test_a_row_that_is_there_is_left_alone_by_either_way(catalog: Pool) -> None:
    appender, first, second = Appender(catalog), row(), row()
    await appender.append([first])
    await appender.append([second, first, second])
    await appender.append([first])
    async with catalog.transaction() as connection:
        assert (await append_rows(connection, [first, second])).entries == []
    (chain,) = (await chains(catalog)).values()
    assert [entry["id"] for entry in chain] == [str(first.id), str(second.id)]


async def test_a_refused_batch_leaves_the_chain_as_it_was(catalog: Pool) -> None:
    appender = Appender(catalog)
    await appender.append([row()])
    with pytest.raises(CatalogUnavailable, match="22P05"):
        await appender.append([row(), row(purpose="\0")])
    with pytest.raises(CatalogUnavailable, match="22P05"):
        await Appender(catalog).append([row(purpose="\0")])
    await appender.append([row()])
    assert len((await chains(catalog))["customers"]) == 2


async def test_a_tip_that_was_moved_by_hand_lets_nothing_in_at_its_place(catalog: Pool) -> None:
    await write_rows(catalog, [row(), row()])
    await catalog.execute(b"UPDATE dictamesh_audit_chains SET sequence = 1, row_count = 1", ())
    with pytest.raises(CatalogUnavailable, match="23505"):
        await Appender(catalog).append([row()])


async def test_rows_from_before_the_chains_are_chained_in_their_order(pool: Pool) -> None:
    steps = known_migrations()
    await up(pool, steps[:3])
    await pool.execute(  # as the release before registered them
        b"INSERT INTO dictamesh_entity_catalog (mesh, product_id, product_version, entity_type, domain, source_system,"
        b" source_entity_id, key_fields, data_classification)"
        b" VALUES ('acme', 'customers', '1', 'Customer', 'd', 's', '*', '{id}', 'public'),"
        b" ('acme', 'invoices', '1', 'Invoice', 'd', 's', '*', '{id}', 'public')",
        (),
    )
    ids = [uuid.uuid4() for _ in range(2500)]
    async with pool.transaction() as connection, connection.cursor() as cursor:
        await cursor.executemany(
            b"INSERT INTO dictamesh_audit_logs (id, occurred_at, recorded_at, principal, operation, entity_type,"
            b" fields, denied_fields, success, subject_tokens, subject_count, occurrences, plan_hash, duration_ms)"
            b" VALUES (%s, now(), now() + %s * interval '1 second', 'desk', 'READ', %s, '{email}', '{}', true,"
            b" '{t1}', 1, 1, 'plan', 1.5)",
            [(each, number, ("Customer", "Invoice", "Gone")[number % 3]) for number, each in enumerate(ids)],
        )
    await up(pool)
    assert await chain_earlier_rows(pool) == 2500
    assert await chain_earlier_rows(pool) == 0
    await write_rows(pool, [row()])
    found = await chains(pool)
    assert {product: len(chain) for product, chain in found.items()} == {
        "customers": 835,
        "invoices": 833,
        UNKNOWN: 833,
    }
    assert [entry["id"] for entry in found["customers"][:-1]] == [str(each) for each in ids[::3]]
    assert found["customers"][0]["duration_ms"] == 1.5
    while (await status(pool)).version > 3:
        await down(pool)
    (left,) = await pool.rows(b"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM dictamesh_audit_logs")
    assert left == {"n": 2501, "ids": 2501}
    with pytest.raises(CatalogUnavailable, match="42501"):
        await pool.execute(b"DELETE FROM dictamesh_audit_logs", ())


async def test_going_back_keeps_rows_that_were_never_chained(pool: Pool) -> None:
    steps = known_migrations()
    await up(pool, steps[:3])
    await pool.execute(
        b"INSERT INTO dictamesh_audit_logs (id, occurred_at, operation, entity_type, fields, denied_fields, success,"
        b" subject_tokens, subject_count, occurrences, plan_hash)"
        b" VALUES (%s, now(), 'READ', 'Customer', '{}', '{}', true, '{}', 0, 1, 'plan')",
        (uuid.uuid4(),),
    )
    await up(pool, steps[:4])
    await write_rows(pool, [row()])
    await down(pool, steps[:4])
    assert (await pool.rows(b"SELECT count(*) AS n FROM dictamesh_audit_logs"))[0]["n"] == 2
    await up(pool)
    assert await chain_earlier_rows(pool) == 2


async def test_a_user_who_may_not_drop_the_old_table_still_starts(dsn: str, pool: Pool) -> None:
    steps = known_migrations()
    await up(pool, steps[:3])
    await pool.execute(
        b"INSERT INTO dictamesh_audit_logs (id, occurred_at, operation, entity_type, fields, denied_fields, success,"
        b" subject_tokens, subject_count, occurrences, plan_hash)"
        b" VALUES (%s, now(), 'READ', 'Customer', '{}', '{}', true, '{}', 0, 1, 'plan')",
        (uuid.uuid4(),),
    )
    await up(pool)
    name = f"dictamesh_test_{uuid.uuid4().hex[:8]}"
    async with pool.transaction() as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        await connection.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {name}".encode())
    theirs = await open_pool(psycopg.conninfo.make_conninfo(dsn, user=name), PoolSettings(max_size=2, idle=1))
    try:
        assert await chain_earlier_rows(theirs) == 1
        assert await chain_earlier_rows(theirs) == 1, "read again, chained once"
        assert len((await chains(pool))[UNKNOWN]) == 1
    finally:
        await theirs.close()
        async with pool.transaction() as connection:
            await connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())
