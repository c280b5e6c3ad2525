# SPDX-License-Identifier: Apache-2.0
"""How a source fails. Texts are ours alone: a driver's message may quote values and never travels (S26)."""

from enum import StrEnum


class Fault(StrEnum):
    """What went wrong, in the words of every protocol (AD-9)."""

    INVALID_CONFIG = "invalid_config"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad_request"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION_FAILED = "connection_failed"
    INVALID_RESPONSE = "invalid_response"
    TOO_LARGE = "too_large"
    NOT_SUPPORTED = "not_supported"
    REFUSED = "refused"  # by us: a redirect or next link to another origin, a key that is no path segment
    UNKNOWN = "unknown"


class SourceError(Exception):
    """A call to a source failed.

    `status` is the protocol's own code (an HTTP status, an SQLSTATE), `place` says where (`GET /items/orders`)
    without keys or values. Neither holds text that the source supplied.
    """

    retryable = False

    def __init__(self, fault: Fault, *, status: str | None = None, place: str | None = None) -> None:
        self.fault = fault
        self.status = status
        self.place = place
        parts = [str(fault), *(f"({status})" for _ in [0] if status), *(f"at {place}" for _ in [0] if place)]
        super().__init__(" ".join(parts))

    @property
    def counts_against_source(self) -> bool:
        """Whether a circuit breaker counts it: not-found, other 4xx but 429, and our own refusals do not (S23)."""
        return self.fault not in HARMLESS


class Transient(SourceError):  # noqa: N818  (one of the two kinds of SourceError)
    """A failure that may pass; `retry_after` is the source's own wish in seconds, if it gave one."""

    retryable = True

    def __init__(
        self, fault: Fault, *, status: str | None = None, place: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(fault, status=status, place=place)
        self.retry_after = retry_after


class Terminal(SourceError):  # noqa: N818  (one of the two kinds of SourceError)
    """A failure that the same call will meet again."""


HARMLESS = frozenset(
    {Fault.NOT_FOUND, Fault.UNAUTHORIZED, Fault.FORBIDDEN, Fault.BAD_REQUEST, Fault.NOT_SUPPORTED, Fault.REFUSED}
)
