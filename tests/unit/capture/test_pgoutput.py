# SPDX-License-Identifier: Apache-2.0
"""Messages of pgoutput that are cut off or made up end the stream with a fault of ours and nothing else."""

import random
import struct

import pytest

from dictamesh.runtime.capture.contract import CaptureFailed
from dictamesh.runtime.capture.postgres.faults import SourceGone
from dictamesh.runtime.capture.postgres.lsn import lsn_of, text_of
from dictamesh.runtime.capture.postgres.messages import (
    UNCHANGED,
    Alive,
    Begin,
    Change,
    Commit,
    Relation,
    Truncate,
    read,
)
from dictamesh.runtime.capture.postgres.position import Position, position_of
from dictamesh.runtime.capture.postgres.streams import default_name


def data(payload: bytes) -> bytes:
    return b"w" + struct.pack("!qqq", 1, 2, 3) + payload


def row(*values: bytes | None) -> bytes:
    parts = [
        b"n" if value is None else b"u" if value == b"?" else b"t" + struct.pack("!I", len(value)) + value
        for value in values
    ]
    return struct.pack("!H", len(values)) + b"".join(parts)


RELATION = (
    b"R" + struct.pack("!I", 7) + b"public\0orders\0d" + struct.pack("!H", 1) + b"\1id\0" + struct.pack("!Ii", 23, -1)
)
MESSAGES = {
    data(b"B" + struct.pack("!qqi", 9, 0, 1)): Begin,
    data(b"C\0" + struct.pack("!qqq", 9, 10, 0)): Commit,
    data(RELATION): Relation,
    data(b"I" + struct.pack("!I", 7) + b"N" + row(b"1", None)): Change,
    data(b"U" + struct.pack("!I", 7) + b"K" + row(b"1") + b"N" + row(b"2", b"?")): Change,
    data(b"D" + struct.pack("!I", 7) + b"O" + row(b"1")): Change,
    data(b"T" + struct.pack("!Ib", 2, 0) + struct.pack("!II", 7, 8)): Truncate,
    b"k" + struct.pack("!qqb", 5, 0, 1): Alive,
}


@pytest.mark.parametrize("raw", MESSAGES, ids=[kind.__name__ for kind in MESSAGES.values()])
def test_a_message_is_read_and_one_that_is_cut_off_is_refused(raw: bytes) -> None:
    assert isinstance(read(raw), MESSAGES[raw])
    for end in range(len(raw)):
        with pytest.raises(SourceGone):
            read(raw[:end])


def test_a_value_that_was_not_sent_is_told_from_null() -> None:
    (update,) = [read(raw) for raw in MESSAGES if raw[25:26] == b"U"]
    assert isinstance(update, Change) and update.new == [b"2", UNCHANGED] and update.old == [b"1"] and not update.whole


def test_bytes_by_chance_do_no_harm() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        raw = bytearray(rng.choice(list(MESSAGES)))
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(25 if raw[:1] == b"w" else 1, len(raw))] = rng.randrange(256)
        try:
            read(bytes(raw))
        except SourceGone:
            continue


@pytest.mark.parametrize("lsn", [0, 1, 0xFFFFFFFF, 0x16_B374D848, 2**63 - 1])
def test_a_position_is_read_as_it_was_written(lsn: int) -> None:
    assert lsn_of(text_of(lsn)) == lsn
    for part in (None, (lsn, 5)):
        assert position_of(Position(lsn, "7", part).plain()) == Position(lsn, "7", part)


@pytest.mark.parametrize(
    "stored", [{}, {"lsn": "x", "system": "1"}, {"at": 3}, {"lsn": "0/1", "system": "1", "part": []}]
)
def test_a_position_of_something_else_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(CaptureFailed):
        position_of(stored)


def test_names_are_what_a_slot_may_be_called_and_never_the_same() -> None:
    names = [
        ("acme", "a-b", "erp"),
        ("acme", "a_b", "erp"),
        ("Acme", "a_b", "erp"),
        ("acme", "x" * 80, "erp"),
        ("acme", "x" * 81, "erp"),
    ]
    made = [default_name(*each) for each in names]
    assert made[1] == "dictamesh_acme_a_b_erp"
    assert len(set(made)) == len(names)
    assert all(len(each) <= 63 and set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for each in made)
