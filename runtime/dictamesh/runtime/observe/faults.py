# SPDX-License-Identifier: Apache-2.0
"""What may be told of an exception: its type, its code and its place, never its text or arguments (S26)."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from types import FrameType, TracebackType

from dictamesh.connectors.sdk.errors import SourceError

OURS = "dictamesh"
_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)


def is_ours(module: str) -> bool:
    """Say whether a module or a logger by this name belongs to this code base."""
    return module == OURS or module.startswith(f"{OURS}.")


def exception_fields(error: BaseException) -> dict[str, str]:
    """Return the log fields of an exception.

    `error_type`; `cause_type` of the first in its chain where that is another; `sqlstate` and `fault` where the chain
    has one; `place`, the innermost frame of ours as `file:line function`.
    """
    chain = tuple(_chain(error))
    fields = {"error_type": type_name(error)}
    if (first := type_name(chain[-1])) != fields["error_type"]:
        fields["cause_type"] = first
    for link in chain:
        state = getattr(link, "sqlstate", None)
        if isinstance(state, str) and _SQLSTATE.fullmatch(state):
            fields.setdefault("sqlstate", state)
        if isinstance(link, SourceError):
            fields.setdefault("fault", str(link.fault))
    if place := _place(error.__traceback__):
        fields["place"] = place
    return fields


def type_name(error: BaseException) -> str:
    """Return the dotted name of an exception's type, builtins without their module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def location(path: str, line: int, function: str) -> str:
    """Return `file:line function` with the path from the package on, so that no directory of this machine shows."""
    parts = PurePath(path).parts
    start = max((i for i, part in enumerate(parts) if part in {OURS, "site-packages"}), default=len(parts) - 2)
    if parts[start : start + 1] == ("site-packages",):
        start += 1
    return f"{'/'.join(parts[max(start, 0) :])}:{line} {function}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _place(trace: TracebackType | None) -> str | None:
    found: tuple[FrameType, int] | None = None
    while trace is not None:
        if is_ours(str(trace.tb_frame.f_globals.get("__name__", ""))):
            found = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    if found is None:
        return None
    frame, line = found
    return location(frame.f_code.co_filename, line, frame.f_code.co_name)
