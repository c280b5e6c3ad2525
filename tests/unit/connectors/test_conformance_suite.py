# SPDX-License-Identifier: Apache-2.0
"""The conformance suite passes a sound connector and finds each fault of an unsound one."""

import asyncio
from typing import Any

import pytest

from dictamesh.connectors.sdk import (
    Capabilities,
    Fault,
    Health,
    LiveColumn,
    Manifest,
    Options,
    Request,
    Rows,
    Source,
    SourceColumn,
    Status,
    Terminal,
)
from dictamesh.connectors.sdk.conformance import CHECKS, Outcome, Subject, conformance
from dictamesh.specs import types
from dictamesh.specs.expressions import compile_filter, compile_python


class Nothing(Options):
    """No options."""


COLUMNS = {"id": types.STRING, "name": types.STRING, "age": types.INT}
ROWS = [{"id": f"k{n:02}", "name": ["b", "B", "a", None][n % 4], "age": None if n == 3 else n % 5} for n in range(20)]
SOURCE = Source(
    "people#Person", "people", tuple(SourceColumn(name, type_) for name, type_ in COLUMNS.items()), ("id",), Nothing()
)
MANIFEST = Manifest(
    "memory",
    "Memory",
    "Rows in memory.",
    Nothing,
    Nothing,
    lambda _source: Capabilities(count=True, limit_per_key=True, lookups=None),
    filters=lambda _source, _expr: None,
    orders=lambda _source, _expr: None,
    outputs=lambda _source, _expr: None,
)


class Memory:
    """A connector over `ROWS` with one fault, or none."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.state = "new"
        self.broken = False

    async def open(self) -> None:
        self.state = "open"

    async def close(self) -> None:
        if self.state == "closed" and self.fault == "closes once":
            raise RuntimeError
        self.state = "closed"

    async def health(self) -> Health:
        if self.fault == "health raises" and self.state == "closed":
            raise Terminal(Fault.CONNECTION_FAILED)
        return Health(Status.HEALTHY)

    async def describe(self, source: Source) -> tuple[LiveColumn, ...] | None:
        self._reach(source)
        return tuple(LiveColumn(name, "x") for name in COLUMNS if self.fault != "describes less" or name != "age")

    async def count(self, source: Source, request: Request) -> int:
        self._reach(source)
        found = self._kept(request)
        return min(len(found), request.limit or 99) if self.fault == "counts the window" else len(found)

    async def fetch(self, source: Source, request: Request) -> Rows:
        self._reach(source)
        if self.fault == "dies of cancellation":
            self.broken = True
            await asyncio.sleep(0.0005)
            self.broken = False
        if request.per_key and request.keys is None:
            raise Terminal(Fault.NOT_SUPPORTED)
        if (
            self.fault == "unknown keys raise"
            and request.keys is not None
            and len(self._kept(request)) < len(request.keys.values)
        ):
            raise Terminal(Fault.NOT_FOUND)
        rows = self._window(self._ordered(self._kept(request), request), request)
        if self.fault == "drops a row of a batch" and request.keys is not None and len(rows) > 15:
            rows = rows[:-1]
        if self.fault == "repeats a row" and request.keys is None and len(rows) > 15:
            rows = [*rows[:-1], rows[0]]
        outputs = [compile_python(output.expr) for output in request.select]
        if self.fault == "mixes up fields":
            outputs.reverse()
        if self.fault == "mixes up answers" and request.keys is not None:
            await asyncio.sleep(0.001)
            rows = [ROWS[0]] * len(rows) if len(asyncio.all_tasks()) > 5 else rows
        return Rows([tuple(output(row, {}) for output in outputs) for row in rows])

    def _reach(self, source: Source) -> None:
        if self.broken or self.state != "open" or source.physical_name != "people":
            raise ValueError("x") if self.fault == "others leave" else Terminal(Fault.NOT_FOUND)

    def _kept(self, request: Request) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = list(ROWS)
        if request.keys is not None:
            wanted = set(request.keys.values)
            rows = [row for row in rows if tuple(row[name] for name in request.keys.columns) in wanted]
        if request.where is not None and self.fault != "ignores filters":
            keep = compile_filter(request.where)
            rows = [row for row in rows if keep(row, request.parameters)]
        return rows

    def _ordered(self, rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        for key in reversed(request.order):
            read = compile_python(key.expr)
            pairs = [(self._sort(read(row, {})), row) for row in rows if read(row, {}) is not None]
            filled = [row for _, row in sorted(pairs, key=lambda pair: pair[0], reverse=key.descending)]
            empty = [r for r in rows if read(r, {}) is None]
            rows = [*empty, *filled] if self.fault == "NULLs first" else [*filled, *empty]
        return rows

    def _sort(self, value: Any) -> Any:
        return value.lower() if self.fault == "ignores case" and isinstance(value, str) else value

    def _window(self, rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        end = None if request.limit is None else request.offset + request.limit
        if not request.per_key or request.keys is None or self.fault == "limits over all keys":
            return rows if self.fault == "ignores limits" else rows[request.offset : end]
        groups: dict[Any, list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault(tuple(row[name] for name in request.keys.columns), []).append(row)
        return [row for group in groups.values() for row in group[request.offset : end]]


FAULTS = {
    "unknown keys raise": "an unknown key is absent",
    "drops a row of a batch": "a batch keeps every key",
    "repeats a row": "a list is complete and repeats nothing",
    "ignores limits": "a list is complete and repeats nothing",
    "NULLs first": "orders put NULLs last and text by code point",
    "ignores case": "orders put NULLs last and text by code point",
    "ignores filters": "filters agree with Python",
    "mixes up fields": "rows hold what was asked for",
    "counts the window": "counts ignore limit and offset",
    "limits over all keys": "limits per key",
    "dies of cancellation": "a cancelled call leaves it usable",
    "mixes up answers": "calls side by side keep apart",
    "others leave": "only SourceError leaves",
    "closes once": "it closes twice and health never raises",
    "health raises": "it closes twice and health never raises",
    "describes less": "live columns are described",
}


async def results(fault: str) -> dict[str, Outcome]:
    async def make() -> Memory:
        return Memory(fault)

    found = await conformance(Subject(MANIFEST, make, SOURCE, ROWS, ("nobody",)))
    return {result.name: result.outcome for result in found}


async def test_a_sound_connector_passes_everything() -> None:
    assert await results("") == dict.fromkeys(CHECKS, Outcome.PASSED)


@pytest.mark.parametrize(("fault", "check"), FAULTS.items())
async def test_each_fault_is_found(fault: str, check: str) -> None:
    assert (await results(fault))[check] is Outcome.FAILED


async def test_too_few_rows_prove_nothing() -> None:
    with pytest.raises(ValueError, match="12 rows"):
        await conformance(Subject(MANIFEST, Memory, SOURCE, ROWS[:3], ("nobody",)))  # type: ignore[arg-type]
