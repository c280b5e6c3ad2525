# SPDX-License-Identifier: Apache-2.0
"""From the text that PostgreSQL sends to the value that the connector's rows hold, by the type's OID."""

from collections.abc import Callable
from typing import Any

from psycopg.adapt import Transformer
from psycopg.errors import DataError
from psycopg.pq import Format
from psycopg.types.json import set_json_loads

from dictamesh.connectors.exact_json import loads
from dictamesh.runtime.capture.postgres.session import Connection, rows

Load = Callable[[bytes], Any]

_DOMAINS = b"""
WITH RECURSIVE based AS (
    SELECT oid, typbasetype AS base FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT b.oid, t.typbasetype FROM based b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
)
SELECT b.oid, b.base FROM based b JOIN pg_type t ON t.oid = b.base AND t.typtype <> 'd'
"""
_FIRST_OF_USERS = 16_384
_SURE = frozenset({16, 20, 21, 23, 25, 1043})
"""Types every value of which Python holds: booleans, whole numbers, texts."""


def json_or_text(raw: str | bytes) -> Any:
    """Parse JSON as the connector does: one nested too deep stays text, to spoil its cell alone."""
    try:
        return loads(raw)
    except ValueError:
        return raw


class Values:
    """Loaders of one connection, which must be in UTC; a domain's values are those of its base type."""

    def __init__(self, connection: Connection) -> None:
        set_json_loads(json_or_text, context=connection)
        self._connection = connection
        self._transformer = Transformer(connection)
        self._loads: dict[int, Load] = {}
        self._bases: dict[int, int] = {}

    async def learn(self, types: set[int]) -> None:
        """Get to know types before their values come; raises `CaptureFailed`."""
        unknown = {oid for oid in types if oid >= _FIRST_OF_USERS and oid not in self._loads}
        if unknown - self._bases.keys():
            found = await rows(self._connection, _DOMAINS, doing="reading the source's types")
            self._bases.update({row["oid"]: row["base"] for row in found})
        for oid in unknown:
            self._bases.setdefault(oid, oid)

    def load(self, type_: int) -> Load:
        """Return how a value of a type is read; a date that Python cannot hold stays text (S4)."""
        found = self._loads.get(type_)
        if found is None:
            found = self._loads[type_] = self._guarded(self._bases.get(type_, type_))
        return found

    def _guarded(self, type_: int) -> Load:
        load = self._transformer.get_loader(type_, Format.TEXT).load
        if type_ in _SURE:
            return load

        def guarded(raw: bytes) -> Any:
            try:
                return load(raw)
            except (DataError, ValueError):
                return raw.decode()

        return guarded
