# SPDX-License-Identifier: Apache-2.0
"""Tokens that stand for a text and lead back to it for whoever may see it: AES-SIV (RFC 5297).

Deterministic, so that equal texts of one scope give equal tokens to join on; without the key neither a text nor a
token can be made. The text is padded to blocks of 16 bytes, so that a token tells little of its length.
"""

import base64
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "tok_"
LONGEST_TOKEN = 1 << 20  # characters
_BLOCK = 16
_END = b"\x80"


class NotAToken(ValueError):  # noqa: N818 - the state of a text
    """A text is no token of this key and scope; the text is not repeated."""


def token(key: bytes, scope: str, text: str) -> str:
    """Return the token of `text`: `tok_` and base64url without padding."""
    # JSON may carry lone surrogates, which strict UTF-8 refuses
    plain = text.encode("utf-8", "surrogatepass") + _END
    plain += bytes(-len(plain) % _BLOCK)
    sealed = _cipher(key).encrypt(plain, [scope.encode()])
    return PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def reveal(key: bytes, scope: str, token: str) -> str:
    """Return the text that `token` stands for; raises NotAToken."""
    body = token.removeprefix(PREFIX)
    if body == token or len(token) > LONGEST_TOKEN:
        raise NotAToken("no token")
    try:
        sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        plain = _cipher(key).decrypt(sealed, [scope.encode()])
    except (ValueError, InvalidTag):
        raise NotAToken("no token of this key and scope") from None
    return plain.rstrip(b"\0").removesuffix(_END).decode("utf-8", "surrogatepass")


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESSIV:
    # a key by reference is a text of any length; AES-256-SIV takes 64 bytes
    return AESSIV(HKDF(SHA256(), length=64, salt=None, info=b"dictamesh token").derive(key))
