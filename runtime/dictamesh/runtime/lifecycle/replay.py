# SPDX-License-Identifier: Apache-2.0
"""At every start: what the ledger's file knows and the database does not is erased again, before anything is served.

A database that was restored from a backup holds subjects that were erased since; the file lies outside and remembers.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.audit.append import append_rows
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.subject_keys import destroy_key
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.subjects import key_id, record_token
from dictamesh.runtime.lifecycle.erasure import certificate_rows
from dictamesh.runtime.lifecycle.ledger import Entry, LedgerFile, Records, store, stored_entries
from dictamesh.runtime.lifecycle.withdrawal import Announcer, Withdrawn, announcer, withdraw

_LOG = logging.getLogger("dictamesh.erasure")
_BATCH = 5000
_RECORDS = b"""
SELECT source_entity_id FROM dictamesh_entity_catalog WHERE entity_type = %s AND source_entity_id <> '*'
 UNION SELECT entity_id FROM dictamesh_entity_state WHERE entity = %s AND withdrawn IS DISTINCT FROM 'erasure'
"""


class ForeignLedger(Exception):  # noqa: N818 - the state of a file
    """The ledger was written with another key than the one at hand, so its records cannot be found. Our text."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """`subjects` were erased again, `entries` were missing in the database, `mirrored` were missing in the file."""

    subjects: int
    entries: int
    mirrored: int
    withdrawn: Withdrawn


async def replay(pool: Pool, plan: Plan, ledger: LedgerFile, key: bytes) -> Replayed:
    """Bring ledger and database together; call before serving. Doing so twice changes nothing.

    Raises OSError and DamagedLedger of the file, ForeignLedger, `CatalogUnavailable`.
    """
    filed = [entry for entry in await ledger.entries() if entry.mesh == plan.name]
    stored = await stored_entries(pool, plan.name)
    in_database, in_file = {entry.id for entry in stored}, {entry.id for entry in filed}
    mirrored = [entry for entry in stored if entry.id not in in_file]
    await ledger.append(mirrored)
    lost = [entry for entry in filed if entry.id not in in_database]
    if not lost:
        return Replayed(0, 0, len(mirrored), Withdrawn())
    _check_key(lost, key)
    _LOG.warning(
        "the database lacks erasures that the ledger knows, as a restored backup does; they are done again",
        extra={"count": len(lost)},
    )
    last = {(entry.subject_kind, entry.subject_token): entry for entry in lost}
    announcers = {entity.name: await announcer(pool, plan.name, entity) for entity in plan.entities.values()}
    done = Withdrawn()
    for entry in last.values():
        history = [each for each in lost if each.subject_token == entry.subject_token]
        async with pool.transaction() as connection:
            done += await _again(connection, plan, history, announcers, key)
    _LOG.warning("erasures were done again", extra={"count": len(last), "rows": done.archived})
    return Replayed(len(last), len(lost), len(mirrored), done)


async def _again(
    connection: psycopg.AsyncConnection[TupleRow],
    plan: Plan,
    history: Sequence[Entry],
    announcers: Mapping[str, Announcer],
    key: bytes,
) -> Withdrawn:
    """Erase one subject again, and enter its entries; whether sources hold it, the next run of `erase` will ask."""
    last, done = history[-1], Withdrawn()
    await destroy_key(connection, last.subject_token, last.subject_kind)
    for product, name, tokens in _by_entity(last.records):
        ids = await _matching(connection, f"{product}#{name}", name, tokens, key)
        done += await withdraw(connection, name, ids, announcers.get(name), "erasure")
    for entry in history:
        await store(connection, entry, [], replayed=True)
    addresses = [f"{product}#{name}" for product, name, _ in _by_entity(last.records)]
    rows = certificate_rows(plan, last.subject_token, plan.entities.keys() & set(addresses), last.requested_by)
    if rows:
        await append_rows(connection, rows)
    return done


async def _matching(
    connection: psycopg.AsyncConnection[TupleRow], address: str, name: str, tokens: frozenset[str], key: bytes
) -> list[str]:
    """The records of an entity whose tokens the ledger holds: all of them are hashed, the ledger holds no id."""
    found: list[str] = []
    async with connection.cursor("dictamesh_records") as cursor:
        cursor.itersize = _BATCH
        await cursor.execute(_RECORDS, (name, address))
        async for (record,) in cursor:
            if record_token(key, address, record) in tokens:
                found.append(record)
    return found


def _by_entity(records: Records) -> list[tuple[str, str, frozenset[str]]]:
    return [
        (product, name, frozenset(tokens))
        for product, entities in sorted(records.items())
        for name, tokens in sorted(entities.items())
    ]


def _check_key(entries: Sequence[Entry], key: bytes) -> None:
    mine = key_id(key)
    if any(entry.token_key_id != mine for entry in entries):
        raise ForeignLedger("the erasure ledger was written with another audit key than the one at hand")
