# SPDX-License-Identifier: Apache-2.0
"""What the readers of a topic get of a record: what a caller with the topic's roles and purpose would (S13..S18)."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from dictamesh.runtime.adapters.cells import CellError
from dictamesh.runtime.adapters.keys import canonical, json_form
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.catalog.subject_keys import WrappingKey, subject_keys
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan, TopicPlan
from dictamesh.runtime.events.payload import ENCRYPTED
from dictamesh.runtime.events.sealed_fields import SealedPlace, seal
from dictamesh.runtime.governance.access import Access, AccessCache
from dictamesh.runtime.governance.conditions import Condition, condition
from dictamesh.runtime.governance.masks import takes_text
from dictamesh.runtime.governance.places import leaves
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.serialize import Serializer
from dictamesh.runtime.governance.subjects import subject_token
from dictamesh.specs.expressions.tree import columns
from dictamesh.specs.rules import Effect

_KEYS = 20_000  # of data subjects, in memory
_PLAIN = frozenset({str, int, bool, float})
"""Types whose values are JSON values."""
_AGE = 10.0  # seconds that conditions may take the clock for standing still


def reader_of(topic: TopicPlan) -> Principal:
    """Return the readers of a topic as the caller that policies decide about."""
    purposes = (topic.purpose,) if topic.purpose is not None else ()
    return Principal(f"topic:{topic.name}", True, frozenset(topic.roles), topic.purpose, purposes)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What an entity's topic bears under one set of rights; `access` and `at` (monotonic) say what it was made of."""

    access: Access
    at: float
    parameters: Mapping[str, Any]
    keep: Condition | bool
    shown: tuple[tuple[str, Serializer], ...]
    pseudonyms: tuple[str, ...]
    sealed: tuple[str, ...]
    subjects: tuple[tuple[str, str], ...]  # kind, field

    def __bool__(self) -> bool:
        return self.keep is not False and bool(self.shown or self.pseudonyms or self.sealed)


@dataclass(slots=True)
class PolicyPayloads:
    """The `PayloadMaker` of one plan: `keys` are those of masks, `audit_key` makes tokens of data subjects."""

    plan: Plan
    keys: Mapping[str, bytes] = field(repr=False)
    ids: RecordIds
    audit_key: bytes = field(repr=False)
    wrapping: WrappingKey
    _access: AccessCache = field(init=False, repr=False)
    _readers: dict[str, Principal] = field(default_factory=dict, init=False, repr=False)
    _rules: dict[str, _Rules] = field(default_factory=dict, init=False, repr=False)
    _held: OrderedDict[str, bytes | None] = field(default_factory=OrderedDict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._access = AccessCache(self.plan, self.keys)

    async def ready(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        entity: EntityPlan,
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Get the keys of the data subjects of `rows`; one that an erasure destroyed is not made again."""
        rules = self._of(entity)
        if not rules or not rules.sealed:
            return
        tokens = {token: kind for row in rows for token, kind in self._subjects(rules, row)}
        if not tokens:
            return
        for token, key in (await subject_keys(connection, self.wrapping, tokens)).items():
            self._held[token] = key
            self._held.move_to_end(token)
        while len(self._held) > max(_KEYS, len(tokens)):
            self._held.popitem(last=False)

    def of(self, entity: EntityPlan, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return the payload of a record, None where its readers may see nothing of it."""
        rules = self._of(entity)
        if row is None or not rules:
            return None
        if callable(rules.keep) and not rules.keep(row, rules.parameters):
            return None
        found = {name: plain(shown(row.get(name), row)) for name, shown in rules.shown}
        for name in rules.pseudonyms:
            found[name] = plain(self.ids.surrogates.of(entity, row.get(name)))
        sealed = self._sealed(entity, rules, row)
        return {**found, ENCRYPTED: sealed} if sealed else found

    def _sealed(self, entity: EntityPlan, rules: _Rules, row: Mapping[str, Any]) -> dict[str, str]:
        if not rules.sealed:
            return {}
        keys: dict[str, bytes] = {}
        for token, _ in self._subjects(rules, row):
            key = self._held.get(token)
            if key is None:
                return {}
            keys[token] = key
        record = self._record(entity, row)
        if not keys or record is None:
            return {}
        values = {name: plain(row.get(name)) for name in rules.sealed}
        return {
            name: seal(value, keys, SealedPlace(entity.topic.name, entity.name, record, name))
            for name, value in values.items()
            if value is not None
        }

    def _record(self, entity: EntityPlan, row: Mapping[str, Any]) -> str | None:
        """The id of the record in topics; a personal key stands there as it is where the spec allows that."""
        key = tuple(row.get(name) for name in entity.key)
        if any(part is None or isinstance(part, CellError) for part in key):
            return None
        return canonical(tuple(self.ids.surrogates.of(entity, part) for part in key) if entity.surrogate else key)

    def _subjects(self, rules: _Rules, row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for kind, name in rules.subjects:
            value = row.get(name)
            if value is not None and not isinstance(value, CellError):
                yield subject_token(self.audit_key, kind, canonical((value,))), kind

    def _of(self, entity: EntityPlan) -> _Rules:
        reader = self._readers.get(entity.address)
        if reader is None:
            reader = self._readers[entity.address] = reader_of(entity.topic)
        access = self._access.access(reader)
        found = self._rules.get(entity.address)
        now = time.monotonic()
        if found is None or found.access is not access or now - found.at > _AGE:
            found = self._rules[entity.address] = self._decided(entity, access, now)
        return found

    def _decided(self, entity: EntityPlan, access: Access, at: float) -> _Rules:
        topic = entity.topic
        if topic.payload == "none":
            return _Rules(access, at, {}, False, (), (), (), ())
        now = datetime.now(UTC)
        moment = {"now": now, "today": now.date()}
        sealed = tuple(each.name for each in entity.fields if is_encrypted(each, topic.encrypt))
        shows = self.ids.surrogates.shows
        pseudonyms = tuple(f.name for f in entity.fields if shows(entity, f.name) and takes_text(f.type))
        hidden = {*sealed, *(entity.key if entity.surrogate is not None else ())}
        shown = tuple(
            (each.name, access.serializer(each, moment))
            for each in entity.fields
            if each.name not in hidden and _shows(each, access, topic.payload, entity)
        )
        subjects = subjects_of(self.plan, entity)
        parameters = {**access.parameters, **moment}
        return _Rules(access, at, parameters, _kept(entity, access), shown, pseudonyms, sealed, subjects)


def is_encrypted(each: FieldPlan, encrypt: Sequence[str]) -> bool:
    """Whether a field, or a part of it, has a tier or a tag of `encrypt`; a tag covers its children."""
    prefixes = tuple(f"{tag}." for tag in encrypt)
    return any(
        leaf.tier in encrypt or any(tag in encrypt or tag.startswith(prefixes) for tag in leaf.tags)
        for leaf in leaves(each)
    )


def subjects_of(plan: Plan, entity: EntityPlan) -> tuple[tuple[str, str], ...]:
    """Return the kinds of data subjects that a record of an entity is about, each with the field that holds its id."""
    return tuple(
        (kind, address.rpartition(".")[2])
        for kind, addresses in sorted(plan.products[entity.product].subjects.items())
        for address in addresses
        if address.rpartition(".")[0] == entity.address
    )


def plain(value: Any) -> Any:
    """Return a value of a mapped row in JSON values (S3); what is no value is None."""
    if value is None or type(value) in _PLAIN:
        return value
    match value:
        case CellError():
            return None
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return json_form(value)


def _kept(entity: EntityPlan, access: Access) -> Condition | bool:
    """Which records exist for the readers; none where only rows of other entities could tell (S18)."""
    if any(link.restrict for link in entity.links):
        return False
    keep = access.rows(entity.address)
    if isinstance(keep, bool):
        return keep
    return condition(keep) if _within(entity, columns(keep)) else False


def _shows(each: FieldPlan, access: Access, payload: str, entity: EntityPlan) -> bool:
    if payload == "open":
        return access.clear(each.address)
    decisions = [access.field(leaf.address) for leaf in leaves(each)]
    denied = all(d.constant is not None and d.constant.effect is Effect.DENY for d in decisions)
    return not denied and _within(entity, access.needs(each.address))


def _within(entity: EntityPlan, paths: Iterable[tuple[str, ...]]) -> bool:
    names = {each.name for each in entity.fields}
    return all(path[0] in names for path in paths)
