# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens: JWT signed with RS256, and nothing else (S21)."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from dictamesh.runtime.governance.keysets import Issuer, KeySet, from_file
from dictamesh.runtime.governance.refusals import Unauthenticated
from dictamesh.specs.model.mesh import Jwt

ALGORITHM = "RS256"
MAX_TOKEN = 16_384  # characters
MAX_HEADER = 4096  # characters of its base64 text


class Tokens:
    """Checks the tokens of one issuer; `now` gives seconds since 1970, `clock` monotonic seconds."""

    def __init__(
        self,
        settings: Jwt,
        folder: Path,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = None if settings.jwks_file else Issuer(settings.issuer, settings.jwks_url)
        fetch = self._issuer.fetch if self._issuer else from_file(folder / str(settings.jwks_file))
        self._keys = KeySet(fetch, clock)
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
        self._registry.max_header_length = MAX_HEADER
        self._rules = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=int(settings.leeway),
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
        )

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token whose signature, issuer, audience and times hold; raises Unauthenticated."""
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("the token is too long")
        key = await self._keys.find(_key_id(token))
        if key is None:
            raise Unauthenticated("the token is signed with an unknown key")
        try:
            claims = jwt.decode(token, key, registry=self._registry).claims
            self._rules.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("the token has expired") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            # the library's texts may quote the token
            raise Unauthenticated("the token is not valid here") from None
        return claims

    async def close(self) -> None:
        """Close the connections to the issuer."""
        await self._keys.close()
        if self._issuer is not None:
            await self._issuer.close()


def _key_id(token: str) -> str | None:
    header = _header(token)
    # checked before any key is looked at: no key of ours may ever serve another algorithm
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated("only RS256 tokens are accepted")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise Unauthenticated("the token cannot be read")
    return kid


def _header(token: str) -> dict[str, Any]:
    text = token.split(".", 1)[0]
    try:
        if token.count(".") != 2 or len(text) > MAX_HEADER:
            raise ValueError
        header = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise Unauthenticated("the token cannot be read") from None
    if not isinstance(header, dict):
        raise Unauthenticated("the token cannot be read")
    return header
