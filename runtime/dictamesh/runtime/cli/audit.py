# SPDX-License-Identifier: Apache-2.0
"""`audit verify | list | stats | export | accept-restore | key`: the audit log, whether a mesh runs or not."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, get_args

from dictamesh.runtime.audit.answers import as_json, numbers
from dictamesh.runtime.audit.examine import NoExport, examine_database, examine_export, read_heads
from dictamesh.runtime.audit.export import exported
from dictamesh.runtime.audit.findings import Report
from dictamesh.runtime.audit.heads import lost_heads
from dictamesh.runtime.audit.keys import KnownKeys, UnusableKey, known_keys
from dictamesh.runtime.audit.queries import DEFAULT_LIMIT, AuditFilter, AuditPage, list_rows, statistics
from dictamesh.runtime.audit.reading import Span
from dictamesh.runtime.audit.statements import Restored, SignedHead
from dictamesh.runtime.catalog.errors import InvalidRequest
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.rest.parameters import read_day_or_instant
from dictamesh.runtime.cli.audit_text import line, told
from dictamesh.runtime.cli.common import add_format, config_of, plan_of, print_json
from dictamesh.runtime.cli.database import with_catalog
from dictamesh.runtime.cli.exits import FINDINGS, FINE, UsageError
from dictamesh.runtime.cli.serve import data_dir_of
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audit import Operation
from dictamesh.runtime.mesh.attestation import HEADS, head_signer
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import public_keys, signs_here
from dictamesh.runtime.mesh.references import Resolver


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    verify = _verb(verbs, "verify", "find any edit, removal, reorder or insertion, and the first bad row", run_verify)
    _add_days(verify)
    verify.add_argument("--heads", metavar="FILE", action="append", default=[], help="signed heads kept elsewhere, too")
    verify.add_argument(
        "--public-key", metavar="FILE", action="append", default=[], help="a key that signed them (PEM)"
    )
    verify.add_argument("--file", metavar="EXPORT", help="verify an exported file, without the database")
    add_format(verify)
    rows = _verb(verbs, "list", "show rows, newest first", run_list)
    _add_filters(rows)
    rows.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help=f"1 to 500 (default: {DEFAULT_LIMIT})")
    rows.add_argument("--offset", type=int, default=0)
    add_format(rows)
    stats = _verb(verbs, "stats", "show numbers", run_stats)
    _add_filters(stats)
    add_format(stats)
    export = _verb(verbs, "export", "write rows as JSON Lines that can be verified without the database", run_export)
    _add_days(export)
    export.add_argument("--product", help="one product alone")
    export.add_argument("--out", metavar="FILE", help="default: standard output")
    accept = _verb(verbs, "accept-restore", "sign that rows are missing because a backup was restored", run_accept)
    accept.add_argument("--reason", required=True, metavar="TEXT", help="what happened; it is kept for good")
    accept.add_argument("--by", metavar="NAME", default="command-line", help="who says so")
    accept.add_argument("--heads", metavar="FILE", action="append", default=[], help="signed heads kept elsewhere, too")
    _verb(verbs, "key", "print the public keys that the heads are signed with", run_key)


def run_verify(options: argparse.Namespace) -> int:
    """Print what is wrong; 1 where something is."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS
    keys = _known(plan, data_dir, resolver, options.public_key)
    published = [head for path in _published(options, data_dir) for head in _heads(path)]
    if options.file is not None:
        if options.since or options.until:
            raise UsageError("--file says itself which days it holds; leave out --from and --to")
        report = _of_file(Path(options.file), plan.name, keys, published)
    else:
        span = Span(options.since, options.until)

        async def examine(pool: Pool) -> Report:
            return await examine_database(pool, plan.name, keys, published, span)

        report = with_catalog("audit", plan, data_dir, resolver, examine)
    if not keys.keys and any(each.fault == "head-unknown-key" for each in report.findings):
        raise UsageError("no public key is known here; name the file of one with --public-key")
    if options.format == "json":
        print_json(report.as_json())
    else:
        print("\n".join(told(report)))
    return FINE if report.intact else FINDINGS


def run_list(options: argparse.Namespace) -> int:
    """Print a page of rows."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS

    async def page(pool: Pool) -> AuditPage:
        return await list_rows(pool, _filter(options), options.limit, options.offset)

    try:
        found = with_catalog("audit", plan, data_dir, resolver, page)
    except InvalidRequest as error:
        raise UsageError(str(error)) from None
    if options.format == "json":
        names = ("items", "total", "limit", "offset")
        print_json({name: getattr(found, name) for name in names})
    else:
        for each in found.items:
            print(line(each))
        print(f"{len(found.items)} of {found.total} rows")
    return FINE


def run_stats(options: argparse.Namespace) -> int:
    """Print numbers over the log."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS

    async def counted(pool: Pool) -> dict[str, object]:
        return as_json(numbers(await statistics(pool, _filter(options))))

    found = with_catalog("audit", plan, data_dir, resolver, counted)
    if options.format == "json":
        print_json(found)
    else:
        for name, value in found.items():
            shown = f"{value:.3f}" if isinstance(value, float) else "none" if value is None else value
            print(f"{name:<18} {shown}")
    return FINE


def run_export(options: argparse.Namespace) -> int:
    """Write the rows of a span."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS
    span = Span(options.since, options.until, options.product)

    async def write(pool: Pool, out: BinaryIO) -> None:
        async for each in exported(pool, plan.name, span):
            out.write(each)
        out.flush()

    try:
        with open(options.out, "wb") if options.out else nullcontext(sys.stdout.buffer) as out:
            with_catalog("audit", plan, data_dir, resolver, lambda pool: write(pool, out))
    except OSError as error:
        raise UsageError(f"{options.out} cannot be written ({error.strerror})") from None
    return FINE


def run_accept(options: argparse.Namespace) -> int:
    """Sign a statement that voids those which the restored database lacks; what is lost stays noted for good."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS
    if not signs_here(plan, data_dir):
        raise UsageError("only a host that signs for the mesh can accept: name its --data-dir")
    published = [head for path in _published(options, data_dir) for head in _heads(path)]

    async def accept(pool: Pool) -> tuple[int, int, int] | None:
        lost = await lost_heads(pool, plan.name, published)
        if not lost:
            return None
        word = Restored(lost[0], lost[-1], options.by, options.reason)
        heads = head_signer(plan, pool, resolver, data_dir)
        head = await heads.sign(word)
        await heads.publish()
        return (head.number if head else 0), lost[0], lost[-1]

    signed = with_catalog("audit", plan, data_dir, resolver, accept)
    if signed is None:
        raise UsageError("there is nothing to accept: the database has every head that was published")
    print("statement {} voids statements {} to {}".format(*signed))
    return FINE


def run_key(options: argparse.Namespace) -> int:
    """Print every public key that this mesh is known to sign with, in PEM."""
    plan, data_dir, resolver = _place(options)
    if plan is None:
        return FINDINGS
    texts = public_keys(plan, resolver, data_dir)
    if not texts:
        raise StartFailed("no key has signed yet", "start the mesh once, or name its --data-dir")
    print(b"".join(dict.fromkeys(texts)).decode(), end="")
    return FINE


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    verb.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
    verb.add_argument("--data-dir", help="folder of the embedded PostgreSQL and of keys (default: ./.dictamesh)")
    verb.set_defaults(run=run)
    return verb


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="since", type=_day, metavar="DAY", help="the first day (UTC)")
    parser.add_argument("--to", dest="until", type=_day, metavar="DAY", help="the last day")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--principal", help="the name of a caller")
    parser.add_argument("--anonymous", action="store_true", default=None, help="strangers alone")
    parser.add_argument("--operation", choices=get_args(Operation))
    parser.add_argument("--product")
    parser.add_argument("--entity", help="the type of an entity")
    parser.add_argument("--failed", action="store_true", help="refused operations alone")
    parser.add_argument("--pii", action="store_true", default=None, help="reads of personal data in clear alone")
    parser.add_argument("--trace", help="a trace id")
    parser.add_argument("--from", dest="since", type=_instant, metavar="TIME", help="a day or an instant, included")
    parser.add_argument("--to", dest="until", type=_instant, metavar="TIME", help="a day or an instant, not included")


def _filter(options: argparse.Namespace) -> AuditFilter:
    return AuditFilter(
        principal=options.principal,
        anonymous=options.anonymous,
        operation=options.operation,
        product=options.product,
        entity_type=options.entity,
        success=False if options.failed else None,
        pii_access=options.pii,
        trace_id=options.trace,
        since=options.since,
        until=options.until,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("takes a day, like 2026-12-31") from None


def _instant(text: str) -> datetime:
    try:
        return read_day_or_instant(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("takes a day or an instant, like 2026-12-31 or 2026-12-31T08:00:00Z") from None


def _place(options: argparse.Namespace) -> tuple[Plan | None, Path, Resolver]:
    plan = plan_of(options, lambda: FINDINGS)
    resolver = Resolver(config_of(options).absolute().parent)
    if isinstance(plan, int):
        return None, Path(), resolver
    return plan, data_dir_of(plan, options.data_dir), resolver


def _known(plan: Plan, data_dir: Path, resolver: Resolver, files: Sequence[str]) -> KnownKeys:
    try:
        return known_keys([*public_keys(plan, resolver, data_dir), *(_bytes(Path(each)) for each in files)])
    except UnusableKey as error:
        raise UsageError(f"a public key cannot be used: {error}") from None


def _published(options: argparse.Namespace, data_dir: Path) -> list[Path]:
    """The files of signed heads: those that are named, and that of the data folder where the database is looked at."""
    own = data_dir / HEADS
    return [*([own] if getattr(options, "file", None) is None and own.exists() else []), *map(Path, options.heads)]


def _heads(path: Path) -> list[SignedHead]:
    try:
        return read_heads(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None


def _of_file(path: Path, mesh: str, keys: KnownKeys, published: Sequence[SignedHead]) -> Report:
    try:
        with path.open("rb") as lines:
            return examine_export(lines, mesh, keys, published)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except NoExport as error:
        raise UsageError(f"{path}: {error}") from None
