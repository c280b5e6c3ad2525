# SPDX-License-Identifier: Apache-2.0
"""Writers of a source: inserts, updates, deletes, changes of keys, transactions over several rows and both tables."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

TABLES = """
CREATE TABLE ledger (id text PRIMARY KEY, name text, amount numeric(12,2), open boolean NOT NULL, at timestamptz,
                     day date, weight double precision);
CREATE TABLE plain (id bigint PRIMARY KEY, note text)
"""
KEYS = 400  # of each writer: small enough that records are changed, deleted and made again
NAMES = ("", "Ana", "Ωμέγα", "a 'quoted' \\ name", "line\nbreak", None)


@dataclass
class Writers:
    """Threads that change the source until so many changes are committed; a source that is away is waited for."""

    dsn: str
    wanted: int
    pace: float = 0.0  # seconds between transactions of one writer
    threads: int = 4
    committed: int = 0
    bound: int = -1
    stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: list[threading.Thread] = field(default_factory=list)

    def prepare(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(TABLES.encode())

    def start(self) -> None:
        for number in range(self.threads):
            thread = threading.Thread(target=self._write, args=(number,), daemon=True)
            thread.start()
            self._running.append(thread)

    def hold_at(self, changes: int) -> None:
        """Let the writers wait once so many changes are committed, so that what is killed is killed under way."""
        self.bound = changes

    def stop(self) -> None:
        self.stopped = True

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._running)

    def _write(self, number: int) -> None:
        dice = random.Random(number)
        while self._more():
            with contextlib.suppress(psycopg.OperationalError):
                self._while_it_answers(number, dice)
            time.sleep(0.05)

    def _more(self) -> bool:
        return self.committed < self.wanted and not self.stopped

    def _while_it_answers(self, number: int, dice: random.Random) -> None:
        with psycopg.connect(self.dsn, connect_timeout=2) as connection:
            while self._more():
                if 0 <= self.bound <= self.committed:
                    time.sleep(0.02)
                    continue
                changes = _transaction(connection, number, dice)
                connection.commit()
                with self._lock:
                    self.committed += changes
                time.sleep(self.pace)

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """What the source holds now, by key."""
        with psycopg.connect(self.dsn, row_factory=psycopg.rows.dict_row) as connection:
            return {str(row["id"]): row for row in connection.execute(f"SELECT * FROM {table}".encode())}


def _transaction(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    changes = 0
    for _ in range(dice.choice((1, 1, 1, 2, 3, 10))):
        change: Callable[..., int] = dice.choice((_upsert, _upsert, _update, _delete, _rename, _plain))
        changes += change(connection, number, dice)
    if dice.random() < 0.03:
        connection.rollback()
        return 0
    return changes


def _key(number: int, dice: random.Random) -> str:
    return f"w{number}-{dice.randrange(KEYS)}"


def _upsert(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    values = (
        _key(number, dice),
        dice.choice(NAMES),
        dice.choice((None, Decimal(dice.randrange(-(10**9), 10**9)) / 100)),
        dice.random() < 0.5,
        f"2026-01-01T00:00:00.{dice.randrange(10**6):06d}Z",
        f"20{dice.randrange(10, 99)}-02-28",
        dice.choice((None, dice.uniform(-1e9, 1e9), 0.1)),
    )
    return connection.execute(
        b"INSERT INTO ledger VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        b" amount = excluded.amount, open = excluded.open, at = excluded.at, day = excluded.day,"
        b" weight = excluded.weight",
        values,
    ).rowcount


def _update(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    statement = b"UPDATE ledger SET amount = coalesce(amount, 0) + 1, open = NOT open WHERE id = %s"
    return connection.execute(statement, (_key(number, dice),)).rowcount


def _delete(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    return connection.execute(b"DELETE FROM ledger WHERE id = %s", (_key(number, dice),)).rowcount


def _rename(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    old, new = _key(number, dice), _key(number, dice)
    statement = b"UPDATE ledger SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM ledger WHERE id = %s)"
    return connection.execute(statement, (new, old, new)).rowcount


def _plain(connection: psycopg.Connection[Any], number: int, dice: random.Random) -> int:
    key = number * 1_000_000 + dice.randrange(KEYS)
    if dice.random() < 0.3:
        return connection.execute(b"DELETE FROM plain WHERE id = %s", (key,)).rowcount
    statement = b"INSERT INTO plain VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET note = excluded.note"
    return connection.execute(statement, (key, dice.choice(NAMES))).rowcount
