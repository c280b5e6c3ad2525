# SPDX-License-Identifier: Apache-2.0
"""What ends a stream; texts are ours and never carry a message or a value of the source (S26)."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import psycopg

from dictamesh.runtime.capture.contract import CaptureFailed, CaptureLost

Reason = Literal["slot_missing", "slot_lost", "slot_ahead", "slot_foreign", "other_system", "source_behind"]


class SourceGone(CaptureFailed):
    """The line to the source broke or cannot be made; a new one may work at once."""


class CaptureStopped(CaptureLost):
    """Changes were or may have been lost: nothing is read again until somebody resets the state (`reason`: a word)."""

    def __init__(self, reason: Reason, message: str, cure: str) -> None:
        super().__init__(message, cure)
        self.reason = reason


_CURES: dict[str, tuple[str, str]] = {
    "28": ("the source refuses the credentials", "correct the server's dsn"),
    "3D": ("the source has no such database", "correct the server's dsn"),
    "42501": ("the role lacks a right at the source", "grant it"),
    "42704": ("something that the stream needs is gone from the source", "see that slot and publication are there"),
    "53400": ("the source has no replication slot left", "raise max_replication_slots and restart it"),
    "53300": ("the source takes no more connections", "raise max_wal_senders or max_connections"),
    "55000": ("the source is not set up for logical decoding", "set wal_level = logical and restart it"),
    "55006": ("the slot is in use by somebody else", "stop the other reader; a replica that died frees it soon"),
    "58P01": ("the source has removed WAL that the slot needs", "reset the state of the entities"),
}
_GONE = frozenset({"08", "57", "58"})


@contextlib.contextmanager
def source_errors(doing: str, cures: dict[str, str] | None = None) -> Iterator[None]:
    """Turn the driver's exceptions into ours; `cures` says by SQLSTATE what helps with what is being done."""
    try:
        yield
    except psycopg.Error as error:
        raise in_our_words(error, doing, cures or {}) from None


def in_our_words(error: psycopg.Error, doing: str, cures: dict[str, str]) -> CaptureFailed:
    """Say what an error of the driver means; only its SQLSTATE is told."""
    state = error.sqlstate
    if state is None:
        return SourceGone(f"{doing}: the source cannot be reached", "see that it runs and that the dsn is right")
    message, cure = _CURES.get(state) or _CURES.get(state[:2]) or ("the source answered with an error", "see its log")
    cure = cures.get(state, cure)
    kind = SourceGone if (state[:2] in _GONE and state != "58P01") or state in {"55006", "53300"} else CaptureFailed
    return kind(f"{doing}: {message} (SQLSTATE {state})", cure)
