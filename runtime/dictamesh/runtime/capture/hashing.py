# SPDX-License-Identifier: Apache-2.0
"""What a record looked like, without its values: keyed hashes of its fields, packed."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dictamesh.runtime.adapters.keys import digits
from dictamesh.runtime.compile.plan import FieldPlan
from dictamesh.specs.types import Kind

SIZE = 8
_PAIR = 2 * SIZE
_TIMES = (datetime, date, time)
_NOTHING = b"\0" * SIZE
_PURPOSE = b"dictamesh captured records"


def hashing_key(audit_key: bytes) -> bytes:
    """Derive the key of captured records from that of the audit, which replicas share."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=_PURPOSE).derive(audit_key)


def key_name(key: bytes) -> str:
    """Return a name for a key that does not tell it."""
    return hashlib.sha256(b"id\0" + key).hexdigest()[:16]


class Hashes:
    """Hashes the records of one entity: the same value of another record or field has another hash.

    A field without a value has a hash of zeros, so that a field that is new and empty is no change.
    """

    def __init__(self, key: bytes, fields: Iterable[FieldPlan]) -> None:
        self._key = key
        self._start = hashlib.blake2b(key=key, digest_size=SIZE)
        self._fields = tuple((each.name, _tag(each.name), _text_of(each.type.kind)) for each in fields)
        self._names = {tag: name for name, tag, _ in self._fields}
        self.names = tuple(name for name, _, _ in self._fields)

    def packed(self, record: str, row: Mapping[str, Any]) -> bytes:
        """Return the hashes of a row: for each field that of its name, then that of its value."""
        start = self._start.copy()
        start.update(record.encode())
        copy = start.copy
        parts: list[bytes] = []
        for name, tag, text in self._fields:
            value = row[name]
            if value is None:
                parts += (tag, _NOTHING)
                continue
            at = copy()
            at.update(tag + text(value))
            parts += (tag, at.digest())
        return b"".join(parts)

    def content(self, packed: bytes) -> bytes:
        """Return one hash of all fields."""
        return hashlib.blake2b(packed, key=self._key, digest_size=2 * SIZE).digest()

    def of_bad(self, what: bytes) -> bytes:
        """Return a hash that tells one bad record from another."""
        return hashlib.blake2b(what, key=self._key, digest_size=2 * SIZE).digest()

    def changed(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """Return the names of the fields whose hashes differ; fields that are no longer mapped are no change."""
        known = {before[at : at + SIZE]: before[at + SIZE : at + _PAIR] for at in range(0, len(before), _PAIR)}
        return tuple(
            self._names[after[at : at + SIZE]]
            for at in range(0, len(after), _PAIR)
            if known.get(after[at : at + SIZE], _NOTHING) != after[at + SIZE : at + _PAIR]
        )


def _tag(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=SIZE).digest()


def _text_of(kind: Kind) -> Callable[[Any], bytes]:
    """How a value of a kind becomes bytes: equal for equal values, whatever driver they came by."""
    match kind:
        case Kind.STRING:
            return _of_text
        case Kind.BYTES:
            return bytes
        case Kind.DECIMAL:
            return _of_decimal
        case Kind.ARRAY | Kind.OBJECT | Kind.JSON:
            return _of_json
        case Kind.INT | Kind.LONG:
            return _of_whole
        case _:
            return _of_scalar


def _of_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _of_decimal(value: Decimal) -> bytes:
    return digits(value).encode()


def _of_whole(value: Any) -> bytes:
    return b"%d" % value if type(value) is int else _of_scalar(value)


def _of_scalar(value: Any) -> bytes:
    if isinstance(value, _TIMES):
        return value.isoformat().encode()
    return repr(value).encode()


def _of_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # whole numbers beyond 64 bits, halves of surrogate pairs
        return repr(value).encode("utf-8", "surrogatepass")
