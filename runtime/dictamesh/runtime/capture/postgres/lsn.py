# SPDX-License-Identifier: Apache-2.0
"""Positions in the write-ahead log: numbers here, `16/B374D848` in PostgreSQL's words."""


def text_of(lsn: int) -> str:
    """Write a position as PostgreSQL does."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_of(text: str) -> int:
    """Read a position; ValueError for a text that is none."""
    high, slash, low = text.partition("/")
    if not slash:
        raise ValueError("no position in a write-ahead log")
    return int(high, 16) << 32 | int(low, 16)
