# SPDX-License-Identifier: Apache-2.0
"""Erasing a data subject across all products that declare its kind (GV-12).

What the mesh keeps itself is gone at once: catalog rows, edges, the subject's key; topics hear DELETED. Sources are
only read: a receipt stays pending, with owner and deadline, until a later run finds its source without the subject.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.audit.append import append_rows
from dictamesh.runtime.audit.chain import Entry as AuditEntry
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.subject_keys import destroy_key
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.kept_letters import forget
from dictamesh.runtime.events.mentions import mentions
from dictamesh.runtime.events.seal import Seal
from dictamesh.runtime.governance.audit import AuditRow
from dictamesh.runtime.governance.subjects import key_id, record_token
from dictamesh.runtime.lifecycle.ledger import Entry, LedgerFile, Standing, standings, store
from dictamesh.runtime.lifecycle.receipts import Erased, Order, Receipt
from dictamesh.runtime.lifecycle.sources import Held, Holding
from dictamesh.runtime.lifecycle.subjects import Place, Subject
from dictamesh.runtime.lifecycle.withdrawal import Announcer, Withdrawn, announcer, withdraw
from dictamesh.runtime.resilience import cache_key

# Two runs for one subject take turns.
_LOCK = b"SELECT pg_advisory_xact_lock(hashtextextended(%s, 7163846504))"
_LINKED = b"""
SELECT subject_entity_id AS id FROM dictamesh_entity_relationships
 WHERE subject_entity_type = %(near)s AND relationship_type = %(name)s AND object_entity_type = %(far)s
   AND object_entity_id = %(id)s AND subject_entity_id <> '*'
UNION
SELECT object_entity_id FROM dictamesh_entity_relationships
 WHERE subject_entity_type = %(far)s AND subject_entity_id = %(id)s AND relationship_type = %(inverse)s
   AND object_entity_type = %(near)s AND object_entity_id <> '*'
"""


class SourceReader(Protocol):
    """Asks sources what they hold."""

    async def held(self, subject: Subject, place: Place) -> Held:
        """Ask whether a source holds records of a subject at a place."""

    def record(self, entity: EntityPlan, key: tuple[object, ...]) -> str:
        """Return the id under which the catalog knows a record."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is concerned at one entity: ids of records, and what its source holds."""

    records: frozenset[str]
    held: Held


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases in one mesh; `key` makes tokens, `ledger` is the file outside the database.

    `seal` opens bodies of dead letters; without it all those of the entities concerned are destroyed.
    """

    pool: Pool
    plan: Plan
    sources: SourceReader
    ledger: LedgerFile
    key: bytes = field(repr=False)
    seal: Seal | None = None

    async def erase(self, subject: Subject, order: Order) -> Erased:
        """Erase what the mesh keeps, ask what sources hold, and record it; a second run does what is left.

        The ledger's file knows before the database does: a crash between the two is made good at the next start.
        Raises OSError of the ledger, `CatalogUnavailable`.
        """
        token = subject.token(self.key)
        found = await self._found(subject)
        announcers = {
            address: await announcer(self.pool, self.plan.name, self.plan.entities[address]) for address in found
        }
        earlier = next(iter(await standings(self.pool, self.plan.name, token)), None)
        entry = self._entry(subject, order, found, earlier)
        told = earlier is None or _differs(entry, earlier.entry)
        if told:
            await self.ledger.append([entry])
        async with self.pool.transaction() as connection:
            await connection.execute(_LOCK, (token,))
            done = await self._withdrawn(connection, found, announcers)
            # after the turns at the entities: whoever captures one of them has its turn, and may be making this key
            destroyed = await destroy_key(connection, token, subject.kind)
            emptied = await self._emptied(connection, subject, found)
            receipts = tuple(self._receipts(found, done))
            if told:
                await store(connection, entry, [receipt.counts() for receipt in receipts])
            certificate: Sequence[AuditEntry] = ()
            if told or destroyed or emptied or any(done.values()):
                rows = certificate_rows(self.plan, token, found, order.by)
                certificate = (await append_rows(connection, rows)).entries
        return Erased(entry if told else _of(earlier, entry), receipts, destroyed, tuple(certificate))

    async def _found(self, subject: Subject) -> dict[str, Found]:
        """What is concerned, by address of the entity: by key, by what sources hold, by edges, open or closed."""
        found: dict[str, Found] = {}
        for place in subject.places:
            held = await self.sources.held(subject, place)
            records = set(held.records)
            if place.is_key:
                records.add(self.sources.record(place.entity, (subject.value(place),)))
            records |= await self._linked(subject, place)
            before = found.get(place.entity.address)
            found[place.entity.address] = _joined(before, Found(frozenset(records), held))
        return found

    async def _linked(self, subject: Subject, place: Place) -> set[str]:
        """Records that the graph knows, or knew, to refer to the subject's own record over the field of a place."""
        found: set[str] = set()
        for other in subject.places:
            own = self.sources.record(other.entity, (subject.value(other),)) if other.is_key else None
            for link in place.links_to(other):
                wanted = {"near": place.entity.name, "far": other.entity.name, "id": own}
                rows = await self.pool.rows(_LINKED, {**wanted, "name": link.name, "inverse": link.inverse})
                found |= {row["id"] for row in rows}
        return found

    async def _withdrawn(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        found: Mapping[str, Found],
        announcers: Mapping[str, Announcer],
    ) -> dict[str, Withdrawn]:
        done = {}
        for address, concerned in sorted(found.items()):
            entity = self.plan.entities[address]
            ids = sorted(concerned.records)
            done[address] = await withdraw(connection, entity.name, ids, announcers[address], "erasure")
        return done

    async def _emptied(
        self, connection: psycopg.AsyncConnection[TupleRow], subject: Subject, found: Mapping[str, Found]
    ) -> int:
        """Destroy what dead letters hold of the subject, and return how many did."""
        emptied = 0
        for address, concerned in sorted(found.items()):
            keys = sorted(concerned.records)
            holds = partial(mentions, text=subject.text)
            emptied += await forget(connection, self.plan.name, address, keys, self.seal, holds)
        return emptied

    def _receipts(self, found: Mapping[str, Found], done: Mapping[str, Withdrawn]) -> Iterable[Receipt]:
        for name in sorted({self.plan.entities[address].product for address in found}):
            mine = {address: each for address, each in found.items() if self.plan.entities[address].product == name}
            held = [each.held for each in mine.values()]
            withdrawn = Withdrawn()
            for address in mine:
                withdrawn += done[address]
            yield Receipt(
                product=name,
                owner=self.plan.products[name].owner,
                holding=_worst(each.holding for each in held),
                code=next((each.code for each in held if each.code), None),
                records=sum(len(each.records) for each in mine.values()),
                source_records=sum(len(each.records) for each in held),
                withdrawn=withdrawn,
                regimes=tuple(sorted({name for address in mine for name in self.plan.regimes.get(address, ())})),
                cache_keys=tuple(key for address, each in mine.items() for key in self._cache_keys(address, each)),
            )

    def _cache_keys(self, address: str, found: Found) -> Iterable[str]:
        entity = self.plan.entities[address]
        if entity.cache_ttl > 0 and entity.surrogate is None:
            for record in sorted(found.records):
                yield cache_key(self.plan.name, entity.name, entity.mapping_hash, record)

    def _entry(self, subject: Subject, order: Order, found: Mapping[str, Found], earlier: Standing | None) -> Entry:
        known = earlier.entry if earlier else None
        requested_at = known.requested_at if known else datetime.now(UTC)
        deadline = requested_at + (order.deadline or timedelta(seconds=self.plan.mesh.erasure.deadline))
        done = all(each.held.holding == "gone" for each in found.values())
        return Entry(
            mesh=self.plan.name,
            subject_kind=subject.kind,
            subject_token=subject.token(self.key),
            token_key_id=key_id(self.key),
            state="done" if done else "pending",
            requested_at=requested_at,
            requested_by=known.requested_by if known else order.by,
            deadline=known.deadline if known and order.deadline is None else deadline,
            records=self._records(found, known),
            reason=order.reason or (known.reason if known else None),
        )

    def _records(self, found: Mapping[str, Found], known: Entry | None) -> dict[str, dict[str, list[str]]]:
        """Tokens of all that is or ever was concerned."""
        tokens: dict[str, dict[str, set[str]]] = {}
        for product, entities in (known.records if known else {}).items():
            for name, earlier in entities.items():
                tokens.setdefault(product, {})[name] = set(earlier)
        for address, each in found.items():
            entity = self.plan.entities[address]
            mine = tokens.setdefault(entity.product, {}).setdefault(entity.name, set())
            mine |= {record_token(self.key, address, record) for record in each.records}
        return {
            product: {name: sorted(mine) for name, mine in sorted(entities.items())}
            for product, entities in sorted(tokens.items())
        }


def certificate_rows(plan: Plan, token: str, addresses: Iterable[str], by: str) -> list[AuditRow]:
    """Return the audit rows that attest an erasure: one for each entity concerned, with the subject's token."""
    entities = [plan.entities[address] for address in sorted(addresses)]
    return [
        AuditRow(
            principal=by,
            product=entity.product,
            entity_type=entity.name,
            plan_hash=plan.hash,
            operation="DELETE",
            subject_tokens=(token,),
            subject_count=1,
        )
        for entity in entities
    ]


def _joined(one: Found | None, other: Found) -> Found:
    """Two fields of one entity may hold the subject."""
    if one is None:
        return other
    holding = _worst([one.held.holding, other.held.holding])
    held = Held(holding, one.held.records | other.held.records, one.held.code or other.held.code)
    return Found(one.records | other.records, held)


def _worst(holdings: Iterable[Holding]) -> Holding:
    found = set(holdings)
    return "holds" if "holds" in found else "unknown" if "unknown" in found else "gone"


def _differs(new: Entry, old: Entry) -> bool:
    return (new.state, new.deadline, new.records, new.reason) != (old.state, old.deadline, old.records, old.reason)


def _of(earlier: Standing | None, otherwise: Entry) -> Entry:
    return earlier.entry if earlier else otherwise
