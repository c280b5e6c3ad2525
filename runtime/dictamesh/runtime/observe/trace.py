# SPDX-License-Identifier: Apache-2.0
"""Who belongs to which request: the trace context of W3C, carried in a context variable."""

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_LONGEST = 512  # characters of a header that a later version of the standard may send


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A position in a trace: 32 and 16 lower-case hex digits, and whether the caller records the trace."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def child(self) -> "TraceContext":
        """Return a new span of the same trace."""
        return TraceContext(self.trace_id, _span_id(), self.sampled)

    def traceparent(self) -> str:
        """Return the header that carries this position to the next server."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


CURRENT: ContextVar[TraceContext | None] = ContextVar("dictamesh_trace", default=None)


def parse(traceparent: str | None) -> TraceContext | None:
    """Read a `traceparent` header; None for an absent or invalid one, which the standard says to ignore."""
    found = _HEADER.fullmatch(traceparent) if traceparent and len(traceparent) <= _LONGEST else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, sampled=bool(int(flags, 16) & 1))


def begin(traceparent: str | None = None) -> TraceContext:
    """Return a new span under the caller's, or the first span of a new trace where the header is absent or invalid."""
    caller = parse(traceparent)
    return caller.child() if caller else TraceContext(secrets.token_hex(16), _span_id())


@contextlib.contextmanager
def within(context: TraceContext) -> Iterator[TraceContext]:
    """Make `context` the current one for the block and for the tasks started in it."""
    token = CURRENT.set(context)
    try:
        yield context
    finally:
        CURRENT.reset(token)


def _span_id() -> str:
    return secrets.token_hex(8)
