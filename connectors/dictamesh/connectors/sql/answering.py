# SPDX-License-Identifier: Apache-2.0
"""Answers requests by statements: what every SQL connector does, whatever its driver."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal
from dictamesh.connectors.sdk.protocol import Keys, Request, Rows
from dictamesh.connectors.sql.dialect import Dialect
from dictamesh.connectors.sql.lifting import lifted
from dictamesh.connectors.sql.statement import MAX_ROWS, Statement, count_statement, rows_statement, shape
from dictamesh.specs.manifest import Source

Run = Callable[[str, Mapping[str, Any], str], Awaitable[list[tuple[Any, ...]]]]
"""Runs a statement with values by placeholder; the last argument is the place for errors."""

Build = Callable[[Source, Request, Dialect, bool], Statement]

_REMEMBERED = 512  # statements


@dataclass(slots=True)
class Answering:
    """Requests against one server. `unfit` are statuses that a key of a wrong form causes; its row is absent then."""

    dialect: Dialect
    run: Run
    unfit: frozenset[str] = frozenset()
    _statements: OrderedDict[Any, Statement] = field(default_factory=OrderedDict)

    async def fetch(self, source: Source, request: Request) -> Rows:
        """Answer `Connector.fetch`."""
        if request.limit == 0 or _no_keys(request):
            return Rows([])
        found = await self._answer(rows_statement, source, request)
        if len(found) > MAX_ROWS:
            raise Terminal(Fault.TOO_LARGE, place=source.address)
        return Rows(found)

    async def count(self, source: Source, request: Request) -> int:
        """Answer `Connector.count`."""
        if _no_keys(request):
            return 0
        found = await self._answer(count_statement, source, request)
        return int(found[0][0])

    async def _answer(self, build: Build, source: Source, request: Request) -> list[tuple[Any, ...]]:
        try:
            return await self._once(build, source, request, keys_as_text=False)
        except SourceError as error:
            if request.keys is None or error.status not in self.unfit:
                raise
        return await self._once(build, source, request, keys_as_text=True)

    async def _once(
        self, build: Build, source: Source, request: Request, *, keys_as_text: bool
    ) -> list[tuple[Any, ...]]:
        request = lifted(request)
        statement = self._statement(build, source, request, keys_as_text)
        return await self.run(statement.sql, statement.values.read(request), source.address)

    def _statement(self, build: Build, source: Source, request: Request, keys_as_text: bool) -> Statement:
        known = (build, shape(source, request, self.dialect, keys_as_text))
        try:
            found = self._statements.get(known)
        except TypeError:  # a literal that is a list
            return build(source, request, self.dialect, keys_as_text)
        if found is None:
            found = self._statements[known] = build(source, request, self.dialect, keys_as_text)
            if len(self._statements) > _REMEMBERED:
                self._statements.popitem(last=False)
        else:
            self._statements.move_to_end(known)
        return found


def _no_keys(request: Request) -> bool:
    return request.keys is not None and not request.keys.values


def without(keys: Keys, unfit: Callable[[Any], bool]) -> Keys:
    """Leave out keys that no row of the engine can have."""
    return Keys(keys.columns, tuple(values for values in keys.values if not any(map(unfit, values))))
