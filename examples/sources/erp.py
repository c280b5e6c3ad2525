# SPDX-License-Identifier: Apache-2.0
"""The ERP of the example: invoices and their items in a SQLite file, or in a PostgreSQL database of yours.

Dates and timestamps of the SQLite file are text as SQLite writes it itself: `2025-03-31` and, in UTC,
`2025-03-31 09:30:00`.
"""

import json
import os
import sqlite3
import tempfile
import zlib
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from examples.sources.data import Data

OURS = 0x444D4558  # SQLite's application_id: "DMEX"

TABLES = """
CREATE TABLE invoices (
  id text PRIMARY KEY, invoice_no text NOT NULL UNIQUE, customer_id text NOT NULL, status text NOT NULL,
  total_cents integer NOT NULL, due_on date NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
CREATE TABLE invoice_items (
  id text PRIMARY KEY, invoice_id text NOT NULL REFERENCES invoices (id), product_id text NOT NULL,
  quantity integer NOT NULL, unit_cents integer NOT NULL);
CREATE INDEX invoices_customer ON invoices (customer_id);
CREATE INDEX invoices_updated ON invoices (updated_at);
CREATE INDEX items_invoice ON invoice_items (invoice_id);
CREATE INDEX items_product ON invoice_items (product_id);
"""


def fingerprint(records: Data) -> int:
    """A number of 31 bits that changes with the rows or the tables."""
    return zlib.crc32(json.dumps([TABLES, records.invoices, records.items]).encode()) & 0x7FFFFFFF


def build_sqlite(path: Path, records: Data) -> bool:
    """Write the ERP to `path` unless it is there and up to date; true if it was written.

    Another process sees the old file or the whole new one. Raises FileExistsError for a file that is not the example's.
    """
    if path.exists():
        owner, version = _stamp(path)
        if owner != OURS:
            raise FileExistsError(f"{path} is not the example's database: move it, or set ERP_PATH to another")
        if version == fingerprint(records):
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".erp-") as folder:
        fresh = Path(folder, "erp.sqlite")
        _fill_sqlite(fresh, records)
        for ending in ("-journal", "-wal", "-shm"):  # of the old file: SQLite would play them into the new one
            path.with_name(path.name + ending).unlink(missing_ok=True)
        os.replace(fresh, path)
    return True


def _stamp(path: Path) -> tuple[int, int]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as db:
            return db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        return 0, 0


def _fill_sqlite(path: Path, records: Data) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(TABLES.replace("timestamptz", "timestamp"))
        for table, rows in (("invoices", records.invoices), ("invoice_items", records.items)):
            columns = ", ".join(f":{column}" for column in rows[0])
            db.executemany(f"INSERT INTO {table} VALUES ({columns})", rows)  # noqa: S608 - names of our own
        db.execute(f"PRAGMA application_id = {OURS}")
        db.execute(f"PRAGMA user_version = {fingerprint(records)}")


def fill_postgres(dsn: str, records: Data) -> bool:
    """Write the ERP's two tables into the database at `dsn` unless they are there and up to date; true if written.

    All in one transaction. Raises FileExistsError for a table `invoices` that is not the example's, psycopg.Error for
    a database that cannot be reached.
    """
    mark = f"dictamesh example {fingerprint(records)}"
    with psycopg.connect(dsn) as db:
        found = db.execute(
            "SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE oid = to_regclass('invoices')"
        ).fetchone()
        if found and found[0] == mark:
            return False
        if found and not str(found[0]).startswith("dictamesh example "):
            raise FileExistsError("the database at ERP_DSN has a table invoices that is not the example's: use another")
        if found:
            db.execute("DROP TABLE invoice_items, invoices")
        db.execute("SET LOCAL timezone TO 'UTC'")
        db.execute(TABLES)
        for table, rows in (("invoices", records.invoices), ("invoice_items", records.items)):
            with db.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                for row in rows:
                    copy.write_row(list(row.values()))
        db.execute(sql.SQL("COMMENT ON TABLE invoices IS {}").format(mark))
    return True
