# SPDX-License-Identifier: Apache-2.0
"""Fields encrypted under the keys of their data subjects: with one of these keys gone, nobody can read them again.

A sealed field is `dm1:<tokens of the subjects, joined by +>:<base64 of nonce and ciphertext>`, AES-256-GCM. It is bound
to the topic, the record and the field that it stands in.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = "dm1"
_NONCE = 12
_KEY = 32
_PURPOSE = b"dictamesh fields of several data subjects"


class Unreadable(ValueError):  # noqa: N818 - the state of a value
    """A sealed field is damaged, stands in another place, or a key of its data subjects is gone."""


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """Where a sealed field stands: names as in the envelope, `field` is its path."""

    topic: str
    entity: str
    record: str
    field: str


def seal(value: Any, keys: Mapping[str, bytes], place: SealedPlace) -> str:
    """Return a JSON value encrypted under the keys of data subjects, by token; there is at least one."""
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(_key(keys)).encrypt(nonce, orjson.dumps(value), _bound(place))
    return f"{FORMAT}:{'+'.join(sorted(keys))}:{base64.b64encode(sealed).decode()}"


def sealed_for(text: str) -> tuple[str, ...]:
    """Return the tokens of the data subjects that a sealed field is about; raises Unreadable."""
    return _parts(text)[0]


def unseal(text: str, keys: Mapping[str, bytes | None], place: SealedPlace) -> Any:
    """Return the JSON value of a sealed field; `keys` holds None for erased subjects. Raises Unreadable."""
    tokens, sealed = _parts(text)
    held = {token: key for token in tokens if (key := keys.get(token)) is not None}
    if len(held) < len(tokens):
        raise Unreadable("a key of the data subjects is gone")
    try:
        return orjson.loads(AESGCM(_key(held)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(place)))
    except (InvalidTag, ValueError):
        raise Unreadable("the sealed field is damaged, or stands in another place") from None


def _parts(text: str) -> tuple[tuple[str, ...], bytes]:
    form, _, rest = text.partition(":")
    tokens, _, body = rest.partition(":")
    if form != FORMAT or not tokens:
        raise Unreadable(f"no sealed field of the format {FORMAT}")
    try:
        return tuple(tokens.split("+")), base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Unreadable("the sealed field is damaged") from None


def _key(keys: Mapping[str, bytes]) -> bytes:
    """The key of the one subject, or one that needs those of all."""
    if len(keys) == 1:
        return next(iter(keys.values()))
    together = b"".join(keys[token] for token in sorted(keys))
    return HKDF(hashes.SHA256(), _KEY, salt=None, info=_PURPOSE).derive(together)


def _bound(place: SealedPlace) -> bytes:
    return orjson.dumps([FORMAT, *astuple(place)])
