# SPDX-License-Identifier: Apache-2.0
"""Whether the body of a dead letter names a data subject, however it is written: for an erasure. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import orjson

_DEEPEST = 8  # bodies within bodies


def mentions(body: bytes, text: str) -> bool:
    """Say whether a body holds the id `text` as a value or a word of one; what is no JSON is searched as it is."""
    word = re.compile(r"(?<!\w)" + re.escape(text) + r"(?!\w)")
    return any(value == text or word.search(value) is not None for value in _texts(body, _DEEPEST))


def _texts(body: bytes, depth: int) -> Iterator[str]:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        yield body.decode("utf-8", "replace")
        return
    left = [read]
    while left:
        match left.pop():
            # bytes of a packed record
            case {"$dictamesh": "bytes" | "text", "text": str(written)} if depth:
                yield from _texts(_decoded(written), depth - 1)
            case dict() as held:
                left += [*held.keys(), *held.values()]
            case list() as held:
                left += held
            case bool() | None:
                continue
            case value:
                yield _text(value)


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return written.encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
