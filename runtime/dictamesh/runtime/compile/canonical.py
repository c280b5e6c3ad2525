# SPDX-License-Identifier: Apache-2.0
"""One text for one meaning: what hashes are taken of."""

import hashlib
from collections.abc import Set as AbstractSet
from typing import Any

import orjson
from pydantic import BaseModel

OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def canonical(value: Any) -> bytes:
    """JSON with sorted keys of dataclasses, models, mappings and plain values."""
    return orjson.dumps(value, default=_plain, option=OPTIONS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, AbstractSet):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)
