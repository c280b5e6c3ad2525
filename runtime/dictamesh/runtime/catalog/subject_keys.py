# SPDX-License-Identifier: Apache-2.0
"""One key per data subject, for payloads that an erasure makes unreadable wherever their copies are (SE-7, GV-12).

Keys are for AES-256-GCM. The database holds them wrapped, by a key that it does not hold, under the subject's token.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg.rows import TupleRow

_SIZE = 32
_NONCE = 12
_PURPOSE = b"dictamesh subject keys"
_FIND = b"""
SELECT subject_token, wrapped_key, wrapping_key_id, destroyed_at IS NOT NULL FROM dictamesh_subject_keys
 WHERE subject_token = ANY(%s)
"""
_MAKE = b"""
INSERT INTO dictamesh_subject_keys (subject_token, subject_kind, wrapped_key, wrapping_key_id)
SELECT token, kind, decode(key, 'hex'), wrapped_by
  FROM jsonb_to_recordset(%s::jsonb) AS r (token text, kind text, key text, wrapped_by text)
 ORDER BY token COLLATE "C"
    ON CONFLICT (subject_token) DO NOTHING
"""
_DESTROY = b"""
UPDATE dictamesh_subject_keys SET wrapped_key = '', wrapping_key_id = '', destroyed_at = clock_timestamp()
 WHERE subject_token = %s AND destroyed_at IS NULL
"""
_NEVER = b"""
INSERT INTO dictamesh_subject_keys (subject_token, subject_kind, wrapped_key, wrapping_key_id, destroyed_at)
VALUES (%s, %s, '', '', clock_timestamp()) ON CONFLICT (subject_token) DO NOTHING
"""


class WrongWrappingKey(Exception):  # noqa: N818 - the name says what is the case
    """A key of a data subject was wrapped by another key than the one at hand, or is damaged."""


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """What wraps the keys of data subjects; `id` names it without telling it."""

    key: bytes = field(repr=False)
    id: str


def wrapping_key(secret: bytes) -> WrappingKey:
    """Derive the wrapping key from a secret by HKDF-SHA256."""
    key = HKDF(hashes.SHA256(), _SIZE, salt=None, info=_PURPOSE).derive(secret)
    return WrappingKey(key, hashlib.sha256(b"id\0" + key).hexdigest()[:16])


async def subject_keys(
    connection: psycopg.AsyncConnection[TupleRow], wrapping: WrappingKey, subjects: Mapping[str, str]
) -> dict[str, bytes | None]:
    """Return the key of each subject, made where there is none; None for one that was erased: it gets no other.

    `subjects` maps tokens to kinds. Works in the caller's transaction. Raises WrongWrappingKey, and what psycopg
    raises.
    """
    found = await _found(connection, wrapping, list(subjects))
    missing = [token for token in subjects if token not in found]
    if missing:
        made = [
            {"token": token, "kind": subjects[token], "key": _wrapped(wrapping, token).hex(), "wrapped_by": wrapping.id}
            for token in missing
        ]
        await connection.execute(_MAKE, (orjson.dumps(made).decode(),))
        found |= await _found(connection, wrapping, missing)
    return found


async def destroy_key(connection: psycopg.AsyncConnection[TupleRow], token: str, kind: str) -> bool:
    """Destroy a subject's key for good, one that is not there yet included; returns whether there was one to destroy.

    What PostgreSQL keeps of the old row until it is vacuumed, its WAL and its backups is useless without the wrapping
    key. Works in the caller's transaction; raises what psycopg raises.
    """
    # A row without a key first: from then on nobody can make one between the two statements.
    made = await connection.execute(_NEVER, (token, kind))
    if made.rowcount:
        return False
    return (await connection.execute(_DESTROY, (token,))).rowcount > 0


async def _found(
    connection: psycopg.AsyncConnection[TupleRow], wrapping: WrappingKey, tokens: list[str]
) -> dict[str, bytes | None]:
    rows = await (await connection.execute(_FIND, (tokens,))).fetchall()
    return {
        token: None if destroyed else _unwrapped(wrapping, token, wrapped, by) for token, wrapped, by, destroyed in rows
    }


def _wrapped(wrapping: WrappingKey, token: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(wrapping.key).encrypt(nonce, AESGCM.generate_key(_SIZE * 8), token.encode())


def _unwrapped(wrapping: WrappingKey, token: str, wrapped: bytes, wrapped_by: str) -> bytes:
    if wrapped_by != wrapping.id:
        raise WrongWrappingKey(f"a key of a data subject is wrapped by {wrapped_by}, and {wrapping.id} is at hand")
    try:
        return AESGCM(wrapping.key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], token.encode())
    except InvalidTag:
        raise WrongWrappingKey("a key of a data subject is damaged") from None
