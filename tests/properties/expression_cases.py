# SPDX-License-Identifier: Apache-2.0
"""Generated expressions and rows for the agreement test: every form and function, edge values, a fifth NULL."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from dictamesh.specs.expressions import Column, Expr, Problems, Scope, check
from dictamesh.specs.types import (
    BOOLEAN,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    JSON,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

MONEY, FINE = Type(Kind.DECIMAL, 12, 2), Type(Kind.DECIMAL, 20, 6)
LIST = Type(Kind.ARRAY, item=STRING)
COLUMNS: dict[str, Type] = {
    "i1": INT,
    "i2": INT,
    "n1": INT,
    "l1": LONG,
    "l2": LONG,
    "f1": FLOAT,
    "f2": FLOAT,
    "d1": MONEY,
    "d2": FINE,
    "d3": DECIMAL,  # as a source holds it; read by casts to the declared digits (S3)
    "s1": STRING,
    "s2": STRING,
    "c1": STRING,
    "m1": STRING,
    "p1": STRING,
    "b1": BOOLEAN,
    "b2": BOOLEAN,
    "day1": DATE,
    "day2": DATE,
    "at1": TIMESTAMP,
    "at2": TIMESTAMP,
    "t1": TIME,
    "j1": JSON,
    "tags": LIST,
}
PARAMETERS: dict[str, Type] = {
    "principal.countries": LIST,
    "principal.none": LIST,
    "principal.missing": LIST,
    "principal.levels": Type(Kind.ARRAY, item=INT),
    "request.purpose": STRING,
}
VALUES: dict[str, Any] = {
    "principal.countries": ["DE", "FR", "", "straße"],
    "principal.none": [],
    "principal.levels": [1, 7, -3],
    "request.purpose": "service",
    "now": datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=UTC),
    "today": date(2024, 2, 29),
}
SCOPE = Scope(names={name: Column((name,), type_) for name, type_ in COLUMNS.items()}, parameters=PARAMETERS)

_TEXTS = ["", " ", "a", "A", "ab", "abc", "Hello World", "straße", "ÉÈ", "éa", "Ж", "日本語", "👍🏽x", "a_b%c", "x\\y"]
_TEXTS += ["  pad  ", "DE", "FR", "o'neil-smith", "a,b,,c", "ΣΑΣ", "z" * 40, "e\u0301a", "tab\tx", 'q"t', "\U00010348"]
_CASTS = [
    "12",
    " -7 ",
    "+3",
    "2147483648",
    "9223372036854775808",
    "1.5",
    "-0.005",
    "1e3",
    "1e400",
    "1e-400",
    ".5",
    "5.",
    "NaN",
]
_CASTS += [
    "abc",
    "",
    "true",
    " YES ",
    "off",
    "0",
    "maybe",
    "12345678901.125",
    "0x1F",
    "1_000",
    "1e99",
    "-1e-5",
    "0e-500",
]
_MOMENTS = [
    "2024-02-29",
    "2023-02-29",
    "2024-13-01",
    " 2000-01-01 ",
    "0000-01-01",
    "2024-1-5",
    "10:00",
    "23:59:59.999999",
]
_MOMENTS += [
    "24:00:00",
    "2024-01-05T10:00:00Z",
    "2024-01-05 10:00:00.5+02:00",
    "2024-01-05 10:00",
    "9999-12-31T23:59:59-05",
]
_MOMENTS += [
    "0001-01-01 00:00:00+01",
    "2024-01-05T25:00",
    "today",
    "2024-06-30 23:59:60",
    "1969-12-31T23:59:59.123456-0330",
]
_PATTERNS = [
    "%",
    "a%",
    "%b%",
    "_",
    "__",
    "%a_",
    "",
    "a\\_b\\%c",
    "%o%o%",
    "日%",
    "abc",
    "%\\%%",
    "x\\\\y",
    "A%",
    "bad\\",
    "%%",
]
_PATTERNS += ["%" * 9, "a" * 300, "%_%_%"]
_JSON = [{"a": 1, "b": "x"}, {"a": {"b": [1, 2, {"c": None}]}}, [1, "two", None, [3]], "text", 5, 2.5, True, [], {}]
_JSON += [{"a": None, "0": "zero", "k k": 'q"', "é": [True]}, {"a": "7", "bb": 2, "c": 1.25}, -12, False, {"a": "é\n"}]
POOLS: dict[str, list[Any]] = {
    "i": [0, 1, -1, 2, 7, 12, 100, -100, 46341, 2147483647, -2147483648, 65536],
    "n": [0, 1, 2, 3, 5, -1, -2, 30, 12, 31],
    "l": [0, 1, -1, 3, 9223372036854775807, -9223372036854775808, 3037000500, 4611686018427387904, -5, 10**12],
    "f": [
        0.0,
        -0.0,
        1.0,
        -1.5,
        2.5,
        0.1,
        1e15,
        1.7976931348623157e308,
        5e-324,
        -1e200,
        1e-200,
        123456.789,
        0.5,
        -2.5,
        3e9,
    ],
    "d1": [
        Decimal(t)
        for t in ("0.00", "1.00", "-0.01", "19.99", "39.98", "9999999999.99", "-9999999999.99", "2.50", "0.05")
    ],
    "d2": [Decimal(t) for t in ("0.000000", "0.000001", "-1.500000", "99999999999999.999999", "3.141593", "-7.000000")],
    "d3": [Decimal(t) for t in ("2.505", "2.495", "2.5", "-0.005", "0.0049", "1234567.89", "19.99", "9999999999.995")],
    "s": _TEXTS,
    "c1": _CASTS,
    "m1": _MOMENTS,
    "p1": _PATTERNS,
    "b": [True, False],
    "day": [
        date(1, 1, 1),
        date(9999, 12, 31),
        date(2024, 2, 29),
        date(1900, 3, 1),
        date(1970, 1, 1),
        date(2021, 1, 3),
        date(2000, 12, 31),
    ],
    "at": [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=UTC),
        datetime(2024, 1, 31, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        datetime(2020, 12, 31, 23, 0, tzinfo=UTC),
    ],
    "t": [time(0, 0), time(23, 59, 59, 999999), time(12, 30, 15, 500000)],
    "j": _JSON,
    "tags": [[], ["DE"], ["a", "b", None], ["straße", "x"], ["", "DE"]],
}


def pool_of(column: str) -> list[Any]:
    return POOLS.get(column) or POOLS[column.rstrip("12")]


def rows(seed: int, count: int) -> list[dict[str, Any]]:
    """Return `count` rows; a fifth of the cells is NULL, each edge value of a column comes up before any repeats."""
    rng = random.Random(seed)
    table = [{} for _ in range(count)]
    for column in COLUMNS:
        cells: list[Any] = []
        while len(cells) < count:
            cells += rng.sample(pool_of(column), len(pool_of(column)))
        for row, value in zip(table, cells, strict=False):
            row[column] = None if rng.random() < 0.2 else value
    return table


# In a template a letter stands for an operand: i integer, n small integer, l bigint, f float, d numeric, s text,
# p pattern, b boolean, D date, T timestamp, t time, j JSON, c number as text, m moment as text.
_LEAVES: dict[str, list[str]] = {
    "i": ["i1", "i2", "n1", "7", "0", "-1", "2147483647", "length(s1)"],
    "n": ["n1", "0", "1", "2", "-1", "3", "5"],
    "l": ["l1", "l2", "3000000000", "9223372036854775807", "i1::bigint"],
    "f": ["f1", "f2", "2.5::double precision", "0::float8", "i1::float8", "1e308::float8", "l1::float8", "d1::float8"],
    "d": ["d1", "d2", "1.5", "0.01", "100.0", "0.0", "i1::numeric", "-2.345"],
    "s": ["s1", "s2", "'a'", "''", "'straße'", "s1", "request.purpose", "NULL::text"],
    "p": ["p1", "'a%'", "'%b_'", "'%'", "'x\\\\y'"],
    "b": ["b1", "b2", "TRUE", "FALSE", "i1 > 5", "s1 = s2"],
    "D": ["day1", "day2", "DATE '2024-02-29'", "CURRENT_DATE", "at1::date"],
    "T": ["at1", "at2", "TIMESTAMPTZ '2024-01-31T10:00:00Z'", "now()", "day1::timestamptz"],
    "t": ["t1", "TIME '10:20:30'", "at1::time"],
    "j": ["j1", "j1->'a'", "j1->0"],
    "c": ["c1"],
    "m": ["m1"],
}
_KINDS = ["i", "l", "f", "d"]
_ORDERED = ["i", "l", "f", "d", "s", "b", "D", "T", "t"]
_RESULTS: list[tuple[str, str]] = []


def _add(result: str, *templates: str) -> None:
    _RESULTS.extend((result, template) for template in templates)


for _k in _KINDS:
    _add(
        _k,
        f"{{{_k}}} + {{{_k}}}",
        f"{{{_k}}} - {{{_k}}}",
        f"{{{_k}}} * {{{_k}}}",
        f"{{{_k}}} / {{{_k}}}",
        f"- {{{_k}}}",
        f"abs({{{_k}}})",
    )
for _k in "ild":
    _add(_k, f"{{{_k}}} % {{{_k}}}", f"mod({{{_k}}}, {{{_k}}})")
for _k in _ORDERED:
    _add(
        "b",
        *(
            f"{{{_k}}} {op} {{{_k}}}"
            for op in ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
        ),
    )
    _add(
        "b",
        f"{{{_k}}} BETWEEN {{{_k}}} AND {{{_k}}}",
        f"{{{_k}}} IN ({{{_k}}}, {{{_k}}})",
        f"{{{_k}}} NOT IN ({{{_k}}}, NULL)",
    )
    _add("b", f"{{{_k}}} IS NULL", f"{{{_k}}} IS NOT NULL")
    _add(
        _k,
        f"COALESCE({{{_k}}}, {{{_k}}})",
        f"NULLIF({{{_k}}}, {{{_k}}})",
        f"GREATEST({{{_k}}}, {{{_k}}})",
        f"LEAST({{{_k}}}, {{{_k}}}, {{{_k}}})",
    )
    _add(
        _k,
        f"CASE WHEN {{b}} THEN {{{_k}}} ELSE {{{_k}}} END",
        f"CASE {{n}} WHEN 1 THEN {{{_k}}} WHEN 2 THEN {{{_k}}} END",
    )
_add(
    "b",
    "{b} AND {b}",
    "{b} OR {b}",
    "NOT {b}",
    "{b} AND ({b} OR NOT {b})",
    "{b} IS TRUE",
    "{b} IS NOT TRUE",
    "{b} IS FALSE",
    "{b} IS UNKNOWN",
)
_add(
    "b",
    "{s} = ANY(principal.countries)",
    "{s} = ANY(principal.none)",
    "NOT ({s} = ANY(principal.missing))",
    "{i} = ANY(principal.levels)",
    "{s} = ANY(tags)",
)
_add(
    "b",
    "{i} < {d}",
    "{l} = {f}",
    "{i} = {l}",
    "{d} <= {f}",
    "{D} < {T}",
    "{i} IN (1, 2.5, 7)",
    "{D} = '2024-02-29'",
    "{T} >= '2024-01-01'",
)
_add(
    "b",
    "{s} LIKE {p}",
    "{s} NOT LIKE {p}",
    "{s} LIKE '%a%'",
    "{s} LIKE 'a_b\\%%'",
    "{s} ILIKE '%É%'",
    "{s} ILIKE {p}",
    "starts_with({s}, {s})",
    "starts_with({s}, 'a')",
)
_add(
    "s",
    "{s} || {s}",
    "{s} || {i}",
    "concat({s}, {i}, {b}, {d})",
    "concat({s}, NULL)",
    "lower({s})",
    "upper({s})",
    "initcap({s})",
    "md5({s})",
    "reverse({s})",
)
_add(
    "s",
    "trim({s})",
    "trim(BOTH 'a ' FROM {s})",
    "trim(LEADING {s} FROM {s})",
    "btrim({s}, {s})",
    "ltrim({s})",
    "ltrim({s}, 'az')",
    "rtrim({s})",
    "rtrim({s}, {s})",
)
_add(
    "s",
    "substring({s} FROM {n})",
    "substring({s} FROM {n} FOR {n})",
    "substr({s}, {i}, {i})",
    "left({s}, {n})",
    "right({s}, {n})",
    "left({s}, {i})",
    "right({s}, {i})",
)
_add(
    "s",
    "replace({s}, {s}, {s})",
    "replace({s}, 'a', 'xyz')",
    "split_part({s}, ',', {n})",
    "split_part({s}, {s}, {n})",
    "repeat({s}, {n})",
    "repeat({s}, {i})",
)
_add(
    "s",
    "lpad({s}, {n})",
    "lpad({s}, {n}, {s})",
    "rpad({s}, {n})",
    "rpad({s}, {i}, {s})",
    "lpad({s}, 10, 'xy')",
    "rpad({s}, 10, '日')",
)
_add("i", "length({s})", "position({s} IN {s})", "strpos({s}, 'a')", "{D} - {D}", "{i} + length({s})")
_add(
    "f",
    "round({f})",
    "trunc({f})",
    "ceil({f})",
    "floor({f})",
    "sign({f})",
    "sqrt({f})",
    "power({f}, {f})",
    "power({f}, 2)",
    "sqrt({i})",
    "round({i})",
    "date_part('day', {T})",
)
_add(
    "d",
    "round({d})",
    "round({d}, 1)",
    "round({d}, {n})",
    "trunc({d})",
    "trunc({d}, 1)",
    "trunc({d}, {n})",
    "ceil({d})",
    "floor({d})",
    "sign({d})",
    "sqrt({d})",
    "round({d}, -1)",
)
_add(
    "D",
    "{D} + {n}",
    "{D} - {n}",
    "{D} + {i}",
    "{D} - {i}",
    "{n} + {D}",
    "make_date({n} + 2000, {n}, {n})",
    "make_date({i}, {n}, {n})",
)
_add(
    "T",
    "{T} + INTERVAL '1 month'",
    "{T} - INTERVAL '1 year 2 days 03:04:05'",
    "{D} + INTERVAL '36 hours'",
    "{T} + INTERVAL '-13 months 5 microseconds'",
)
_add(
    "T",
    *(f"date_trunc('{f}', {{T}})" for f in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")),
    "date_trunc('week', {D})",
)
_add(
    "d",
    *(
        f"EXTRACT({f} FROM {{T}})"
        for f in (
            "year",
            "quarter",
            "month",
            "week",
            "day",
            "dow",
            "isodow",
            "isoyear",
            "doy",
            "hour",
            "minute",
            "second",
            "epoch",
        )
    ),
)
_add(
    "d",
    "EXTRACT(epoch FROM {D})",
    "EXTRACT(week FROM {D})",
    "EXTRACT(hour FROM {t})",
    "EXTRACT(second FROM {t})",
    "EXTRACT(epoch FROM {t})",
)
_add("j", "{j} -> 'a'", "{j} -> 0", "{j} -> -1", "{j} #> '{a,b,0}'", "{j} -> 'é'")
_add(
    "s",
    "{j} ->> 'a'",
    "{j} ->> 1",
    "{j} #>> '{a,b}'",
    "{j} #>> '{0}'",
    "json_typeof({j})",
    "jsonb_typeof({j})",
    "{j} ->> 'k k'",
)
_add("i", "jsonb_array_length({j})", "json_array_length({j} -> 'a')")
_add("b", *(f"d3::numeric(12,2) {op} {{d}}" for op in ("=", "<>", "<", "<=", ">", ">=")), "d3::numeric(6,1) = 2.5")
_add("b", *(f"d3::numeric(12,2) {op} {{d}}" for op in ("=", "<>", "<", "<=", ">", ">=")), "2.50 = d3::numeric(12,2)")
_add("b", *(f"d3::numeric(12,2) {op} 2.50" for op in ("=", "<", "<=", ">", ">=")), "d3::numeric(3,1) >= 2.5")
_add("b", "{j} IS NULL", "{j} ->> 'b' = 'x'")
_add("i", "{c}::integer", "CAST({s} AS integer)", "{f}::integer", "{d}::integer", "{l}::integer", "{b}::integer")
_add("l", "{c}::bigint", "{f}::bigint", "{d}::bigint")
_add("f", "{c}::double precision", "{d}::double precision", "{l}::double precision")
_add(
    "d",
    "{c}::numeric",
    "{c}::numeric(10,2)",
    "{f}::numeric",
    "{d}::numeric(8,1)",
    "{i}::numeric(5,0)",
    "{l}::numeric",
    "{f}::numeric(12,3)",
)
_add("b", "{c}::boolean", "{i}::boolean")
_add(
    "s",
    "{i}::text",
    "{l}::text",
    "{f}::text",
    "{d}::text",
    "{b}::text",
    "{D}::text",
    "{T}::text",
    "{t}::text",
    "{j}::text",
)
_add("D", "{m}::date", "{T}::date")
_add("T", "{m}::timestamptz", "{D}::timestamptz")
_add("t", "{m}::time", "{T}::time")
_add("j", "{s}::jsonb")
_BY_RESULT: dict[str, list[str]] = {}
for _result, _template in _RESULTS:
    _BY_RESULT.setdefault(_result, []).append(_template)


@dataclass(frozen=True)
class Case:
    text: str
    expr: Expr


def cases(seed: int, each: int) -> list[Case]:
    """Return `each` expressions for every template, their operands columns, constants and, now and then, calls."""
    rng = random.Random(seed)
    found: dict[str, Case] = {}
    for _, template in _RESULTS:
        fresh: dict[str, Case] = {}
        for _ in range(each * 5):
            if len(fresh) < each:
                case = _case(rng, template)
                fresh[case.text] = case
        found |= fresh
    return list(found.values())


def _case(rng: random.Random, template: str) -> Case:
    """Grow `template` until the text is right: a constant that cannot be cast is refused, as it should be."""
    while True:
        text = _grow(rng, template, 1)
        try:
            return Case(text, check(text, SCOPE))
        except Problems as problems:
            if not all("is not a valid" in problem.message for problem in problems.problems):
                raise


def _grow(rng: random.Random, template: str, depth: int) -> str:
    parts = []
    rest = template
    while (at := _hole(rest)) >= 0:
        kind = rest[at + 1]
        parts += [rest[:at], _operand(rng, kind, depth)]
        rest = rest[at + 3 :]
    return "".join([*parts, rest])


def _hole(text: str) -> int:
    return min((at for kind in _LEAVES if (at := text.find(f"{{{kind}}}")) >= 0), default=-1)


def _operand(rng: random.Random, kind: str, depth: int) -> str:
    if depth > 0 and kind in _BY_RESULT and rng.random() < 0.3:
        return f"({_grow(rng, rng.choice(_BY_RESULT[kind]), depth - 1)})"
    leaves = _LEAVES[kind]
    # Columns first: constants alone would be evaluated once, not once a row.
    leaf = rng.choice(leaves[:2]) if rng.random() < 0.6 else rng.choice(leaves)
    return f"({leaf})" if not leaf.isidentifier() else leaf
