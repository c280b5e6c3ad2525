# SPDX-License-Identifier: Apache-2.0
"""SQLite keeps what it is given in any column; a cell that does not fit its type is NULL there, never a fault (S4)."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dictamesh.specs.expressions.sqlite import decoder, sqlite_functions
from dictamesh.specs.types import Kind, Type

ODD = ("", "garbage", b"\x00\xff", 5, 1.5, -1, 10**18, float("inf"))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in {Kind.ARRAY, Kind.NULL}])
@pytest.mark.parametrize("cell", ODD)
def test_no_cell_makes_a_decoder_fail(kind: Kind, cell: Any) -> None:
    found = decoder(Type(kind))(cell)
    assert found is None or kind in {
        Kind.STRING, Kind.BYTES, Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DECIMAL, Kind.JSON, Kind.OBJECT
    }  # fmt: skip


@pytest.mark.parametrize("cell", [float("inf"), "0.25", b"1"])
def test_what_is_no_finite_number_is_null(cell: Any) -> None:
    assert decoder(Type(Kind.FLOAT))(cell) is None


@pytest.mark.parametrize("cell", ODD)
@pytest.mark.parametrize("name", ["dm_timestamp", "dm_time"])
def test_no_cell_makes_a_statement_fail(name: str, cell: Any) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for function, arity, run in sqlite_functions():
            connection.create_function(function, arity, run)
        assert connection.execute(f"SELECT {name}(?)", (cell,)).fetchone() == (None,)
