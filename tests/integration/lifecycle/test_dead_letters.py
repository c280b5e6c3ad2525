# SPDX-License-Identifier: Apache-2.0
"""What erasures and retention do to dead letters (GV-7, GV-12, EV-12)."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dictamesh.runtime.events.dead_letters import DeadLetter, put
from dictamesh.runtime.events.seal import seal_of
from dictamesh.runtime.lifecycle.aged import aged_tables
from dictamesh.runtime.lifecycle.erasure import Eraser
from dictamesh.runtime.lifecycle.ledger import LedgerFile
from dictamesh.runtime.lifecycle.receipts import Order
from dictamesh.runtime.lifecycle.replay import replay
from dictamesh.runtime.lifecycle.retention import retain
from dictamesh.runtime.lifecycle.subjects import subject
from tests.integration.lifecycle.conftest import KEY, Shop

SEAL = seal_of(b"a secret of the mesh")
LETTERS = {
    "by key": ("customers#Customer", b"{", "c1"),
    "by an edge": ("invoices#Invoice", b"{}", "1"),
    "by its body": ("invoices#Invoice", b'{"columns": {"customer_id": "c1"}}', "77"),
    "by a broken body": ("invoices#Note", b'{"about": "c1", ', None),
    "of another": ("invoices#Invoice", b'{"columns": {"customer_id": "c11"}}', "78"),
    "of another entity": ("shop#Order", b'{"customer": "c1"}', None),
}


async def put_letters(shop: Shop) -> None:
    async with shop.pool.transaction() as connection:
        for origin, (entity, body, key) in LETTERS.items():
            letter = DeadLetter("map", "DATA_INVALID", "it does not fit", origin, body, key)
            await put(connection, "acme", "topic", entity, [letter], SEAL)


async def held(shop: Shop) -> set[str]:
    rows = await shop.pool.rows(b"SELECT origin FROM dictamesh_dead_letters WHERE body IS NOT NULL")
    return {row["origin"] for row in rows}


async def known(shop: Shop) -> None:
    await shop.record("Customer", "c1")
    await shop.record("Invoice", "1")
    await shop.edge(("Invoice", "1"), "customer", ("Customer", "c1"))
    await put_letters(shop)


async def test_bodies_about_who_is_erased_are_destroyed(shop: Shop) -> None:
    await known(shop)
    eraser = Eraser(shop.pool, shop.plan, shop.sources, shop.ledger, KEY, SEAL)
    await eraser.erase(subject(shop.plan, "customer", "c1"), Order("steward"))
    assert await held(shop) == {"of another", "of another entity"}


async def test_without_the_seal_what_may_be_about_them_goes(shop: Shop) -> None:
    await known(shop)
    await shop.erase()
    assert await held(shop) == {"of another entity"}


async def test_a_restored_database_is_emptied_again(shop: Shop, tmp_path: Path) -> None:
    await known(shop)
    await shop.erase()
    outside = LedgerFile(tmp_path / "outside.jsonl")
    await outside.append([replace(entry, id=uuid.uuid4()) for entry in await shop.ledger.entries()])
    await shop.pool.execute(b"DELETE FROM dictamesh_dead_letters", ())
    await put_letters(shop)
    await replay(shop.pool, shop.plan, outside, KEY)
    assert await held(shop) == {"of another entity"}


@pytest.mark.parametrize(("table", "days"), [("dictamesh_dead_letters", 31), ("dictamesh_webhook_deliveries", 8)])
async def test_what_is_too_old_goes(shop: Shop, table: str, days: int) -> None:
    await put_letters(shop)
    await shop.pool.execute(
        b"INSERT INTO dictamesh_webhook_deliveries (mesh, entity, id) VALUES ('acme', 'shop#Order', '\\x01')", ()
    )
    now = datetime.now(UTC)
    for later, gone in ((days - 2, 0), (days, 1)):
        done = await retain(shop.pool, shop.plan, now + timedelta(days=later), aged_tables(shop.plan))
        assert (dict(done.rows)[table] > 0) == bool(gone)
