# SPDX-License-Identifier: Apache-2.0
"""Errors of the gateway: the codes of S26, our own messages, and the shape in which they leave the process."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

MESSAGES = {
    "UNAUTHENTICATED": "The credentials were not accepted; send valid ones, or none to call as anonymous",
    "FORBIDDEN": "The caller may not do this",
    "VALIDATION_ERROR": "The request is not valid",
    "PARSE_FAILED": "The query text could not be parsed",
    "LIMIT_EXCEEDED": "The request asks for more than the limits allow",
    "SCAN_LIMIT": "More rows would have to be read than maxScan allows; narrow the filter",
    "SOURCE_TIMEOUT": "The source did not answer in time",
    "SOURCE_UNAVAILABLE": "The source cannot be reached",
    "CIRCUIT_OPEN": "The source failed repeatedly and is not asked for a moment",
    "SOURCE_DATA_INVALID": "A value of the source does not fit its declared type",
    "CONTRACT_VIOLATION": "The data of the source break their contract",
    "EXPRESSION_FAILED": "A computed field could not be computed for this row",
    "RATE_LIMIT_EXCEEDED": "Too many requests; try again later",
    "INTERNAL_ERROR": "Something went wrong inside; the log has it under this trace id",
    "ENTITY_NOT_FOUND": "There is no such entity",
}
"""Every code that may leave the process, with its message (S26)."""

STATUS = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "ENTITY_NOT_FOUND": 404,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "SOURCE_UNAVAILABLE": 502,
    "CIRCUIT_OPEN": 503,
    "SOURCE_TIMEOUT": 504,
}
"""The HTTP status of a request that fails as a whole; 400 for codes that are not listed."""

_SUGGESTION = re.compile(r" Did you mean .*\?\Z", re.DOTALL)

Path = tuple[str | int, ...]


def message(code: str, **safe: str | int) -> str:
    """Return the message of a code; `safe` names what it is about, such as `server="erp"`, and never a value.

    Raises KeyError for a code that S26 does not know.
    """
    about = ", ".join(f"{name} {value}" for name, value in safe.items())
    return f"{MESSAGES[code]} ({about})." if about else f"{MESSAGES[code]}."


class GatewayError(Exception):
    """Something went wrong that the caller may know of.

    `message` is one of ours without any value of a source. `path` is the response path where one field failed.
    `http_status` is that of a request which fails as a whole.
    """

    def __init__(
        self, code: str, text: str | None = None, path: Path | None = None, http_status: int | None = None
    ) -> None:
        self.code = code
        self.message = text or message(code)
        self.path = path
        self.http_status = http_status or STATUS.get(code, 400)
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """An entry of `errors` before it is written down; `locations` are lines and columns of the query text."""

    code: str
    message: str
    path: Path | None = None
    locations: tuple[tuple[int, int], ...] = ()

    def as_dict(self, trace_id: str) -> dict[str, Any]:
        """Return the entry as it is sent."""
        entry: dict[str, Any] = {"message": self.message}
        if self.locations:
            entry["locations"] = [{"line": line, "column": column} for line, column in self.locations]
        if self.path is not None:
            entry["path"] = list(self.path)
        entry["extensions"] = {"code": self.code, "traceId": trace_id}
        return entry


class Refused(GatewayError):  # noqa: N818 - the name says what became of the request
    """A request that is refused before any work, with every reason found."""

    def __init__(self, code: str, entries: Sequence[ErrorEntry], http_status: int = 400) -> None:
        super().__init__(code, entries[0].message, http_status=http_status)
        self.entries = tuple(entries)


def entries_of(error: GatewayError) -> tuple[ErrorEntry, ...]:
    """Return the entries that an error stands for."""
    if isinstance(error, Refused):
        return error.entries
    return (ErrorEntry(error.code, error.message, error.path),)


def query_entry(code: str, error: GraphQLError, suggest: bool) -> ErrorEntry:
    """Return the entry for a fault that graphql-core found in the caller's query text.

    Its message may quote that text, never a value of a source. `suggest=False` takes away "did you mean", which names
    parts of the schema (S22).
    """
    text = error.message if suggest else _SUGGESTION.sub("", error.message)
    return ErrorEntry(code, text, None, locations_of(error))


def locations_of(error: GraphQLError) -> tuple[tuple[int, int], ...]:
    """Return the places of an error in the query text."""
    return tuple((place.line, place.column) for place in error.locations or ())
