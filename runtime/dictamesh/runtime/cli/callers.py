# SPDX-License-Identifier: Apache-2.0
"""Who a command speaks for: `--as`, `--purpose`, `--claim` (S21)."""

import argparse
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.specs.suggest import suggest


def add_caller(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="roles", metavar="ROLE,...", help="roles; '' is authenticated without roles")
    parser.add_argument("--purpose", help="the purpose of the call")
    parser.add_argument("--claim", action="append", default=[], metavar="NAME=VALUE", help="repeat for lists")


def add_date(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", metavar="DAY", help="the day of the call, for agreements (default: today, UTC)")


def day_of(options: argparse.Namespace) -> date:
    """Return the day of `--date`; raises UsageError for what is no day."""
    if options.date is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(options.date)
    except ValueError:
        raise UsageError("--date takes a day, like 2026-12-31") from None


def caller(options: argparse.Namespace, plan: Plan) -> Principal:
    """Return the principal; without `--as` it is anonymous. Raises UsageError for what the mesh does not declare."""
    if options.roles is None:
        if options.purpose is not None or options.claim:
            raise UsageError("--purpose and --claim need --as")
        return ANONYMOUS
    roles = [role for role in options.roles.split(",") if role]
    for role in roles:
        _declared("role", role, plan.mesh.roles)
    if options.purpose is not None:
        _declared("purpose", options.purpose, plan.mesh.purposes)
    claims = _claims(options.claim, plan.mesh.security.claims if plan.mesh.security else {})
    purposes = (options.purpose,) if options.purpose else ()
    return Principal("command-line", True, frozenset(roles), options.purpose, purposes, claims)


def _declared(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = suggest(name, known)
        hint = f"did you mean '{near}'?" if near else f"declared are: {', '.join(known) or 'none'}"
        raise UsageError(f"unknown {what} '{name}'; {hint}")


def _claims(given: list[str], declared: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise UsageError(f"--claim takes NAME=VALUE, not '{name}'")
        _declared("claim", name, tuple(declared))
        kind = declared[name]
        if isinstance(kind, tuple):
            found[name] = (*found.get(name, ()), _typed(name, value, kind[0]))
        elif name in found:
            raise UsageError(f"the claim '{name}' is no list")
        else:
            found[name] = _typed(name, value, kind)
    return found


def _typed(name: str, value: str, kind: str) -> str | int | bool:
    if kind == "string":
        return value
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    if kind == "integer" and value.removeprefix("-").isdecimal():
        return int(value)
    raise UsageError(f"the claim '{name}' is declared as {kind}")
