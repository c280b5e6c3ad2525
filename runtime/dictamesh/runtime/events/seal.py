# SPDX-License-Identifier: Apache-2.0
"""Sealing what failed: AES-256-GCM under a key that the mesh holds and the database does not."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SIZE = 32
_NONCE = 12
_PURPOSE = b"dictamesh dead letters"


class Unreadable(Exception):  # noqa: N818 - the name says what is the case
    """A body was sealed by another key than the one at hand, or is damaged."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What seals bodies; `id` names its key without telling it."""

    key: bytes = field(repr=False)
    id: str

    def closed(self, body: bytes, owner: str) -> bytes:
        """Return nonce and ciphertext of a body, bound to the entity `owner`."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, body, owner.encode())

    def opened(self, sealed: bytes, owner: str, seal_id: str) -> bytes:
        """Return the body; raises Unreadable."""
        if seal_id != self.id:
            raise Unreadable(f"the body was sealed by key {seal_id}, and {self.id} is at hand")
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
        except (InvalidTag, ValueError):
            raise Unreadable("the body is damaged") from None

    def fingerprint(self, *parts: bytes) -> bytes:
        """Return a keyed hash of parts, the same for the same ones in the same order."""
        digest = hmac.new(self.key, _PURPOSE, hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def seal_of(secret: bytes) -> Seal:
    """Derive the seal from a secret by HKDF-SHA256."""
    key = HKDF(hashes.SHA256(), _SIZE, salt=None, info=_PURPOSE).derive(secret)
    return Seal(key, hashlib.sha256(b"id\0" + key).hexdigest()[:16])
