# SPDX-License-Identifier: Apache-2.0
"""Answers that are no success: the codes and the body of MC-13; texts are ours alone (S26)."""

from dataclasses import dataclass
from typing import Any, Literal

Code = Literal[
    "INVALID_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "ENTITY_NOT_FOUND",
    "CONFLICT",
    "RATE_LIMIT_EXCEEDED",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
]
STATUS: dict[Code, int] = {
    "INVALID_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "ENTITY_NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}
MEANING: dict[Code, str] = {
    "INVALID_REQUEST": "The request does not fit its description.",
    "UNAUTHORIZED": "No credentials, or wrong ones.",
    "FORBIDDEN": "The caller may not do this.",
    "ENTITY_NOT_FOUND": "There is no such thing, or the caller may not know of it.",
    "CONFLICT": "It is there already, or belongs to a spec.",
    "RATE_LIMIT_EXCEEDED": "Too many requests.",
    "INTERNAL_ERROR": "Something went wrong inside; the log has it under the trace id.",
    "SERVICE_UNAVAILABLE": "Something that the answer needs cannot be reached.",
}


class RequestRefused(Exception):  # noqa: N818 - the name says what is the case
    """An answer other than a success; ``status`` where it is not that of the code."""

    def __init__(self, code: Code, message: str, *, status: int | None = None, **details: Any) -> None:
        super().__init__(code, message)
        self.code: Code = code
        self.message = message
        self.status = status or STATUS[code]
        self.details = details


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong; ``details`` name the parameter or field at fault, or list findings."""

    code: Code
    message: str
    details: dict[str, Any]
    trace_id: str


@dataclass(frozen=True, slots=True)
class FaultBody:
    """The body of every answer that is no success (MC-13)."""

    error: Fault
