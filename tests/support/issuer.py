# SPDX-License-Identifier: Apache-2.0
"""An OpenID Connect issuer on loopback, the tokens it signs and the tokens it would never sign.

Import the fixtures ``issuer``, ``clock``, ``unknown``, ``gate`` and ``claims`` into a test module.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from dictamesh.runtime.governance.authenticate import Authenticator
from dictamesh.runtime.governance.refusals import Unauthenticated
from dictamesh.specs.model import Security

ROLES = ("support", "analyst")
PURPOSES = ("service", "analytics")
SECRETS = {"${env:SUPPORT}": "support-key", "${env:BI}": "bi-key", "${env:PEPPER}": "pepper", "${env:EMPTY}": ""}
API_KEYS = [
    {"name": "support-desk", "key": "${env:SUPPORT}", "roles": ["support"], "purposes": ["service"]},
    {
        "name": "bi-tool",
        "key": "${env:BI}",
        "roles": ["analyst"],
        "purposes": ["service", "analytics"],
        "claims": {"countries": ["DE", "FR"], "level": 2},
    },
]
CLAIMS = {"countries": ["string"], "level": "integer"}

SIGNING = rsa.generate_private_key(65537, 2048)
NEXT = rsa.generate_private_key(65537, 2048)
STRANGE = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - made to be refused


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_json(value: Any) -> str:
    return b64(json.dumps(value).encode())


def jwk(key: rsa.RSAPrivateKey, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    made = {"kty": "RSA", "n": b64(numbers.n.to_bytes(size, "big")), "e": "AQAB", "use": "sig", **more}
    return made if kid is None else {**made, "kid": kid}


def sign(claims: Any, key: rsa.RSAPrivateKey = SIGNING, **header: Any) -> str:
    head = {"alg": "RS256", "kid": "k1", "typ": "JWT", **header}
    head = {name: value for name, value in head.items() if value is not ...}
    text = f"{b64_json(head)}.{b64_json(claims)}"
    return f"{text}.{b64(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


@dataclass
class IssuerServer:
    """An OpenID Connect issuer whose documents a test can change; counts its calls by path."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [jwk(SIGNING)])
    discovery: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    raw: bytes | None = None
    redirect: str | None = None
    calls: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def jwks(self, _request: web.Request) -> web.Response:
        self.calls.append("jwks")
        if self.gate is not None:
            await self.gate.wait()
        if self.redirect is not None:
            raise web.HTTPFound(self.redirect)
        body = json.dumps({"keys": self.keys}).encode() if self.raw is None else self.raw
        return web.Response(body=body, status=self.status)

    async def configuration(self, _request: web.Request) -> web.Response:
        self.calls.append("discovery")
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **self.discovery})

    async def elsewhere(self, _request: web.Request) -> web.Response:
        self.calls.append("elsewhere")
        return web.json_response({"keys": [jwk(SIGNING)]})


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def now(self) -> float:
        return time.time() + self.passed


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerServer]:
    server = IssuerServer()
    app = web.Application()
    app.router.add_get("/jwks", server.jwks)
    app.router.add_get("/elsewhere", server.elsewhere)
    app.router.add_get("/.well-known/openid-configuration", server.configuration)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    if server.gate is not None:
        server.gate.set()
    await runner.cleanup()


def security(jwt: dict[str, Any] | None = None, **more: Any) -> Security:
    return Security.model_validate({"claims": CLAIMS, "apiKeys": API_KEYS, "jwt": jwt, **more})


def authenticator(described: Security | None, **options: Any) -> Authenticator:
    return Authenticator(described, ROLES, PURPOSES, SECRETS, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def unknown() -> list[int]:
    return []


@pytest.fixture
async def gate(issuer: IssuerServer, clock: Clock, unknown: list[int]) -> AsyncIterator[Authenticator]:
    jwt = {
        "issuer": issuer.url,
        "audience": "mesh",
        "jwksUrl": f"{issuer.url}/jwks",
        "rolesClaim": "realm_access.roles",
    }
    made = authenticator(security(jwt), unknown_roles=unknown.append, now=clock.now, clock=clock.monotonic)
    yield made
    await made.close()


@pytest.fixture
def claims(issuer: IssuerServer) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": issuer.url,
        "aud": "mesh",
        "sub": "ana",
        "iat": now,
        "exp": now + 300,
        "realm_access": {"roles": ["support"]},
    }


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


async def refused(gate: Authenticator, headers: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await gate.principal(headers)
    return caught.value.reason
