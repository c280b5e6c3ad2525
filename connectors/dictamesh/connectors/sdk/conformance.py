# SPDX-License-Identifier: Apache-2.0
"""Whether a connector keeps the contract: checks that its author runs in tests, whatever the test framework.

results = await conformance(subject)
assert not [result for result in results if result.outcome is Outcome.FAILED]
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from dictamesh.connectors.sdk.errors import SourceError
from dictamesh.connectors.sdk.protocol import Connector, Health, Keys, Order, Output, Request
from dictamesh.specs.expressions import call, compile_filter
from dictamesh.specs.expressions.tree import Column, Expr, Literal
from dictamesh.specs.manifest import Manifest, Source
from dictamesh.specs.types import Kind, Type

Row = Mapping[str, Any]
MIN_ROWS = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: `make` builds a connector (not opened) whose `source` holds exactly `rows`.

    Each row has a value of the declared type, or None, for every column of the source; there are twelve rows or more,
    with NULLs in some column. `unknown_key` is the key of no row. `extra` are further conditions to agree on.
    """

    manifest: Manifest
    make: Callable[[], Awaitable[Connector]]
    source: Source
    rows: Sequence[Row]
    unknown_key: tuple[Any, ...]
    extra: Sequence[Expr] = ()


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # the source's capabilities leave it out


@dataclass(frozen=True, slots=True)
class Result:
    """One check by its name; `detail` says what was wrong or why it was skipped."""

    name: str
    outcome: Outcome
    detail: str = ""


class _Failed(Exception):  # noqa: N818  (an outcome)
    pass


class _Skipped(Exception):  # noqa: N818  (an outcome)
    pass


def _must(truth: bool, detail: str) -> None:
    if not truth:
        raise _Failed(detail)


async def conformance(subject: Subject) -> tuple[Result, ...]:
    """Run every check on a fresh connector each; failures are results, never exceptions."""
    if len(subject.rows) < MIN_ROWS:
        raise ValueError(f"the source needs {MIN_ROWS} rows at least")
    return tuple([await _result(name, check, subject) for name, check in CHECKS.items()])


async def _result(name: str, check: "Check", subject: Subject) -> Result:
    connector = await subject.make()
    try:
        await connector.open()
        await check(connector, subject)
    except _Failed as failure:
        return Result(name, Outcome.FAILED, str(failure))
    except _Skipped as skipped:
        return Result(name, Outcome.SKIPPED, str(skipped))
    except Exception as error:  # noqa: BLE001  (whatever a stranger's connector raises is the finding)
        return Result(name, Outcome.FAILED, f"{type(error).__name__}: {error}")
    finally:
        with contextlib.suppress(Exception):  # told by the check of its life
            await connector.close()
    return Result(name, Outcome.PASSED)


def _column(subject: Subject, name: str) -> Column:
    return Column((name,), next(column.type for column in subject.source.columns if column.name == name))


def _select(subject: Subject, names: Iterable[str] | None = None) -> tuple[Output, ...]:
    wanted = [column.name for column in subject.source.columns] if names is None else list(names)
    return tuple(Output(name, _column(subject, name)) for name in wanted)


def _key(subject: Subject, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in subject.source.key)


def _by_keys(subject: Subject, keys: Sequence[tuple[Any, ...]]) -> Request:
    return Request(_select(subject), keys=Keys(subject.source.key, tuple(keys)))


def _listed(subject: Subject) -> None:
    if not subject.manifest.capabilities(subject.source).list:
        raise _Skipped("the source lists nothing")


def _got(subject: Subject) -> None:
    if not subject.manifest.capabilities(subject.source).get:
        raise _Skipped("the source reads nothing by key")


async def _known_key(connector: Connector, subject: Subject) -> None:
    _got(subject)
    for row in subject.rows[:3]:
        found = await connector.fetch(subject.source, _by_keys(subject, [_key(subject, row)]))
        _must(len(found.rows) == 1, f"a known key gave {len(found.rows)} rows")
        _must(_same_row(subject, found.rows[0], row), "the row of a known key has other values")


async def _unknown_key(connector: Connector, subject: Subject) -> None:
    _got(subject)
    found = await connector.fetch(subject.source, _by_keys(subject, [subject.unknown_key]))
    _must(found.rows == [], "an unknown key gave a row")
    known = _key(subject, subject.rows[0])
    found = await connector.fetch(subject.source, _by_keys(subject, [subject.unknown_key, known]))
    _must(len(found.rows) == 1, "an unknown key beside a known one spoiled the answer")


async def _batch(connector: Connector, subject: Subject) -> None:
    _got(subject)
    size = subject.manifest.capabilities(subject.source).batch_size
    keys = [_key(subject, row) for row in subject.rows]
    for count in {1, min(size, len(keys)), len(keys)}:
        found = await connector.fetch(subject.source, _by_keys(subject, keys[:count]))
        _must(len(found.rows) == count, f"{count} keys gave {len(found.rows)} rows")
    twice = await connector.fetch(subject.source, _by_keys(subject, [keys[0], keys[1], keys[0]]))
    _must(len(twice.rows) == 2, "a key named twice gave its row twice")
    none = await connector.fetch(subject.source, _by_keys(subject, []))
    _must(none.rows == [], "no keys gave rows")


async def _paging(connector: Connector, subject: Subject) -> None:
    _listed(subject)
    whole = await _keys(connector, subject, Request(()))
    _must(sorted(whole) == _sorted_keys(subject, subject.rows), "the list does not hold each row once")
    total = len(subject.rows)
    for offset, limit in ((0, 1), (0, total), (3, 5), (total - 2, 10), (total + 5, 5), (0, 0)):
        part = await _keys(connector, subject, Request((), offset=offset, limit=limit))
        _must(part == whole[offset : offset + limit], f"offset {offset}, limit {limit} gave another part")


async def _order(connector: Connector, subject: Subject) -> None:
    _listed(subject)
    tried = 0
    for column in subject.source.columns:
        keys = [_column(subject, column.name), *(_column(subject, name) for name in subject.source.key)]
        if any(subject.manifest.orders(subject.source, key) is not None for key in keys) or not column.type.scalar:
            continue
        for descending in (False, True):
            tried += 1
            order = (Order(keys[0], descending), *(Order(key) for key in keys[1:]))
            found = await _keys(connector, subject, Request((), order=order))
            rows = sorted(subject.rows, key=lambda row: _key(subject, row))
            filled = [row for row in rows if row[column.name] is not None]
            filled.sort(key=lambda row, name=column.name: row[name], reverse=descending)  # type: ignore[misc]  # a default binds the loop's name
            rows = [*filled, *(row for row in rows if row[column.name] is None)]
            _must(found == [_text(_key(subject, row)) for row in rows], f"wrong order by {column.name!r}")
    if not tried:
        raise _Skipped("the source orders by nothing")


def _conditions(subject: Subject) -> list[Expr]:
    found: list[Expr] = list(subject.extra)
    for column in subject.source.columns:
        values = [row[column.name] for row in subject.rows if row[column.name] is not None]
        if not values or not column.type.scalar or column.type.kind is Kind.BYTES:
            continue
        node, some = _column(subject, column.name), [Literal(value, column.type) for value in (values[0], values[-1])]
        found += [call(name, node, some[0]) for name in ("eq", "ne", "lt", "le", "gt", "ge")]
        found += [call("in", node, *some), call("is_null", node), call("not", call("is_null", node))]
        found += [call("and", call("ge", node, some[0]), call("ne", node, some[1]))]
    return found


async def _filters(connector: Connector, subject: Subject) -> None:
    _listed(subject)
    tried = 0
    for where in _conditions(subject):
        if subject.manifest.filters(subject.source, where) is not None:
            continue
        tried += 1
        keep = compile_filter(where)
        wanted = [row for row in subject.rows if keep(row, {})]
        found = await _keys(connector, subject, Request((), where=where))
        _must(sorted(found) == _sorted_keys(subject, wanted), f"a filter keeps other rows than Python: {where}")
    if not tried:
        raise _Skipped("the source filters by nothing")


async def _projection(connector: Connector, subject: Subject) -> None:
    names = [column.name for column in subject.source.columns]
    for wanted in (names[:1], names[-1:], list(reversed(names))):
        request = _by_keys(subject, [_key(subject, row) for row in subject.rows[:1]])
        if not subject.manifest.capabilities(subject.source).get:
            request = Request((), limit=1)
        found = await connector.fetch(subject.source, replace(request, select=_select(subject, wanted)))
        _must(len(found.rows) == 1, "one row was asked for")
        _must(len(found.rows[0]) == len(wanted), "a row has other fields than were asked for")
        pairs = list(zip(wanted, found.rows[0], strict=True))
        fits = any(
            all(same(value, row[name], _column(subject, name).type) for name, value in pairs) for row in subject.rows
        )
        _must(fits, "values stand in another order than was asked for")


async def _count(connector: Connector, subject: Subject) -> None:
    if not subject.manifest.capabilities(subject.source).count:
        raise _Skipped("the source does not count")
    _must(await connector.count(subject.source, Request(())) == len(subject.rows), "the count of all rows is wrong")
    limited = await connector.count(subject.source, Request((), limit=1, offset=2))
    _must(limited == len(subject.rows), "limit and offset changed the count")


async def _per_key(connector: Connector, subject: Subject) -> None:
    if not subject.manifest.capabilities(subject.source).limit_per_key:
        raise _Skipped("the source does not limit per key")
    for column in subject.source.columns:
        values = {row[column.name] for row in subject.rows if row[column.name] is not None}
        if len(values) in {0, len(subject.rows)} or column.type.kind not in {Kind.STRING, Kind.INT}:
            continue
        keys = Keys((column.name,), tuple((value,) for value in sorted(values)))
        request = Request(_select(subject, [column.name]), keys=keys, per_key=True, limit=1, offset=1)
        found = await connector.fetch(subject.source, request)
        counts = {value: sum(row[column.name] == value for row in subject.rows) for value in values}
        wanted = sorted(str(value) for value, count in counts.items() if count > 1)
        _must(sorted(str(row[0]) for row in found.rows) == wanted, f"wrong rows per key of {column.name!r}")


async def _cancellation(connector: Connector, subject: Subject) -> None:
    request = Request(_select(subject)) if subject.manifest.capabilities(subject.source).list else None
    if request is None:
        request = _by_keys(subject, [_key(subject, row) for row in subject.rows])
    for wait in (0, 0.001, 0.01):
        running = asyncio.ensure_future(connector.fetch(subject.source, request))
        await asyncio.sleep(wait)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    _must(len((await connector.fetch(subject.source, request)).rows) == len(subject.rows), "it answers no more")


async def _concurrency(connector: Connector, subject: Subject) -> None:
    _got(subject)
    asked = [_by_keys(subject, [_key(subject, row)]) for row in subject.rows]
    answers = await asyncio.gather(*(connector.fetch(subject.source, request) for request in asked))
    fits = all(
        len(answer.rows) == 1 and _same_row(subject, answer.rows[0], row)
        for answer, row in zip(answers, subject.rows, strict=True)
    )
    _must(fits, "answers were mixed up")


async def _errors(connector: Connector, subject: Subject) -> None:
    lost = replace(subject.source, physical_name="no such place here")
    request = _by_keys(subject, [_key(subject, row) for row in subject.rows[:2]])
    await _only_source_errors(connector.fetch(lost, request))
    await _only_source_errors(connector.fetch(lost, Request(_select(subject), limit=1)))
    await _only_source_errors(connector.fetch(subject.source, Request(_select(subject), per_key=True, limit=1)))
    await _only_source_errors(connector.count(lost, Request(())))
    await _only_source_errors(connector.describe(lost))


async def _only_source_errors(call_: Awaitable[Any]) -> None:
    try:
        await call_
    except SourceError:
        return
    except Exception as error:
        raise _Failed(f"{type(error).__name__} left the connector") from error


async def _life(connector: Connector, subject: Subject) -> None:
    _must(isinstance(await connector.health(), Health), "health gave no Health")
    await connector.close()
    await connector.close()
    _must(isinstance(await connector.health(), Health), "health of a closed connector gave no Health")
    await _only_source_errors(connector.fetch(subject.source, Request(_select(subject), limit=1)))


async def _description(connector: Connector, subject: Subject) -> None:
    live = await connector.describe(subject.source)
    if live is None:
        raise _Skipped("the protocol knows no columns")
    names = {column.name for column in live}
    _must(names >= {column.name for column in subject.source.columns}, "a declared column is not among the live ones")


Check = Callable[[Connector, Subject], Awaitable[None]]

CHECKS: Mapping[str, Check] = {
    "a known key gives its row": _known_key,
    "an unknown key is absent": _unknown_key,
    "a batch keeps every key": _batch,
    "a list is complete and repeats nothing": _paging,
    "orders put NULLs last and text by code point": _order,
    "filters agree with Python": _filters,
    "rows hold what was asked for": _projection,
    "counts ignore limit and offset": _count,
    "limits per key": _per_key,
    "a cancelled call leaves it usable": _cancellation,
    "calls side by side keep apart": _concurrency,
    "only SourceError leaves": _errors,
    "it closes twice and health never raises": _life,
    "live columns are described": _description,
}


async def _keys(connector: Connector, subject: Subject, request: Request) -> list[str]:
    found = await connector.fetch(subject.source, replace(request, select=_select(subject, subject.source.key)))
    return [_text(row) for row in found.rows]


def _sorted_keys(subject: Subject, rows: Iterable[Row]) -> list[str]:
    return sorted(_text(_key(subject, row)) for row in rows)


def _text(key: Iterable[Any]) -> str:
    return "\0".join(map(str, key))


def _same_row(subject: Subject, found: tuple[Any, ...], row: Row) -> bool:
    pairs = zip(subject.source.columns, found, strict=True)
    return all(same(value, row[column.name], column.type) for column, value in pairs)


def same(value: Any, wanted: Any, type_: Type) -> bool:
    """Whether a driver's value stands for `wanted`: booleans may come as 0 and 1, everything else as its text."""
    if value is None or wanted is None:
        return value is None and wanted is None
    match type_.kind:
        case Kind.BOOLEAN:
            return str(value).lower() in ({"true", "1"} if wanted else {"false", "0"})
        case Kind.DECIMAL | Kind.FLOAT | Kind.INT | Kind.LONG:
            return bool(_number(value) == _number(wanted))
        case Kind.TIMESTAMP:
            return _moment(value) == _moment(wanted)
        case Kind.DATE:
            return str(value)[:10] == str(wanted)
        case _:
            return str(value) == str(wanted)


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(found, date) or not isinstance(found, datetime):
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
