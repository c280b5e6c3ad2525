# SPDX-License-Identifier: Apache-2.0
"""A value is the same whether it comes by the stream, by the first pass or by the connector, for every type."""

import random
import string
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from dictamesh.connectors.postgres.connector import connect
from dictamesh.connectors.postgres.manifest import PostgresServer
from dictamesh.connectors.sdk import Context, Request
from dictamesh.connectors.sdk.protocol import Keys
from dictamesh.runtime.adapters.cells import CellError
from dictamesh.runtime.adapters.mapping import row_mapping
from dictamesh.specs.types import BOOLEAN, BYTES, DATE, FLOAT, INT, JSON, LONG, STRING, TIME, TIMESTAMP, Kind, Type
from tests.integration.logical.sources import captured, followed, recorder_for, stream_of, streaming
from tests.support.plans import listed

ROWS = 300
_SETUP = """
CREATE TYPE mood AS ENUM ('glad', 'sad', 'so, so "la"');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small AS positive CHECK (VALUE < 1000);
CREATE DOMAIN label AS text;
"""
Make = Callable[[random.Random], Any]


def text(rng: random.Random) -> str:
    return "".join(rng.choice(string.printable[:95] + "äß€漢🎈\\'\"{},\n\t") for _ in range(rng.randint(0, 12)))


def moment(rng: random.Random) -> str:
    at = datetime(1, 1, 2, tzinfo=UTC) + timedelta(
        seconds=rng.randint(0, 315_000_000_000), microseconds=rng.randrange(10**6)
    )
    return rng.choice(
        [at.isoformat(), at.isoformat(), "infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "2024-06-30 23:59:60"]
    )


def nested(rng: random.Random, depth: int = 3) -> str:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(
            ["1", "1.50", "1e400", "123456789012345678901234567890.5", "true", "null", '"a\\u00e4"', "-0.0"]
        )
    inner = [nested(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if rng.random() < 0.5:
        return "[" + ", ".join(inner) + "]"
    return "{" + ", ".join(f'"k{at}": {each}' for at, each in enumerate(inner)) + "}"


def array(item: Make) -> Make:
    return lambda rng: [None if rng.random() < 0.1 else item(rng) for _ in range(rng.randint(0, 4))]


def whole(bits: int) -> Make:
    return lambda rng: rng.choice([0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), rng.randint(-1000, 1000)])


def number(rng: random.Random) -> str:
    return rng.choice(
        ["NaN", "0", "-0.00", "1e-20", f"{rng.randint(-(10**30), 10**30)}.{rng.randint(0, 999):03}", "Infinity"]
    )


def real(rng: random.Random) -> str:
    return rng.choice(["NaN", "Infinity", "-Infinity", "-0", "1e-40", "3.4e38", repr(rng.uniform(-1e6, 1e6))])


def day(rng: random.Random) -> str:
    return rng.choice(["2024-02-29", "0001-01-01", "9999-12-31", "infinity", "10000-01-01", "0044-03-15 BC"])


def clock(rng: random.Random) -> str:
    return rng.choice(["00:00", "23:59:59.999999", "24:00", "12:34:56.7"])


def one_of(*values: str) -> Make:
    return lambda rng: rng.choice(values)


DECIMAL = Type(Kind.DECIMAL, 12, 2)
TYPES: list[tuple[str, Type, Make]] = [
    ("smallint", INT, whole(16)),
    ("integer", INT, whole(32)),
    ("bigint", LONG, whole(64)),
    ("numeric", Type(Kind.DECIMAL), number),
    ("numeric(12,2)", DECIMAL, one_of("1.005", "-9999999999.99", "0", "NaN")),
    ("real", FLOAT, real),
    ("double precision", FLOAT, real),
    ("boolean", BOOLEAN, one_of("true", "false")),
    ("text", STRING, text),
    ("varchar(20)", STRING, text),
    ("char(5)", STRING, one_of("", "a", "ab   ", "abcde")),
    ("bytea", BYTES, lambda rng: rng.randbytes(rng.randint(0, 20))),
    ("date", DATE, day),
    ("time", TIME, clock),
    ("timestamp", TIMESTAMP, moment),
    ("timestamptz", TIMESTAMP, moment),
    ("uuid", STRING, lambda rng: str(uuid.UUID(int=rng.getrandbits(128)))),
    ("json", JSON, nested),
    ("jsonb", JSON, nested),
    ("integer[]", listed(INT), array(whole(32))),
    ("text[]", listed(STRING), array(text)),
    ("numeric[]", listed(Type(Kind.DECIMAL)), array(one_of("1.5", "0", "NaN"))),
    ("uuid[]", listed(STRING), array(lambda rng: str(uuid.UUID(int=rng.getrandbits(128))))),
    ("boolean[]", listed(BOOLEAN), array(one_of("true", "false"))),
    ("mood", STRING, one_of("glad", "sad", 'so, so "la"')),
    ("mood[]", JSON, array(one_of("glad", 'so, so "la"'))),
    ("small", INT, lambda rng: rng.randint(1, 999)),
    ("label", STRING, text),
    ("inet", JSON, one_of("10.0.0.1", "10.0.0.0/8", "::1")),
    ("int4range", JSON, one_of("[1,5)", "empty", "(,3]")),
    ("point", STRING, one_of("(1,2)", "(-0.5,1e10)")),
    ("money", STRING, one_of("12.34", "-1000000")),
    ("bit(3)", STRING, one_of("101", "000")),
    ("tsvector", STRING, one_of("a fat cat", "")),
    ("interval", STRING, one_of("1 day", "-3 mons 2 days 00:00:00.5")),
    ("name", STRING, one_of("a", "")),
]  # fmt: skip
COLUMNS = {"id": INT} | {f"c{at}": type_ for at, (_, type_, _) in enumerate(TYPES)}


def inserted(writer: psycopg.Connection, first: int, rng: random.Random) -> None:
    places = ", ".join(f"%s::{sql}" for sql, _, _ in TYPES)
    for number_ in range(first, first + ROWS):
        values = [None if rng.random() < 0.1 else make(rng) for _, _, make in TYPES]
        writer.execute(f"INSERT INTO every VALUES (%s, {places})", (number_, *values))


async def test_every_value_is_read_as_the_connector_reads_it(base: str) -> None:
    rng = random.Random(11)
    each = captured("Every", "every", COLUMNS)
    stream, recorder = stream_of(each), None
    columns = ", ".join(f"c{at} {sql}" for at, (sql, _, _) in enumerate(TYPES))
    with psycopg.connect(base, autocommit=True) as writer:
        writer.execute(_SETUP)
        writer.execute(f"CREATE TABLE every (id integer PRIMARY KEY, {columns})")
        inserted(writer, 0, rng)
        recorder = recorder_for(stream)
        async with followed(stream, base, recorder):
            await recorder.until(lambda: streaming(recorder, stream))
            inserted(writer, ROWS, rng)
            await recorder.until(lambda: len(recorder.rows[each.address]) == 2 * ROWS)
    connector = connect(PostgresServer(dsn=base), Context("main", Path()))
    await connector.open()
    sound = 0
    mapping = row_mapping(each, list(COLUMNS), plain=True)
    try:
        for key in range(2 * ROWS):
            request = Request(mapping.outputs, keys=Keys(("id",), ((key,),)))
            (raw,) = (await connector.fetch(each.source, request)).rows
            ours = tuple(recorder.rows[each.address][key,][output.name] for output in mapping.outputs)
            expected, found = mapping.row(raw, {}), mapping.row(ours, {})
            for name, value in expected.items():
                if not spoiled(raw, name, mapping):
                    assert repr(found[name]) == repr(value), (key, name)
                    sound += value is not None and not isinstance(value, CellError)
    finally:
        await connector.close()
    assert sound > len(COLUMNS) * ROWS  # most of the cells are values, and not faults


def spoiled(raw: tuple[Any, ...], name: str, mapping: Any) -> bool:
    """Whether the connector read a duration as text for the sake of another cell, a date that Python cannot hold."""
    at = next(place for place, output in enumerate(mapping.outputs) if output.name == name)
    return name != "id" and TYPES[int(name[1:])][0] == "interval" and isinstance(raw[at], str)
