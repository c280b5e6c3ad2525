# SPDX-License-Identifier: Apache-2.0
"""`erase --subject KIND:ID` and `erase list`: a data subject leaves every product that declares its kind (GV-12)."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lifecycle.erasure import Eraser
from dictamesh.runtime.lifecycle.ledger import Standing, standings
from dictamesh.runtime.lifecycle.receipts import Erased, Order
from dictamesh.runtime.lifecycle.sources import Sources
from dictamesh.runtime.lifecycle.subjects import Subject, UnknownSubject, subject
from dictamesh.runtime.mesh.attestation import head_signer, ledger_of, replay_erasures
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, needed_keys, seal, signs_here
from dictamesh.runtime.mesh.lines import close_lines, open_line
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.resilience import Listeners
from dictamesh.specs.model.parts import PositiveDuration

_LONGEST_REASON = 200
_DURATION: TypeAdapter[float] = TypeAdapter(PositiveDuration)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=["list"], help="list: show how erasures stand")
    parser.add_argument("--subject", metavar="KIND:ID", help="whom, as products declare under 'subjects'")
    parser.add_argument("--deadline", metavar="TIME", help="how long owners of sources have, such as 30d")
    parser.add_argument("--reason", metavar="TEXT", help="why: the number of a request, no name")
    parser.add_argument("--by", metavar="NAME", default="command-line", help="who orders it, for the audit")
    parser.add_argument("--data-dir", help="folder of the embedded PostgreSQL and of keys (default: ./.dictamesh)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Erase and print the receipts, or list."""
    plan = plan_of(options, lambda: FINDINGS)
    if isinstance(plan, int):
        return plan
    resolver = Resolver(config_of(options).absolute().parent)
    data_dir = data_dir_of(plan, options.data_dir)
    if options.verb == "list":
        return _list(options, plan, resolver, data_dir)
    kind, colon, written = (options.subject or "").partition(":")
    if not colon:
        raise UsageError("name whom to erase: --subject KIND:ID")
    order = _order(options, written)
    try:
        whom = subject(plan, kind, written)
    except UnknownSubject as unknown:
        raise UsageError(str(unknown)) from None

    async def work(pool: Pool) -> Erased:
        return await _erase(pool, plan, resolver, data_dir, whom, order)

    erased = with_catalog("erase", plan, data_dir, resolver, work)
    if options.format == "json":
        print_json(erased.as_json())
    else:
        print("\n".join(_told(erased)))
    return FINE


def _order(options: argparse.Namespace, written: str) -> Order:
    if options.reason and written and written in options.reason:
        raise UsageError("--reason is kept for good and names the subject; write the number of a request")
    if options.reason and len(options.reason) > _LONGEST_REASON:
        raise UsageError(f"--reason has {_LONGEST_REASON} characters at most")
    try:
        seconds = _DURATION.validate_python(options.deadline) if options.deadline else None
    except ValidationError:
        raise UsageError("--deadline takes a time such as 30d") from None
    return Order(options.by, options.reason, None if seconds is None else timedelta(seconds=seconds))


async def _erase(pool: Pool, plan: Plan, resolver: Resolver, data_dir: Path, whom: Subject, order: Order) -> Erased:
    names = [plan.mesh.audit.key, *(entity.surrogate for entity in plan.entities.values())]
    keys = needed_keys(plan, resolver, names)
    key, ledger = audit_key(plan, keys, data_dir), ledger_of(plan, resolver, data_dir)
    opened = seal(plan, resolver, data_dir)
    await replay_erasures(pool, plan, ledger, key)
    async with AsyncExitStack() as stack:
        lines = await _lines(plan, whom, resolver, stack)
        sources = Sources(plan, lines, surrogates(plan, keys))
        try:
            erased = await Eraser(pool, plan, sources, ledger, key, opened).erase(whom, order)
        except OSError as error:
            raise StartFailed(
                f"the erasure ledger {ledger.path} cannot be written ({error.strerror})",
                "nothing was erased; see that the file belongs to this user",
            ) from None
    if erased.certificate and signs_here(plan, data_dir):
        heads = head_signer(plan, pool, resolver, data_dir)
        await heads.sign()
        await heads.publish()
    return erased


async def _lines(plan: Plan, whom: Subject, resolver: Resolver, stack: AsyncExitStack) -> dict[str, Line]:
    """The servers that may hold the subject, as far as they can be opened: what is not asked stays pending."""
    found: dict[str, Line] = {}
    for name in sorted({place.entity.server for place in whom.places}):
        try:
            opened = await open_line(plan, plan.servers[name], resolver, Listeners())
        except StartFailed:
            continue
        stack.push_async_callback(close_lines, [opened])
        found[name] = opened.line
    return found


def _list(options: argparse.Namespace, plan: Plan, resolver: Resolver, data_dir: Path) -> int:
    async def work(pool: Pool) -> list[Standing]:
        return await standings(pool, plan.name)

    found, now = with_catalog("erase", plan, data_dir, resolver, work), datetime.now(UTC)
    if options.format == "json":
        print_json([_as_json(each, now) for each in found])
    else:
        for each in found:
            print("\n".join(_standing(each, now)))
        print(f"{len(found)} erasures, {sum(each.overdue(now) for each in found)} overdue")
    return FINE


def _as_json(standing: Standing, now: datetime) -> dict[str, Any]:
    entry = standing.entry
    return {
        "id": str(entry.id),
        "subject": {"kind": entry.subject_kind, "token": entry.subject_token},
        "state": entry.state,
        "overdue": standing.overdue(now),
        "requestedAt": entry.requested_at.isoformat(),
        "requestedBy": entry.requested_by,
        "reason": entry.reason,
        "deadline": entry.deadline.isoformat(),
        "receipts": [dict(receipt) for receipt in standing.receipts],
    }


def _standing(standing: Standing, now: datetime) -> Iterator[str]:
    entry = standing.entry
    late = " OVERDUE" if standing.overdue(now) else ""
    yield (
        f"{entry.subject_kind} {entry.subject_token} {entry.state}{late},"
        f" asked for {entry.requested_at:%Y-%m-%d} by {entry.requested_by}, due {entry.deadline:%Y-%m-%d}"
    )
    for receipt in standing.receipts:
        if receipt["state"] == "pending":
            yield f"  {receipt['product']}: waits for {receipt['owner'] or 'nobody'}, its source {_source(receipt)}"


def _told(erased: Erased) -> Iterator[str]:
    entry = erased.entry
    yield f"{entry.subject_kind} {entry.subject_token}: {entry.state}, due {entry.deadline:%Y-%m-%d}"
    for receipt in (each.counts() for each in erased.receipts):
        yield (
            f"  {receipt['product']}: {receipt['records']} records, {receipt['archived']} archived,"
            f" {receipt['edgesClosed']} edges closed, {receipt['eventsAppended']} events;"
            f" its source {_source(receipt)} ({receipt['state']}, {receipt['owner'] or 'nobody'})"
            f"{'; under ' + ', '.join(receipt['regimes']) if receipt['regimes'] else ''}"
        )
    yield f"  key of the subject: {'destroyed' if erased.key_destroyed else 'none was left to destroy'}"
    yield from _certificate(erased.certificate)


def _certificate(rows: Sequence[Any]) -> Iterator[str]:
    for row in rows:
        yield f"  certificate: {row['product']} {row['day']} row {row['sequence']} {row['hash'][:16]}"


def _source(receipt: Any) -> str:
    told = {"holds": f"holds {receipt['sourceRecords']}", "gone": "holds nothing more"}
    return told.get(receipt["source"], f"could not be asked ({receipt.get('code') or 'unknown'})")
