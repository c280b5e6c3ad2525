# SPDX-License-Identifier: Apache-2.0
"""Tokens: keyed hashes that stand for records and for data subjects, of no use to who lacks the key (S30, GV-12)."""

import hashlib
import hmac


def record_token(key: bytes, address: str, record: str) -> str:
    """Return the token of a record: equal for equal records of one entity; `record` is its canonical key (S6)."""
    return _token(key, f"{address}\0{record}")


def subject_token(key: bytes, kind: str, subject: str) -> str:
    """Return the token of a data subject, the same in all products; `subject` is the canonical text of its id."""
    return _token(key, f"subject\0{kind}\0{subject}")


def key_id(key: bytes) -> str:
    """Return a name for a key that does not tell it."""
    return hashlib.sha256(b"id\0" + key).hexdigest()[:16]


def _token(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
