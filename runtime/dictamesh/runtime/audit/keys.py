# SPDX-License-Identifier: Apache-2.0
"""The keys that sign the heads of the chains: Ed25519 (RFC 8032), named by the hash of their public half."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_SECRET = 32
_PURPOSE = b"dictamesh audit heads"
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class UnusableKey(ValueError):  # noqa: N818 - the state of a key, not a fault of the program
    """A key is of another kind, too short, or none at all; the text is ours and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key; `key_id` and `pem` are of its public half."""

    key: Ed25519PrivateKey = field(repr=False)
    key_id: str
    pem: str

    def sign(self, text: str) -> str:
        """Return the signature of a text's UTF-8, in base64."""
        return base64.b64encode(self.key.sign(text.encode())).decode()


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """Public keys by id."""

    keys: Mapping[str, Ed25519PublicKey]

    def __contains__(self, key_id: str) -> bool:
        return key_id in self.keys

    def holds(self, key_id: str, text: str, signature: str) -> bool:
        """Whether a known key made the signature of a text."""
        try:
            self.keys[key_id].verify(base64.b64decode(signature, validate=True), text.encode())
        except (KeyError, ValueError, InvalidSignature):
            return False
        return True


def signer_from(secret: bytes) -> Signer:
    """Return the signer of a private key in PEM, or of a secret of 32 bytes or more; raises UnusableKey.

    A secret that is no PEM is stretched by HKDF-SHA256 to the seed of a key.
    """
    if b"-----BEGIN" in secret:
        try:
            key = serialization.load_pem_private_key(secret, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnusableKey("it is no private key in PEM without a passphrase") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise UnusableKey("it is a private key, but not of Ed25519")
    else:
        if len(secret) < SHORTEST_SECRET:
            raise UnusableKey(f"it is shorter than {SHORTEST_SECRET} bytes")
        seed = HKDF(hashes.SHA256(), 32, salt=None, info=_PURPOSE).derive(secret)
        key = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(key, key_id(key.public_key()), _pem(key.public_key()))


def known_keys(texts: Iterable[bytes]) -> KnownKeys:
    """Return the public keys of texts that hold any number of them in PEM; raises UnusableKey for one without."""
    found: dict[str, Ed25519PublicKey] = {}
    for text in texts:
        blocks = _PEM.findall(text)
        if not blocks:
            raise UnusableKey("it holds no public key in PEM")
        for block in blocks:
            try:
                key = serialization.load_pem_public_key(block)
            except (ValueError, UnsupportedAlgorithm):
                raise UnusableKey("it holds a public key that cannot be read") from None
            if not isinstance(key, Ed25519PublicKey):
                raise UnusableKey("it holds a public key that is not of Ed25519")
            found[key_id(key)] = key
    return KnownKeys(found)


def key_id(key: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the SHA-256 of a key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _pem(key: Ed25519PublicKey) -> str:
    layout = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, layout).decode()
