# SPDX-License-Identifier: Apache-2.0
"""Who says it, when, and in which run: the facts that every event and facet begins with."""

import secrets
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
FACETS = "https://openlineage.io/spec/facets"


@cache
def runtime_version() -> str:
    """The version of the installed runtime."""
    try:
        return version("dictamesh")
    except PackageNotFoundError:
        return "0"


def producer() -> str:
    """The URI of what makes our events."""
    return f"urn:dictamesh:runtime:{runtime_version()}"


def run_id(at: float | None = None) -> str:
    """A new UUIDv7 (RFC 9562): milliseconds since the epoch, then random bits."""
    milliseconds = int((time.time() if at is None else at) * 1000)
    bits = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=bits | secrets.randbits(62)))


def instant(at: datetime) -> str:
    """A time as events have it: RFC 3339 in UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
