# SPDX-License-Identifier: Apache-2.0
"""Bodies of answers: JSON with exact numbers, rows and cells by dotted path."""

from typing import Any

from dictamesh.connectors import exact_json
from dictamesh.connectors.rows import Record, walked
from dictamesh.connectors.sdk.errors import Fault, Terminal

MAX_CONTAINERS = 1_000_000  # of one body: 16 MiB of `{}` would become 360 MB of objects
MAX_COMMAS = 2_000_000


def decode(body: bytes, place: str) -> Any:
    """Parse a body. Fractions come as Decimal with all digits, integers exact, of a repeated key the last one.

    `Terminal(INVALID_RESPONSE)` for what is no JSON, `Terminal(TOO_LARGE)` for bodies made of too many small parts.
    """
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS or body.count(b",") > MAX_COMMAS:
        raise Terminal(Fault.TOO_LARGE, place=place)
    try:
        return exact_json.loads(body)
    except ValueError:
        raise Terminal(Fault.INVALID_RESPONSE, place=place) from None


def records(document: Any, path: str | None, place: str) -> list[Record]:
    """Return the rows of an answer; null is none. `Terminal(INVALID_RESPONSE)` where the path leads elsewhere."""
    found = walked(document, path)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Terminal(Fault.INVALID_RESPONSE, place=place)
    return found


def record(document: Any, path: str | None, place: str) -> Record | None:
    """Return the one row of an answer; null is none."""
    found = walked(document, path)
    if found is not None and not isinstance(found, dict):
        raise Terminal(Fault.INVALID_RESPONSE, place=place)
    return found
