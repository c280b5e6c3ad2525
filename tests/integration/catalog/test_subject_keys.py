# SPDX-License-Identifier: Apache-2.0
"""Keys of data subjects: one each, wrapped, and gone for good once destroyed (SE-7, GV-12)."""

import asyncio

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.subject_keys import WrongWrappingKey, destroy_key, subject_keys, wrapping_key

WRAPPING = wrapping_key(b"a secret of the tests")


async def keys(pool: Pool, *tokens: str, wrapping: object = WRAPPING) -> dict[str, bytes | None]:
    async with pool.transaction() as connection:
        return await subject_keys(connection, wrapping, dict.fromkeys(tokens, "customer"))


async def destroyed(pool: Pool, token: str) -> bool:
    async with pool.transaction() as connection:
        return await destroy_key(connection, token, "customer")


async def test_each_subject_has_one_key_for_good(catalog: Pool) -> None:
    first = await keys(catalog, "t1", "t2")
    assert len(set(first.values())) == 2
    sealed = AESGCM(first["t1"]).encrypt(b"n" * 12, b"payload", None)
    again = await keys(catalog, "t2", "t1", "t3")
    assert {token: again[token] for token in first} == first
    assert AESGCM(again["t1"]).decrypt(b"n" * 12, sealed, None) == b"payload"


async def test_concurrent_writers_agree_on_a_key(catalog: Pool) -> None:
    found = await asyncio.gather(*(keys(catalog, f"t{number % 3}", "t0", "t1", "t2") for number in range(20)))
    assert all(each == found[0] for each in ({name: some[name] for name in ("t0", "t1", "t2")} for some in found))


async def test_the_database_holds_no_key_in_clear(catalog: Pool) -> None:
    made = await keys(catalog, "t1")
    (row,) = await catalog.rows(b"SELECT * FROM dictamesh_subject_keys")
    assert made["t1"] not in bytes(row["wrapped_key"])
    assert row["wrapping_key_id"] == WRAPPING.id
    with pytest.raises(WrongWrappingKey):
        await keys(catalog, "t1", wrapping=wrapping_key(b"another secret"))
    await catalog.execute(b"UPDATE dictamesh_subject_keys SET wrapped_key = wrapped_key || 'x'", ())
    with pytest.raises(WrongWrappingKey):
        await keys(catalog, "t1")


async def test_a_wrapped_key_fits_no_other_subject(catalog: Pool) -> None:
    await keys(catalog, "t1", "t2")
    await catalog.execute(
        b"UPDATE dictamesh_subject_keys SET wrapped_key ="
        b" (SELECT wrapped_key FROM dictamesh_subject_keys WHERE subject_token = 't1') WHERE subject_token = 't2'",
        (),
    )
    with pytest.raises(WrongWrappingKey):
        await keys(catalog, "t2")


async def test_a_destroyed_key_never_comes_back(catalog: Pool) -> None:
    await keys(catalog, "t1", "t2")
    assert await destroyed(catalog, "t1") is True
    assert await destroyed(catalog, "t1") is False
    assert await destroyed(catalog, "t9") is False, "nobody had a key for it"
    assert (await keys(catalog, "t1", "t9")) == {"t1": None, "t9": None}
    assert (await keys(catalog, "t2"))["t2"] is not None
    rows = await catalog.rows(b"SELECT wrapped_key FROM dictamesh_subject_keys WHERE destroyed_at IS NOT NULL")
    assert [bytes(row["wrapped_key"]) for row in rows] == [b"", b""]


@pytest.mark.parametrize(
    "statement",
    [
        b"UPDATE dictamesh_subject_keys SET wrapped_key = 'x', destroyed_at = NULL",
        b"DELETE FROM dictamesh_subject_keys",
        b"TRUNCATE dictamesh_subject_keys",
        b"SET session_replication_role = replica; DELETE FROM dictamesh_subject_keys",
    ],
)
async def test_a_destruction_cannot_be_undone_in_the_database(catalog: Pool, statement: bytes) -> None:
    await destroyed(catalog, "t1")
    with pytest.raises(CatalogUnavailable, match="42501"):
        async with catalog.transaction() as connection:
            await connection.execute(statement)
