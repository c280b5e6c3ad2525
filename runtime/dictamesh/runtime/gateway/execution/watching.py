# SPDX-License-Identifier: Apache-2.0
"""Subscriptions as one caller may hear them: every change passes the caller's row filters and masks (S18..S20).

Nothing may tell of what is hidden. A change of a record that does not exist for the caller is no message, nor is one of
fields alone that the caller does not see in clear. Of a record that is gone nobody can ask any more whether it existed
for the caller: it is told where all records do, or where this subscription has told of the record as it last was.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from dictamesh.runtime.adapters.ask import Ask, Found, Shown
from dictamesh.runtime.adapters.cells import Key, Row
from dictamesh.runtime.adapters.records import read_key
from dictamesh.runtime.adapters.shown import shown_rows
from dictamesh.runtime.adapters.surrogates import Surrogates, surrogates
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.gateway.contract import (
    Change,
    Node,
    NotNow,
    Outcome,
    PreparedOperation,
    RequestInfo,
    Subscribe,
    Watch,
)
from dictamesh.runtime.gateway.errors import GatewayError, message
from dictamesh.runtime.gateway.execution.audit import reads, refusals
from dictamesh.runtime.gateway.execution.context import Context, allowed, condition_of, fields_of
from dictamesh.runtime.gateway.execution.levels import descend
from dictamesh.runtime.gateway.execution.lookahead import Names, names, watch_pick
from dictamesh.runtime.gateway.execution.picks import EntityPick, WatchPick, entity_picks
from dictamesh.runtime.gateway.execution.placing import branches_of, nodes_of
from dictamesh.runtime.gateway.execution.roots import keyed
from dictamesh.runtime.gateway.execution.run import Execution, Running, extensions
from dictamesh.runtime.gateway.execution.telling import used_addresses
from dictamesh.runtime.gateway.execution.uses import forbidden_uses
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.principal import Principal

GONE = frozenset({"DELETED", "ARCHIVED"})
_PASSING = frozenset({"SOURCE_TIMEOUT", "SOURCE_UNAVAILABLE", "CIRCUIT_OPEN", "RATE_LIMIT_EXCEEDED"})
_BROKEN = frozenset({"CONTRACT_VIOLATION", "SOURCE_DATA_INVALID", "EXPRESSION_FAILED"})
REMEMBERED = 10_000
"""Records that a subscription remembers to have told of; those told longest ago are forgotten first."""


def make_subscribe(execution: Execution) -> Subscribe:
    """Return the function that begins subscriptions; raises MaskKeyMissing."""
    known = names(execution.plan)
    pseudonyms = surrogates(execution.plan, execution.keys)

    async def subscribe(operation: PreparedOperation, principal: Principal, info: RequestInfo) -> Watch:
        made = _Watching(execution, known, pseudonyms, operation, principal, info, watch_pick(operation, known))
        await made.check()
        return made

    return subscribe


@dataclass(slots=True)
class _Watching:
    execution: Execution
    known: Names
    pseudonyms: Surrogates
    operation: PreparedOperation
    principal: Principal
    info: RequestInfo
    pick: WatchPick
    told: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def entity(self) -> EntityPlan:
        return self.pick.entity

    @property
    def record(self) -> str | None:
        return self.pick.record

    @property
    def after(self) -> str | None:
        return self.pick.after

    async def check(self) -> tuple[Access, Running]:
        """Return the rights of the caller, which may end with a day; raises GatewayError where they do not suffice."""
        execution = self.execution
        access = execution.access_for(self.principal)
        running = Running(execution, self.known, self.pseudonyms, self.principal, self.info)
        refused = forbidden_uses(self.pick.roots, access, execution.plan.entities)
        if refused:
            await running.record(refusals(refused, execution.plan.entities, running.occasion()))
            entity = execution.plan.entities[refused[0].address.rpartition(".")[0]]
            raise GatewayError("FORBIDDEN", message("FORBIDDEN", field=f"{entity.name}.{refused[0].name}"))
        bare = EntityPick(self.entity, (), ())
        if not allowed(bare, running.context(self.operation, access)):
            await running.record(reads([bare], {}, access, running.occasion()))
            raise GatewayError("FORBIDDEN", message("FORBIDDEN", field=self.entity.name))
        return access, running

    async def outcomes(self, changes: Sequence[Change]) -> Sequence[tuple[Change, Outcome]]:
        access, running = await self.check()
        shown = shown_rows(access, self.execution.plan)(self.entity.address)
        if shown.nothing:
            return []
        sight = _Sight(self.entity, access, shown)
        asked = [change for change in changes if change.type not in GONE and self._concerns(change, sight)]
        context = running.context(self.operation, access, max(len(asked), 1))
        rows = await self._rows({change.record for change in asked}, context)
        heard = [change for change in changes if self._hears(change, sight, rows)]
        if not heard:
            return []
        nodes = await self._nodes(
            {change.record: rows[change.record] for change in heard if change.record in rows}, context
        )
        picks = list(entity_picks(self.pick.roots))
        await running.record(reads(picks, context.served, access, running.occasion()))
        self.execution.used(self.principal, used_addresses(self.pick.roots, self.execution.plan.entities))
        more = extensions(picks, context)
        return [(change, Outcome(self._root(change, sight, nodes), more)) for change in heard]

    def _concerns(self, change: Change, sight: "_Sight") -> bool:
        """Whether it matters if the record exists for the caller."""
        return sight.tells(change) or change.record in self.told

    def _hears(self, change: Change, sight: "_Sight", rows: Mapping[str, Row]) -> bool:
        """Whether the caller hears of a change; remembers what the caller may know to exist."""
        record = change.record
        if change.type in GONE:
            known = record in self.told
            self.told.pop(record, None)
            return sight.key and (sight.shown.everything or known)
        if record not in rows:
            self.told.pop(record, None)
            return False
        if not sight.tells(change):
            return False
        if not sight.shown.everything:
            self.told[record] = None
            self.told.move_to_end(record)
            if len(self.told) > REMEMBERED:
                self.told.popitem(last=False)
        return True

    async def _rows(self, records: set[str], context: Context) -> dict[str, Row]:
        """Return the rows that exist for the caller and meet the filter; raises NotNow, GatewayError."""
        keys = {key: record for record in sorted(records) if (key := self._key(record)) is not None}
        if not keys:
            return {}
        fields = frozenset(name for below in self.pick.nodes.values() for name in fields_of(below, context))
        where = condition_of(self.pick.page, self.entity.address, context)
        ask = Ask(fields | frozenset(self.entity.key), where)
        found = await keyed(self.entity, list(keys), ask, context)
        _raise_for(found)
        return {keys[key]: rows[0] for key, rows in found.rows.items() if key in keys and len(rows) == 1}

    def _key(self, record: str) -> Key | None:
        if self.entity.surrogate is None:
            return read_key(self.entity, record)
        return (record,) if len(self.entity.key) == 1 else _parts(record)

    async def _nodes(self, rows: Mapping[str, Row], context: Context) -> dict[str, dict[str, Node]]:
        made: dict[str, dict[str, Node]] = {record: {} for record in rows}
        branches = []
        for key, below in self.pick.nodes.items():
            nodes = await nodes_of(below, list(rows.values()), context)
            for record, (_, node) in zip(rows, nodes, strict=True):
                made[record][key] = node
            branches += branches_of(below, nodes)
        await descend(branches, context)
        return made

    def _root(self, change: Change, sight: "_Sight", nodes: Mapping[str, Mapping[str, Node]]) -> Node:
        values = {
            "id": change.id,
            "type": change.type,
            "key": change.record if sight.key else None,
            "changedFields": sight.fields(change),
            "version": change.version if sight.all else None,
            "cursor": change.cursor,
            "at": change.at,
        }
        message: dict[str, object] = {
            key: Node({at: values.get(name) for at, name in parts}) for key, parts in self.pick.events.items()
        }
        if change.type not in GONE:
            message.update(nodes.get(change.record, {}))
        return Node({self.pick.key: Node(message)})


class _Sight:
    """How much of an entity a caller sees."""

    def __init__(self, entity: EntityPlan, access: Access, shown: Shown) -> None:
        pseudonyms = frozenset(entity.key) if entity.surrogate is not None else frozenset()
        self.shown = shown
        self.clear = frozenset(each.name for each in entity.fields if access.clear(each.address)) | pseudonyms
        self.key = self.clear >= set(entity.key)
        self.all = shown.everything and all(each.name in self.clear for each in entity.fields)

    def fields(self, change: Change) -> list[str]:
        """Return the changed fields that the caller may know of."""
        return [name for name in change.changed_fields if name.partition(".")[0] in self.clear]

    def tells(self, change: Change) -> bool:
        """Whether a change is one of what the caller sees: an update of other fields alone is none."""
        return change.type != "UPDATED" or not change.changed_fields or bool(self.fields(change))


def _raise_for(found: Found) -> None:
    """Raise for failures that concern more than one record; a record that is broken by itself exists for nobody."""
    for code in found.failed.values():
        if code in _PASSING:
            raise NotNow(code)
        if code not in _BROKEN:
            raise GatewayError(code)


def _parts(record: str) -> Key | None:
    try:
        parts = orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
    return tuple(parts) if isinstance(parts, list) else None
