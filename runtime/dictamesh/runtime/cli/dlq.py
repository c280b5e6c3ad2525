# SPDX-License-Identifier: Apache-2.0
"""`dlq list|show|retry|drop`: records that no event could be made of, or that a consumer could not handle (EV-12)."""

import argparse
import base64
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from dictamesh.runtime.adapters.keys import json_form
from dictamesh.runtime.audit.append import append_rows
from dictamesh.runtime.capture.packing import Unpackable, unpacked
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, entities_of, plan_of, print_json, visible
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.events.dead_letters import Status
from dictamesh.runtime.events.kept_letters import PAGE, Letter, Which, letters, settle
from dictamesh.runtime.events.seal import Seal, Unreadable
from dictamesh.runtime.governance.audit import AuditRow
from dictamesh.runtime.governance.subjects import record_token
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, needed_keys, seal
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.retrying import retrying


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=["list", "show", "retry", "drop"], help="what to do with them")
    parser.add_argument("--id", action="append", metavar="ID", help="which one; may be given again")
    parser.add_argument("--entity", metavar="ENTITY", help="those of a type or product#Entity")
    parser.add_argument("--all", action="store_true", help="all that are pending; with list and show settled ones, too")
    parser.add_argument("--limit", type=int, default=100, help="how many list and show print (default: 100)")
    parser.add_argument("--body", action="store_true", help="show: what came, in clear; this is audited")
    parser.add_argument("--by", metavar="NAME", default="command-line", help="who looks at it, for the audit")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL and of keys (default: ./.dictamesh)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, show, retry or drop dead letters; what could not be retried makes the exit code 1."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    which = _which(options, plan)
    resolver = Resolver(config_of(options).absolute().parent)
    data_dir = data_dir_of(plan, options.data_dir)

    async def work(pool: Pool) -> list[dict[str, Any]]:
        match options.verb:
            case "list" | "show":
                found = await letters(pool, which, limit=options.limit)
                if not options.body:
                    return [_as_json(each) for each in found]
                keys = needed_keys(plan, resolver, [plan.mesh.audit.key])
                await _audited(pool, plan, found, audit_key(plan, keys, data_dir), options.by)
                opened = seal(plan, resolver, data_dir)
                return [{**_as_json(each), "body": _body(each, opened)} for each in found]
            case "drop":
                return [row async for row in _dropped(pool, plan, which)]
            case _:
                async with retrying(pool, plan, resolver, data_dir) as tries:
                    return [
                        {**_named(each), **_outcome(await tries.retry(each))} async for each in _pending(pool, which)
                    ]

    found = with_catalog("dlq", plan, data_dir, resolver, work)
    if options.format == "json":
        print_json(found)
    else:
        print("\n".join([*(_line(each) for each in found), f"{len(found)} dead letters"]))
    return FINDINGS if any(each.get("outcome") in {"failed", "kept"} for each in found) else FINE


def _which(options: argparse.Namespace, plan: Plan) -> Which:
    if options.body and options.verb != "show":
        raise UsageError("--body belongs to show")
    if not 1 <= options.limit <= 10_000:
        raise UsageError("--limit is 1 to 10,000")
    if options.verb != "list" and not (options.id or options.entity or options.all):
        raise UsageError("say which: --id ID, --entity ENTITY or --all")
    entity = _entity(options.entity, plan)
    looks = options.verb in {"list", "show"}
    status: Status | None = None if looks and (options.all or options.id) else "pending"
    return Which(plan.name, None if not options.id else tuple(_ids(options.id)), entity, status)


def _entity(name: str | None, plan: Plan) -> str | None:
    """The address of an entity; one that left the mesh is named by it."""
    if name is None or "#" in name:
        return name
    return entities_of(plan, name)[0].address


def _ids(given: list[str]) -> Iterator[uuid.UUID]:
    for text in given:
        try:
            yield uuid.UUID(text)
        except ValueError:
            raise UsageError("--id takes the id of a dead letter, as `dlq list` shows it") from None


async def _pending(pool: Pool, which: Which) -> AsyncIterator[Letter]:
    """Those that wait, each once: what is tried or fails meanwhile is not met again."""
    after: Letter | None = None
    while found := await letters(pool, which, after):
        for each in found:
            yield each
        after = found[-1]
        if len(found) < PAGE:
            return


async def _dropped(pool: Pool, plan: Plan, which: Which) -> AsyncIterator[dict[str, Any]]:
    topic = plan.mesh.events.dead_letters.topic
    while found := await letters(pool, which):
        async with pool.transaction() as connection:
            await settle(connection, plan.name, [each.id for each in found], "dropped", to=topic)
        for each in found:
            yield {**_named(each), "outcome": "dropped"}


async def _audited(pool: Pool, plan: Plan, found: list[Letter], key: bytes, by: str) -> None:
    """Note who sees which records before anything is shown; raises `CatalogUnavailable`."""
    rows = [_row(plan, each, key, by) for each in found if each.sealed is not None]
    if rows:
        async with pool.transaction() as connection:
            await append_rows(connection, rows)


def _row(plan: Plan, letter: Letter, key: bytes, by: str) -> AuditRow:
    entity = plan.entities.get(letter.entity)
    product, _, name = letter.entity.partition("#")
    return AuditRow(
        principal=by,
        product=product,
        entity_type=name,
        plan_hash=plan.hash,
        operation="READ",
        fields=tuple(each.name for each in entity.fields if each.pii) if entity is not None else (),
        subject_tokens=(record_token(key, letter.entity, letter.key),) if letter.key is not None else (),
        subject_count=1,
    )


def _body(letter: Letter, opened: Seal) -> Any:
    try:
        body = letter.body(opened)
    except Unreadable:
        raise StartFailed(
            f"the body of {letter.id} was sealed by another key", "give the command the data folder or the key it had"
        ) from None
    if body is None:
        return None
    try:
        seen = unpacked(body)
    except Unpackable:
        return _bytes(body)
    return {"record": _values(seen.columns if seen.columns is not None else seen.fields)}


def _values(value: Any) -> Any:
    match value:
        case dict():
            return {name: _values(each) for name, each in value.items()}
        case list():
            return [_values(each) for each in value]
        case bytes():
            return _bytes(value)
        case _:
            return json_form(value)


def _bytes(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _named(letter: Letter) -> dict[str, Any]:
    return {"id": str(letter.id), "entity": letter.entity}


def _outcome(outcome: Any) -> dict[str, Any]:
    told = {"outcome": outcome.became, "rule": outcome.rule or None, "error": outcome.error or None}
    return {name: value for name, value in told.items() if value is not None}


def _as_json(letter: Letter) -> dict[str, Any]:
    return {
        **_named(letter),
        "topic": letter.topic,
        "kind": letter.kind,
        "stage": letter.stage,
        "rule": letter.rule,
        "error": letter.error,
        "origin": letter.origin,
        "attempts": letter.attempts,
        "firstFailedAt": letter.first_failed_at.isoformat(),
        "lastFailedAt": letter.last_failed_at.isoformat(),
        "consumerGroup": letter.group,
        "eventId": None if letter.event_id is None else str(letter.event_id),
        "key": letter.key,
        "status": letter.status,
        "settledAt": _time(letter.settled_at),
        "hasBody": letter.sealed is not None,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _line(told: dict[str, Any]) -> str:
    parts = [told["id"], told["entity"]]
    parts += [str(told[name]) for name in ("outcome", "status", "stage", "rule", "error") if told.get(name)]
    if "attempts" in told:
        parts.append(f"{told['attempts']} attempts, first {told['firstFailedAt']}")
    if told.get("body") is not None:
        parts.append(str(next(iter(told["body"].values()))))
    return visible("  ".join(parts))
