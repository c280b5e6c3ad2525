# SPDX-License-Identifier: Apache-2.0
"""One text for one meaning: what hashes are taken of."""

import hashlib
import json
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from pydantic import BaseModel

OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def canonical(value: Any) -> bytes:
    """JSON with sorted keys of dataclasses, models, mappings and plain values."""
    try:
        return orjson.dumps(value, default=_plain, option=OPTIONS)
    except TypeError:  # an integer of more than 64 bits, which YAML may hold
        return json.dumps(value, default=_plain, sort_keys=True, separators=(",", ":")).encode()


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
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)
