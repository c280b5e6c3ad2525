# SPDX-License-Identifier: Apache-2.0
"""Who calls: API keys, bearer tokens, strangers (S21)."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dictamesh.runtime.governance.claims import find, texts, typed_claims
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.runtime.governance.refusals import MissingSecret, PurposeRefused, Unauthenticated
from dictamesh.specs.model import Security
from dictamesh.specs.model.mesh import ApiKey, Jwt

KEY_HEADER = "x-api-key"
PURPOSE_HEADER = "x-purpose"
TOKEN_HEADER = "authorization"  # noqa: S105 - the name of a header

_HEADERS = frozenset({KEY_HEADER, PURPOSE_HEADER, TOKEN_HEADER})

UnknownRoles = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """What credentials prove; `pinned` is the purpose that a token itself states."""

    name: str
    roles: frozenset[str]
    purposes: tuple[str, ...]
    claims: Mapping[str, Any]
    pinned: str | None = None


class TokenReader(Protocol):
    """Checks bearer tokens."""

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a good token; raises Unauthenticated."""

    async def close(self) -> None:
        """Close the connections to the issuer."""


class Authenticator:
    """Turns request headers into a principal.

    `secrets` maps each reference as written (`${file:keys/support.key}`) to its value; `folder` is where `jwks_file`
    starts; `unknown_roles` is told how many roles of a token the mesh does not know. Building it raises MissingSecret,
    and ValueError where two API keys have one value. Call `close` when done.
    """

    def __init__(  # noqa: PLR0913 - the clocks come last and have defaults
        self,
        security: Security | None,
        roles: Iterable[str],
        purposes: Iterable[str],
        secrets: Mapping[str, str],
        *,
        folder: Path = Path(),
        unknown_roles: UnknownRoles = lambda _count: None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._security = security
        self._roles = frozenset(roles)
        self._purposes = frozenset(purposes)
        self._unknown_roles = unknown_roles
        self._callers = _api_callers(security, secrets) if security else ()
        self._jwt = security.jwt if security else None
        self._tokens = _tokens(self._jwt, folder, now, clock) if self._jwt else None
        self._by_key_and_purpose: dict[tuple[str, str | None], Principal] = {}

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """Return who calls; raises Unauthenticated (401) or PurposeRefused (403)."""
        key, token, asked = _read(headers)
        if key is not None:
            return self._of_key(self._by_key(key), asked)
        if token is not None:
            return self._of(await self._by_token(token), asked)
        if self._security is not None and self._security.anonymous is False:
            raise Unauthenticated("credentials are needed here")
        if asked is not None:
            raise PurposeRefused("a purpose needs credentials")
        return ANONYMOUS

    async def close(self) -> None:
        """Close the connections to the issuer."""
        if self._tokens is not None:
            await self._tokens.close()

    def _by_key(self, key: str) -> Caller:
        shown = _digest(key)
        found = None
        # no early exit: the time taken must not tell which key came close
        for digest, caller in self._callers:
            if hmac.compare_digest(shown, digest):
                found = caller
        if found is None:
            raise Unauthenticated("the API key is not known")
        return found

    async def _by_token(self, header: str) -> Caller:
        scheme, _, token = header.strip().partition(" ")
        if self._tokens is None or self._jwt is None or scheme.lower() != "bearer":
            raise Unauthenticated("this kind of credentials is not accepted here")
        return self._from_claims(await self._tokens.claims(token.strip()), self._jwt)

    def _from_claims(self, claims: Mapping[str, Any], settings: Jwt) -> Caller:
        roles = frozenset(texts(find(claims, settings.roles_claim)))
        unknown = len(roles - self._roles)
        if unknown:
            self._unknown_roles(unknown)
        purposes = tuple(dict.fromkeys(texts(find(claims, settings.purposes_claim))))
        pinned = find(claims, settings.purpose_claim)
        declared = self._security.claims if self._security else {}
        return Caller(
            name=_name(claims),
            roles=roles & self._roles,
            purposes=tuple(purpose for purpose in purposes if purpose in self._purposes),
            claims=typed_claims(claims, declared),
            pinned=pinned if isinstance(pinned, str) else None,
        )

    def _of_key(self, caller: Caller, asked: str | None) -> Principal:
        place = (caller.name, asked)
        found = self._by_key_and_purpose.get(place)
        if found is None:
            # bounded: a purpose that the key does not have is refused here
            found = self._by_key_and_purpose[place] = self._of(caller, asked)
        return found

    def _of(self, caller: Caller, asked: str | None) -> Principal:
        purposes = caller.purposes
        if caller.pinned is not None:
            purposes = _pin(caller.pinned, purposes, self._purposes)
        return Principal(
            name=caller.name,
            authenticated=True,
            roles=caller.roles,
            purpose=choose_purpose(asked, purposes),
            purposes=purposes,
            claims=caller.claims,
        )


def choose_purpose(asked: str | None, allowed: tuple[str, ...]) -> str | None:
    """Return the purpose in force: the one asked for, else the only one allowed, else none; raises PurposeRefused."""
    if asked is None:
        return allowed[0] if len(allowed) == 1 else None
    if asked not in allowed:
        raise PurposeRefused("this purpose is not allowed to the caller")
    return asked


def mask_keys(security: Security | None, secrets: Mapping[str, str]) -> dict[str, bytes]:
    """Return the bytes of `security.keys` by name; raises MissingSecret."""
    declared = security.keys if security else {}
    return {name: _secret(f"security.keys.{name}", text, secrets).encode() for name, text in declared.items()}


def _tokens(settings: Jwt, folder: Path, now: Callable[[], float], clock: Callable[[], float]) -> TokenReader:
    from dictamesh.runtime.governance.tokens import Tokens  # noqa: PLC0415 - loads aiohttp and cryptography

    return Tokens(settings, folder, now, clock)


def _api_callers(security: Security, secrets: Mapping[str, str]) -> tuple[tuple[bytes, Caller], ...]:
    callers: dict[bytes, Caller] = {}
    for entry in security.api_keys:
        digest = _digest(_secret(f"security.apiKeys.{entry.name}", entry.key, secrets))
        if digest in callers:
            raise ValueError(f"the API keys '{callers[digest].name}' and '{entry.name}' have the same value")
        callers[digest] = _api_caller(entry, security)
    return tuple(callers.items())


def _api_caller(entry: ApiKey, security: Security) -> Caller:
    purposes = tuple(dict.fromkeys(entry.purposes))
    return Caller(entry.name, frozenset(entry.roles), purposes, typed_claims(entry.claims, security.claims))


def _secret(place: str, reference: str, secrets: Mapping[str, str]) -> str:
    value = secrets.get(reference)
    if not value:
        raise MissingSecret(place, reference)
    return value


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _read(headers: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    found: dict[str, str] = {}
    for header, value in headers.items():
        name = header.lower()
        if name not in _HEADERS:
            continue
        if name in found:
            # two servers on the way might each read another one
            raise Unauthenticated(f"the header {name} came twice")
        found[name] = value.strip()
    key, token = found.get(KEY_HEADER), found.get(TOKEN_HEADER)
    if key is not None and token is not None:
        raise Unauthenticated("send an API key or a bearer token, not both")
    return key, token, found.get(PURPOSE_HEADER)


def _pin(pinned: str, allowed: tuple[str, ...], declared: frozenset[str]) -> tuple[str, ...]:
    if pinned not in declared or (allowed and pinned not in allowed):
        raise PurposeRefused("the purpose of the token is not allowed to the caller")
    return (pinned,)


def _name(claims: Mapping[str, Any]) -> str:
    for claim in ("sub", "azp", "client_id"):
        value = claims.get(claim)
        if isinstance(value, str) and value:
            return value
    return "token"
