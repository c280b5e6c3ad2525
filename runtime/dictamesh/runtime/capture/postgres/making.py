# SPDX-License-Identifier: Apache-2.0
"""Makes the way `postgres` of a stream; the lead's task stands for all its entities."""

from collections.abc import Callable

from dictamesh.runtime.capture.contract import Way
from dictamesh.runtime.capture.postgres.lag import Observe, unobserved
from dictamesh.runtime.capture.postgres.streams import streams
from dictamesh.runtime.capture.postgres.way import PostgresWay
from dictamesh.runtime.capture.running import Making, WayMaker
from dictamesh.runtime.compile.plan import Plan

Dsn = Callable[[Plan, str], str]
"""Gives the connection string of a plan's server, its references resolved."""


def postgres(dsn: Dsn, observe: Observe = unobserved) -> WayMaker:
    """Return the maker of ways; `observe` is told of each slot's lag."""

    def make(making: Making) -> Way:
        found = next(each for each in streams(making.plan) if making.state in each.states.values())
        return PostgresWay(found, dsn(making.plan, found.server), making.recorder, observe)

    return make
