# SPDX-License-Identifier: Apache-2.0
"""Who may tell of changes: an HMAC over the raw body, after a time and a dot where a time is signed. Pure."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dictamesh.specs.model.events import Signature

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_LONGEST = 512  # characters of a header that may be a signature


class Headers(Protocol):
    """Headers of a request, of which one may stand more than once."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return every value of a header."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself before its body is read: a signature, and the time that it covers."""

    signature: str
    time: str | None


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies the deliveries of one sender."""

    declared: Signature
    secret: bytes = field(repr=False)

    def claim(self, headers: Headers, now: float) -> Claim | None:
        """Return the claim of a request; None where a header is missing, doubled, or of a time too far from `now`."""
        given = _single(headers, self.declared.header)
        if given is None or not given.startswith(self.declared.prefix):
            return None
        time = None
        if self.declared.timestamp is not None:
            time = _single(headers, self.declared.timestamp)
            if time is None or _SECONDS.fullmatch(time) is None or abs(now - int(time)) > self.declared.tolerance:
                return None
        return Claim(given.removeprefix(self.declared.prefix), time)

    def verified(self, claim: Claim, body: bytes) -> bool:
        """Say whether the claim is that of whoever has the secret; takes the same time for any wrong one."""
        given = claim.signature.lower() if self.declared.encoding == "hex" else claim.signature
        wanted = signed(self.declared, self.secret, body, claim.time)
        return hmac.compare_digest(wanted.encode(), given.encode(errors="surrogateescape"))


def signed(declared: Signature, secret: bytes, body: bytes, time: str | None) -> str:
    """Return the signature of a body without its prefix; `time` are seconds since 1970 where one is signed."""
    digest = hmac.new(secret, digestmod=getattr(hashlib, declared.algorithm))
    if time is not None:
        digest.update(f"{time}.".encode())
    digest.update(body)
    return digest.hexdigest() if declared.encoding == "hex" else base64.b64encode(digest.digest()).decode()


def _single(headers: Headers, name: str) -> str | None:
    values = headers.getall(name, ())
    return values[0] if len(values) == 1 and len(values[0]) <= _LONGEST else None
