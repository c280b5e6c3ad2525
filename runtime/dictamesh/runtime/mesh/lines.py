# SPDX-License-Identifier: Apache-2.0
"""Connectors opened and guarded, one line per server; unchanged ones outlive a reload with pools and breakers (S29)."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.connectors.registry import factory, manifest
from dictamesh.connectors.sdk import Context, Options
from dictamesh.runtime.adapters.line import Line
from dictamesh.runtime.compile.plan import Plan, ServerPlan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.resilience import Guard, Listeners, declared
from dictamesh.specs.model.mesh import Resilience

_LOG = logging.getLogger("dictamesh.mesh")


@dataclass(frozen=True, slots=True)
class Opened:
    """A line and what it was made of; equal `made_of` means that the line can be used again."""

    line: Line
    made_of: tuple[str, Options, Resilience]


Lines = Mapping[str, Opened]


async def open_lines(plan: Plan, resolver: Resolver, listeners: Listeners, kept: Lines | None = None) -> Lines:
    """Open a line to each server of a plan, or take it over from `kept`; raises StartFailed with nothing left open."""
    opened: dict[str, Opened] = {}
    earlier = kept or {}
    try:
        for server in plan.servers.values():
            made_of = _made_of(plan, server, resolver)
            old = earlier.get(server.id)
            opened[server.id] = (
                old if old and old.made_of == made_of else await _open(server, made_of, resolver, listeners)
            )
    except BaseException:
        await close_lines(_unshared(opened, earlier))
        raise
    return opened


async def open_line(plan: Plan, server: ServerPlan, resolver: Resolver, listeners: Listeners) -> Opened:
    """Open a line to one server; raises StartFailed."""
    return await _open(server, _made_of(plan, server, resolver), resolver, listeners)


def _made_of(plan: Plan, server: ServerPlan, resolver: Resolver) -> tuple[str, Options, Resilience]:
    options = resolver.options(manifest(server.connector).server, server.options, f"servers.{server.id}")
    resilience = plan.mesh.resilience
    return server.connector, options, resilience.get(server.id) or resilience.get("default") or Resilience()


async def _open(
    server: ServerPlan, made_of: tuple[str, Options, Resilience], resolver: Resolver, listeners: Listeners
) -> Opened:
    name, options, resilience = made_of
    try:
        connector = factory(name)(options, Context(server.id, resolver.folder, resilience.timeout))
        await connector.open()
    except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything at its start
        _LOG.error("a connector did not open", exc_info=error, extra={"server": server.id})
        raise StartFailed(f"the server '{server.id}' cannot be opened", "see its options, and the log") from None
    guard = Guard(server.id, declared(resilience), listeners=listeners)
    return Opened(Line(connector, guard, manifest(name)), made_of)


def lines_of(opened: Lines) -> dict[str, Line]:
    return {name: each.line for name, each in opened.items()}


async def close_lines(opened: Iterable[Opened]) -> None:
    """Close lines; what a connector raises at its end is logged by type."""
    for each in opened:
        try:
            await each.line.connector.close()
        except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything at its end
            _LOG.warning("a connector did not close cleanly", exc_info=error)


def _unshared(opened: Mapping[str, Opened], earlier: Mapping[str, Opened]) -> list[Opened]:
    return [each for name, each in opened.items() if earlier.get(name) is not each]


def unused(old: Lines, new: Lines) -> list[Opened]:
    """Return the lines of `old` that `new` did not take over."""
    return [each for name, each in old.items() if new.get(name) is not each]


def states(opened: Lines) -> dict[str, Any]:
    """Return the state of each breaker by server (RS-4)."""
    return {name: str(each.line.guard.state) for name, each in opened.items()}
