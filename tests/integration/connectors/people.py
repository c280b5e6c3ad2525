# SPDX-License-Identifier: Apache-2.0
"""One set of rows, stored in every kind of source that a connector reads."""

import csv
import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from dictamesh.connectors.sdk import Source, SourceColumn
from dictamesh.specs import types
from dictamesh.specs.types import Kind, Type

PRICE = Type(Kind.DECIMAL, 12, 2)
COLUMNS: dict[str, Type] = {
    "id": types.STRING,
    "name": types.STRING,
    "group": types.STRING,
    "age": types.INT,
    "big": types.LONG,
    "price": PRICE,
    "active": types.BOOLEAN,
    "born": types.DATE,
    "seen": types.TIMESTAMP,
}
_NAMES = ["Ana", "ana", "Ánne", "Zoë", "zoe", "", "O'Neil", "50%", "a_b", 'q"q', "😀", "\uffee", "Bo;--", None]


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"k{number:03}",
        "name": _NAMES[number % len(_NAMES)],
        "group": ["red", "Red", "green", None][number % 4],
        "age": None if number % 7 == 3 else number % 11 - 3,
        "big": 2**53 + number,
        "price": None if number % 5 == 4 else Decimal(f"{number * 7 % 13}.{number * 37 % 100:02}"),
        "active": None if number % 6 == 5 else number % 2 == 0,
        "born": None if number % 9 == 8 else date(1970 + number % 50, number % 12 + 1, number % 28 + 1),
        "seen": datetime(2024, 1, 1 + number % 28, number % 24, number % 60, tzinfo=UTC),
    }


ROWS = [row(number) for number in range(60)]
# An empty CSV cell is null (S3).
CSV_ROWS = [{**row, "name": row["name"] or None} for row in ROWS]


def source(physical_name: str, options: Any, names: Iterable[str] = COLUMNS) -> Source:
    columns = tuple(SourceColumn(name, COLUMNS[name]) for name in names)
    return Source("people#Person", physical_name, columns, ("id",), options)


def text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value


def in_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, (int, type(None))) else text(value) for name, value in row.items()}


def sqlite_file(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(
        'CREATE TABLE "the people" (id TEXT PRIMARY KEY, name TEXT COLLATE NOCASE, "group" TEXT, age INTEGER,'
        " big INTEGER, price DECIMAL(12,2), active BOOLEAN, born DATE, seen TIMESTAMP)"
    )
    values = [
        tuple(float(v) if isinstance(v, Decimal) else int(v) if isinstance(v, bool) else text(v) for v in row.values())
        for row in ROWS
    ]
    database.executemany('INSERT INTO "the people" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', values)
    database.commit()
    database.close()


def postgres_tables(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA sales")
        connection.execute(
            'CREATE TABLE sales."the people" (id text PRIMARY KEY, name text, "group" varchar(20), age integer,'
            " big bigint, price numeric(12,2), active boolean, born date, seen timestamptz)"
        )
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(
                f'INSERT INTO sales."the people" VALUES ({marks})', [tuple(row.values()) for row in ROWS]
            )


def csv_files(folder: Path) -> None:
    """Two files of a glob, their columns in another order."""
    _csv(folder / "people-1.csv", list(COLUMNS), CSV_ROWS[:40])
    _csv(folder / "people-2.csv", list(reversed(COLUMNS)), CSV_ROWS[40:])


def _csv(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {name: str(value).lower() if isinstance(value, bool) else text(value) for name, value in row.items()}
            )


def json_file(path: Path) -> None:
    path.write_text(json.dumps([_exact(row) for row in ROWS]), encoding="utf-8")


def jsonl_file(path: Path) -> None:
    path.write_text("".join(json.dumps(_exact(row)) + "\n" for row in ROWS), encoding="utf-8")


def _exact(row: dict[str, Any]) -> dict[str, Any]:
    return {**in_json(row), "price": None if row["price"] is None else float(row["price"])}


def parquet_file(path: Path) -> None:
    table = pa.table(
        {
            "id": [row["id"] for row in ROWS],
            "name": [row["name"] for row in ROWS],
            "group": [row["group"] for row in ROWS],
            "age": pa.array([row["age"] for row in ROWS], pa.int32()),
            "big": pa.array([row["big"] for row in ROWS], pa.int64()),
            "price": pa.array([row["price"] for row in ROWS], pa.decimal128(12, 2)),
            "active": [row["active"] for row in ROWS],
            "born": [row["born"] for row in ROWS],
            "seen": pa.array([row["seen"] for row in ROWS], pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, path)
