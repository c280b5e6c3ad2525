# SPDX-License-Identifier: Apache-2.0
"""Where a subscriber stands, as a text that tells nobody anything: offsets count changes of others, too."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dictamesh.runtime.gateway.subscriptions.contract import BadCursor

_NONCE = 12
_LONGEST = 100_000


class Cursors:
    """Seals positions under a key that all replicas of a mesh share.

    A cursor is as long as its topic has partitions, whatever the offsets are. It fits one topic alone.
    """

    def __init__(self, secret: bytes, mesh: str) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"cursors of subscriptions", hashlib.sha256))
        self._mesh = mesh

    def seal(self, topic: str, partitions: int, offsets: Mapping[int, int]) -> str:
        """Return the text that stands for the next offset of each partition; those that are missing stand at 0."""
        plain = struct.pack(f">{partitions}Q", *(offsets.get(each, 0) for each in range(partitions)))
        nonce = secrets.token_bytes(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, self._place(topic))).decode()

    def open(self, topic: str, cursor: str) -> dict[int, int]:
        """Return the offsets that a text stands for; raises BadCursor."""
        try:
            sealed = base64.b64decode(cursor[:_LONGEST], altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place(topic))
            return dict(enumerate(struct.unpack(f">{len(plain) // 8}Q", plain)))
        except (ValueError, binascii.Error, InvalidTag, struct.error):
            raise BadCursor from None

    def _place(self, topic: str) -> bytes:
        return f"{self._mesh}\0{topic}".encode()
