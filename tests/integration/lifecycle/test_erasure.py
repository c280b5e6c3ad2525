# SPDX-License-Identifier: Apache-2.0
"""A data subject is erased across products, with receipts, once for all, and a restored database is held to it."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.audit.examine import examine_database
from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.audit.log import write_rows
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.subject_keys import subject_keys, wrapping_key
from dictamesh.runtime.events.envelope import EntityReference, Event, EventTrace
from dictamesh.runtime.events.log import append_events
from dictamesh.runtime.events.versions import take_turn
from dictamesh.runtime.governance.audit import AuditRow
from dictamesh.runtime.governance.subjects import record_token
from dictamesh.runtime.lifecycle.ledger import DamagedLedger, LedgerFile, standings, stored_entries
from dictamesh.runtime.lifecycle.replay import ForeignLedger, replay
from dictamesh.runtime.lifecycle.subjects import UnknownSubject, subject
from tests.integration.lifecycle.conftest import CUSTOMERS, INVOICES, KEY, Shop, plan_of
from tests.support.audit_log import SIGNER

WRAPPING = wrapping_key(b"wraps the keys of the tests")


async def known(shop: Shop) -> None:
    """What capture and its consumers would have brought."""
    await shop.record("Customer", "c1", "c2")
    await shop.record("Invoice", "1", "2", "3", "9")
    await shop.record("Note", "n1", "n2", "n3")
    for number, customer in (("1", "c1"), ("2", "c1"), ("3", "c2"), ("9", "c1")):
        await shop.edge(("Invoice", number), "customer", ("Customer", customer))
    reference = EntityReference("Customer", "c1", "4")
    topic = shop.plan.entities["customers#Customer"].topic
    event = Event(topic.name, "UPDATED", reference, "crm", "crm", EventTrace("ab" * 16, "cd" * 8))
    async with shop.pool.transaction() as connection:
        await append_events(connection, [event], {topic.name: topic.partitions})


async def audit_rows(shop: Shop) -> list[dict]:
    return await shop.pool.rows(b"SELECT * FROM dictamesh_audit_logs ORDER BY product, day, sequence")


async def key_of(shop: Shop, written: str) -> bytes | None:
    token = subject(shop.plan, "customer", written).token(KEY)
    async with shop.pool.transaction() as connection:
        return (await subject_keys(connection, WRAPPING, {token: "customer"}))[token]


async def test_everything_that_the_mesh_keeps_goes_at_once(shop: Shop) -> None:
    await known(shop)
    assert await key_of(shop, "c1")
    erased = await shop.erase(reason="request 4711")
    assert await shop.active("Customer") == {"c2"}
    assert await shop.active("Invoice") == {"3"}, "invoice 9 is known by its edge alone"
    assert await shop.active("Note") == {"n3"}, "a field that holds the author counts, too"
    assert await shop.open_edges() == 1
    assert await shop.events("Customer") == [("c1", "UPDATED", "4"), ("c1", "DELETED", "5")]
    assert await shop.events("Invoice") == [(number, "DELETED", "1") for number in ("1", "2", "9")]
    assert await key_of(shop, "c1") is None
    assert await key_of(shop, "c2")
    assert erased.entry.state == "pending"
    customers, invoices = erased.receipts
    assert customers.counts() == {
        "product": "customers",
        "owner": "ana",
        "state": "pending",
        "source": "holds",
        "records": 1,
        "sourceRecords": 1,
        "archived": 1,
        "edgesClosed": 3,
        "eventsAppended": 1,
        "cacheKeys": 1,
        "regimes": ["GDPR"],
    }
    assert (erased.as_json()["regimes"], invoices.regimes) == (["GDPR"], ())
    assert (invoices.owner, invoices.records, invoices.source_records) == ("kim", 5, 4)
    assert (invoices.withdrawn.archived, invoices.withdrawn.edges, invoices.withdrawn.events) == (5, 0, 5)
    assert len(invoices.cache_keys) == 5
    assert all(key.startswith("dictamesh:acme:") for key in invoices.cache_keys)


async def test_a_certificate_stands_in_the_audit(shop: Shop) -> None:
    await known(shop)
    erased = await shop.erase()
    rows = await audit_rows(shop)
    assert [(row["product"], row["entity_type"], row["operation"], row["principal"]) for row in rows] == [
        ("customers", "Customer", "DELETE", "steward"),
        ("invoices", "Invoice", "DELETE", "steward"),
        ("invoices", "Note", "DELETE", "steward"),
    ]
    token = erased.entry.subject_token
    assert all(row["subject_tokens"] == [token] for row in rows)
    shown = erased.as_json()["certificate"]
    assert {each["hash"] for each in shown} == {bytes(row["hash"]).hex() for row in rows}
    assert (await examine_database(shop.pool, "acme", known_keys([SIGNER.pem.encode()]))).intact


async def test_no_id_stays_in_ledger_audit_or_receipts(shop: Shop) -> None:
    shop.query("crm", "UPDATE customers SET id = 'canary-4711' WHERE id = 'c1'")
    await shop.record("Customer", "canary-4711")
    erased = await shop.erase("canary-4711", reason="request 17")
    kept = [json.dumps([receipt.counts() for receipt in erased.receipts]), shop.ledger.path.read_text()]
    for table in ("dictamesh_erasures", "dictamesh_audit_logs", "dictamesh_subject_keys"):
        kept += [row["t"] for row in await shop.pool.rows(f"SELECT x::text AS t FROM {table} x".encode())]
    assert len(kept) >= 5
    assert not [text for text in kept if "canary" in text]
    assert "canary" not in repr(subject(shop.plan, "customer", "canary-4711"))


async def test_a_second_run_changes_nothing_until_the_source_has_let_go(shop: Shop) -> None:
    await known(shop)
    first = await shop.erase(deadline=timedelta(days=14))
    again = await shop.erase(by="somebody else")
    assert again.entry == first.entry
    assert (again.key_destroyed, again.certificate) == (False, ())
    assert not any(receipt.withdrawn for receipt in again.receipts)
    assert len(await audit_rows(shop)) == 3
    shop.query("crm", "DELETE FROM customers WHERE id = 'c1'")
    partly = await shop.erase()
    assert [(receipt.product, receipt.state) for receipt in partly.receipts] == [
        ("customers", "done"),
        ("invoices", "pending"),
    ]
    assert partly.entry.state == "pending"
    shop.query("erp", "DELETE FROM invoices WHERE customer_id = 'c1'")
    shop.query("erp", "DELETE FROM notes WHERE 'c1' IN (about, author)")
    done = await shop.erase()
    assert done.entry.state == "done"
    assert (done.entry.requested_at, done.entry.deadline) == (first.entry.requested_at, first.entry.deadline)
    assert done.entry.requested_by == "steward"
    (standing,) = await standings(shop.pool, "acme")
    assert standing.entry == done.entry
    assert not standing.overdue(datetime.now(UTC) + timedelta(days=99))
    assert len(await shop.ledger.entries()) == 2, "the first run and the last one"
    assert (await shop.erase()).certificate == ()


async def test_what_came_back_is_taken_out_again_and_attested(shop: Shop) -> None:
    await known(shop)
    await shop.erase()
    await shop.pool.execute(b"UPDATE dictamesh_entity_catalog SET status = 'active' WHERE entity_type = 'Customer'", ())
    again = await shop.erase()
    assert await shop.active("Customer") == {"c2"}
    assert [receipt.withdrawn.archived for receipt in again.receipts] == [1, 0]
    assert len(again.certificate) == 3


async def test_a_source_that_cannot_be_asked_keeps_its_receipt_open(shop: Shop) -> None:
    await known(shop)
    shop.query("erp", "ALTER TABLE notes RENAME TO elsewhere")
    erased = await shop.erase()
    invoices = erased.receipts[1]
    assert (invoices.holding, invoices.state, invoices.code) == ("holds", "pending", "SOURCE_UNAVAILABLE")
    shop.query("erp", "DELETE FROM invoices WHERE customer_id = 'c1'")
    assert (await shop.erase()).receipts[1].holding == "unknown"
    assert await shop.active("Invoice") == {"3"}, "what is known is gone all the same"


async def test_a_subject_whose_key_is_served_as_a_pseudonym(shop: Shop) -> None:
    """The catalog knows such records by their pseudonyms alone (S6)."""
    source = "{server: crm, Customer: {surrogate: {hmac: pepper}}}"
    shop.plan = plan_of(**{"a.product.yaml": CUSTOMERS.replace("{server: crm}", source)})
    shop.sources._surrogates = Surrogates("acme", {"pepper": b"pepper"})
    entity = shop.plan.entities["customers#Customer"]
    pseudonym = shop.sources.record(entity, ("c1",))
    assert "c1" not in pseudonym
    await shop.record("Customer", pseudonym, "other")
    erased = await shop.erase()
    assert await shop.active("Customer") == {"other"}
    assert await shop.events("Customer") == [(pseudonym, "DELETED", "1")]
    assert erased.receipts[0].cache_keys == (), (
        "the cache knows the key itself; every replica finds it there by its token"
    )


async def test_overdue_erasures_are_known(shop: Shop) -> None:
    erased = await shop.erase(deadline=timedelta(days=1))
    (standing,) = await standings(shop.pool, "acme")
    assert standing.receipts[0]["owner"] == "ana"
    assert not standing.overdue(datetime.now(UTC))
    assert standing.overdue(datetime.now(UTC) + timedelta(days=2))
    longer = await shop.erase(deadline=timedelta(days=9))
    assert longer.entry.deadline == erased.entry.requested_at + timedelta(days=9)
    (standing,) = await standings(shop.pool, "acme")
    assert not standing.overdue(datetime.now(UTC) + timedelta(days=2))


def test_who_cannot_be_erased_is_told() -> None:
    plan = plan_of()
    with pytest.raises(UnknownSubject, match="did you mean 'customer'"):
        subject(plan, "custmer", "c1")
    with pytest.raises(UnknownSubject, match="1 to 1024"):
        subject(plan, "customer", "")
    numbered = plan_of(
        **{"b.product.yaml": INVOICES.replace("[Invoice.customerId, Note.about, Note.author]", "Note.about")}
    )
    assert subject(numbered, "customer", "c1").token(KEY) == subject(plan, "customer", "c1").token(KEY)


def test_an_id_is_the_same_however_it_is_written() -> None:
    invoices = INVOICES.replace("{customer: [Invoice.customerId, Note.about, Note.author]}", "{bill: Invoice.id}")
    plan = plan_of(**{"b.product.yaml": invoices})
    assert subject(plan, "bill", "007").token(KEY) == subject(plan, "bill", "7").token(KEY)
    with pytest.raises(UnknownSubject, match="does not fit") as refused:
        subject(plan, "bill", "canary")
    assert "canary" not in str(refused.value)


async def test_a_restored_database_is_erased_again(shop: Shop) -> None:
    await known(shop)
    assert await key_of(shop, "c1")
    await shop.erase()
    await forget(shop)
    assert await shop.active("Customer") == {"c1", "c2"}
    done = await replay(shop.pool, shop.plan, shop.ledger, KEY)
    assert (done.subjects, done.entries, done.mirrored) == (1, 1, 0)
    assert await shop.active("Customer") == {"c2"}
    assert await shop.active("Invoice") == {"3"}
    assert await shop.active("Note") == {"n3"}
    assert await shop.open_edges() == 1
    assert (await shop.events("Customer"))[-1] == ("c1", "DELETED", "5")
    assert await key_of(shop, "c1") is None
    assert {row["operation"] for row in await audit_rows(shop)} == {"DELETE"}
    (standing,) = await standings(shop.pool, "acme")
    assert standing.entry.state == "pending"
    again = await replay(shop.pool, shop.plan, shop.ledger, KEY)
    assert (again.subjects, again.entries, again.mirrored) == (0, 0, 0)
    assert len(await shop.ledger.entries()) == 1


async def forget(shop: Shop) -> None:
    """Undo in the database what an erasure did, as a restore from an older backup does."""
    async with shop.pool.transaction() as connection:
        for table in ("dictamesh_erasures", "dictamesh_audit_logs", "dictamesh_subject_keys", "dictamesh_event_log"):
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
        await connection.execute(b"DELETE FROM dictamesh_erasures")
        await connection.execute(b"DELETE FROM dictamesh_audit_logs")
        await connection.execute(b"DELETE FROM dictamesh_audit_chains")
        await connection.execute(b"DELETE FROM dictamesh_subject_keys")
        await connection.execute(b"DELETE FROM dictamesh_event_log WHERE event_type = 'DELETED'")
        await connection.execute(b"DELETE FROM dictamesh_entity_state")
        await connection.execute(b"UPDATE dictamesh_entity_catalog SET status = 'active'")
        await connection.execute(
            b"UPDATE dictamesh_entity_relationships SET valid_to = NULL WHERE subject_entity_id <> '*'"
        )
        for table in ("dictamesh_erasures", "dictamesh_audit_logs", "dictamesh_subject_keys", "dictamesh_event_log"):
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL".encode())


async def test_a_crash_between_ledger_and_database_is_made_good(shop: Shop) -> None:
    await known(shop)
    await shop.pool.execute(b"ALTER TABLE dictamesh_audit_chains RENAME TO dictamesh_away", ())
    with pytest.raises(CatalogUnavailable):
        await shop.erase()
    await shop.pool.execute(b"ALTER TABLE dictamesh_away RENAME TO dictamesh_audit_chains", ())
    assert await shop.active("Customer") == {"c1", "c2"}
    assert (await replay(shop.pool, shop.plan, shop.ledger, KEY)).subjects == 1
    assert await shop.active("Customer") == {"c2"}


async def test_an_older_entry_that_is_replayed_does_not_turn_a_newer_one_back(shop: Shop) -> None:
    await known(shop)
    await shop.erase()
    for database, table, column in (("crm", "customers", "id"), ("erp", "invoices", "customer_id")):
        shop.query(database, f"DELETE FROM {table} WHERE {column} = 'c1'")
    shop.query("erp", "DELETE FROM notes WHERE 'c1' IN (about, author)")
    await shop.erase()
    first, _ = await shop.ledger.entries()
    async with shop.pool.transaction() as connection:
        await connection.execute(b"ALTER TABLE dictamesh_erasures DISABLE TRIGGER ALL")
        await connection.execute(b"DELETE FROM dictamesh_erasures WHERE id = %s", (first.id,))
    assert (await replay(shop.pool, shop.plan, shop.ledger, KEY)).entries == 1
    (standing,) = await standings(shop.pool, "acme")
    assert standing.entry.state == "done"


async def test_a_lost_file_is_written_anew(shop: Shop) -> None:
    await shop.erase()
    await shop.erase("c2")
    shop.ledger.path.unlink()
    done = await replay(shop.pool, shop.plan, shop.ledger, KEY)
    assert (done.subjects, done.mirrored) == (0, 2)
    assert await shop.ledger.entries() == await stored_entries(shop.pool, "acme")


async def test_an_entity_that_no_product_has_any_more_is_withdrawn_without_an_event(shop: Shop) -> None:
    await known(shop)
    await shop.erase()
    await forget(shop)
    smaller = replace(
        shop.plan, entities={address: each for address, each in shop.plan.entities.items() if each.name != "Note"}
    )
    await replay(shop.pool, smaller, shop.ledger, KEY)
    assert await shop.active("Note") == {"n3"}
    assert await shop.events("Note") == []


async def test_a_ledger_of_another_key_or_a_damaged_one_stops_the_start(shop: Shop) -> None:
    await shop.erase()
    await forget(shop)
    with pytest.raises(ForeignLedger):
        await replay(shop.pool, shop.plan, shop.ledger, b"another key")
    whole = shop.ledger.path.read_bytes()
    shop.ledger.path.write_bytes(whole + b'{"torn": ')
    assert len(await shop.ledger.entries()) == 1, "a line torn by a kill was never acknowledged"
    await shop.ledger.append(await shop.ledger.entries())
    assert shop.ledger.path.read_bytes() == whole * 2
    shop.ledger.path.write_bytes(whole[:-20] + b"\n" + whole)
    with pytest.raises(DamagedLedger, match="line 1"):
        await replay(shop.pool, shop.plan, shop.ledger, KEY)


async def test_a_ledger_is_shared_by_meshes(shop: Shop) -> None:
    await shop.erase()
    await forget(shop)
    other = replace(shop.plan, name="other")
    assert (await replay(shop.pool, other, shop.ledger, KEY)).entries == 0
    assert isinstance(shop.ledger, LedgerFile)


async def test_tokens_are_those_of_the_audit(shop: Shop) -> None:
    """Who was read and who was erased can be told to be the same record by whoever holds the key."""
    erased = await shop.erase()
    token = record_token(KEY, "customers#Customer", "c1")
    assert erased.entry.records["customers"]["Customer"] == [token]
    await write_rows(
        shop.pool, [AuditRow("desk", "customers", "Customer", "p", subject_tokens=(token,), subject_count=1)]
    )


@pytest.mark.parametrize(
    "statement", [b"UPDATE dictamesh_erasures SET state = 'done'", b"DELETE FROM dictamesh_erasures"]
)
async def test_the_ledger_is_append_only(shop: Shop, statement: bytes) -> None:
    await shop.erase()
    with pytest.raises(CatalogUnavailable, match="42501"):
        await shop.pool.execute(statement, ())


async def test_an_erasure_and_a_capture_that_makes_the_subjects_key(shop: Shop) -> None:
    """Capture has its turn at the entity when it makes keys; an erasure that destroys one first would wait for it."""
    await shop.record("Customer", "c1")
    token = subject(shop.plan, "customer", "c1").token(KEY)
    async with shop.pool.transaction() as connection:
        await take_turn(connection, shop.plan.name, "customers#Customer")
        erasing = asyncio.create_task(shop.erase())
        await _waits(shop)
        assert (await subject_keys(connection, WRAPPING, {token: "customer"}))[token] is not None
    await erasing
    async with shop.pool.transaction() as connection:
        assert await subject_keys(connection, WRAPPING, {token: "customer"}) == {token: None}


async def _waits(shop: Shop) -> None:
    """Until somebody waits for a turn."""
    async with asyncio.timeout(20):
        while not await shop.pool.rows(b"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            await asyncio.sleep(0.02)
