# SPDX-License-Identifier: Apache-2.0
"""Sources of changes."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.sources import Source, source, source15, source18

__all__ = ["source", "source15", "source18"]


@pytest.fixture
def base(source: Source) -> Iterator[str]:
    """Conninfo of an empty database of a source; its slots go with it."""
    yield from _base(source)


@pytest.fixture
def base18(source18: Source) -> Iterator[str]:
    """Conninfo of an empty database of the newest source."""
    yield from _base(source18)


def _base(source: Source) -> Iterator[str]:
    name = f"t{id(object()):x}"
    with psycopg.connect(source.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    yield psycopg.conninfo.make_conninfo(source.dsn, dbname=name)
    with psycopg.connect(source.dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )
        for _ in range(50):
            try:
                admin.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
                )
                break
            except psycopg.errors.ObjectInUse:
                admin.execute("SELECT pg_sleep(0.1)")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
