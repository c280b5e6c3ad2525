# SPDX-License-Identifier: Apache-2.0
"""Where the public keys of an issuer come from, and for how long they serve (S21)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dictamesh.runtime.governance.authenticate import Authenticator
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import IssuerUnavailable
from tests.support.issuer import (
    NEXT,
    SHORT,
    SIGNING,
    STRANGE,
    IssuerServer,
    authenticator,
    bearer,
    claims,
    clock,
    gate,
    issuer,
    jwk,
    refused,
    security,
    sign,
    unknown,
)

__all__ = ["claims", "clock", "gate", "issuer", "unknown"]  # fixtures


class TestKeySets:
    async def test_keys_are_fetched_once(self, gate, claims, issuer):
        token = bearer(sign(claims))
        await asyncio.gather(*(gate.principal(token) for _ in range(20)))
        await gate.principal(token)
        assert issuer.calls == ["jwks"]

    async def test_a_new_key_is_found_at_most_every_30_seconds(self, gate, claims, issuer, clock):
        await gate.principal(bearer(sign(claims)))
        issuer.keys = [jwk(NEXT, "k2")]
        fresh = bearer(sign(claims, NEXT, kid="k2"))
        await refused(gate, fresh)
        assert issuer.calls == ["jwks"]
        clock.passed = 31
        assert (await gate.principal(fresh)).name == "ana"
        await refused(gate, bearer(sign(claims)))
        for number in range(50):
            await refused(gate, bearer(sign(claims, STRANGE, kid=f"guess{number}")))
        assert issuer.calls == ["jwks", "jwks"]

    async def test_a_withdrawn_key_is_forgotten(self, gate, claims, issuer, clock):
        claims["exp"] += 10_000
        await gate.principal(bearer(sign(claims)))
        issuer.keys = [jwk(NEXT, "k2")]
        clock.passed = 1300
        await refused(gate, bearer(sign(claims)))

    async def test_keys_held_serve_for_a_day_while_the_issuer_is_down(self, gate, claims, issuer, clock):
        claims["exp"] += 1_000_000
        token = bearer(sign(claims))
        await gate.principal(token)
        issuer.status = 503
        for hours in (0.5, 1, 12, 23.9):
            clock.passed = hours * 3600
            assert (await gate.principal(token)).name == "ana"
        clock.passed = 24.1 * 3600
        with pytest.raises(IssuerUnavailable):
            await gate.principal(token)
        issuer.status = 200
        clock.passed += 31
        assert (await gate.principal(token)).name == "ana"

    async def test_one_slow_answer_makes_others_wait_for_the_same_fetch(self, gate, claims, issuer, clock):
        issuer.gate = asyncio.Event()
        token = bearer(sign(claims))
        waiting = [asyncio.create_task(gate.principal(token)) for _ in range(5)]
        while not issuer.calls:
            await asyncio.sleep(0)
        waiting[0].cancel()
        issuer.gate.set()
        got = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert [one.name for one in got[1:] if isinstance(one, Principal)] == ["ana"] * 4
        assert issuer.calls == ["jwks"]

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"[]",
            b"{",
            b'{"keys": {}}',
            b'{"keys": []}',
            b"[" * 100_000,
            b'{"keys": ["x", null, 5, {}]}',
            b" " * 300_000,
        ],
        ids=lambda document: str(document[:20]),
    )
    async def test_documents_that_are_no_key_set(self, gate, claims, issuer, document):
        issuer.raw = document
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))

    async def test_too_many_keys(self, gate, claims, issuer):
        issuer.keys = [jwk(SIGNING, f"k{number}") for number in range(101)]
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))

    @pytest.mark.parametrize(
        "entry",
        [
            jwk(SHORT),
            jwk(SIGNING, use="enc"),
            jwk(SIGNING, alg="RS512"),
            jwk(SIGNING, kty="EC"),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
            jwk(SIGNING, n=5),
            jwk(SIGNING, n="!"),
            jwk(SIGNING, e="AA"),
            jwk(SIGNING, n="A" * 100_000),
        ],
        ids=["short", "enc", "alg", "kty", "oct", "n", "base64", "e", "huge"],
    )
    async def test_keys_that_are_passed_over(self, gate, claims, issuer, entry):
        issuer.keys = [entry, jwk(NEXT, "k2")]
        key = SHORT if entry == jwk(SHORT) else SIGNING
        await refused(gate, bearer(sign(claims, key)))
        assert (await gate.principal(bearer(sign(claims, NEXT, kid="k2")))).name == "ana"

    async def test_a_token_without_a_key_id(self, gate, claims, issuer, clock):
        issuer.keys = [jwk(SIGNING, None)]
        assert (await gate.principal(bearer(sign(claims, kid=...)))).name == "ana"
        issuer.keys = [jwk(SIGNING), jwk(NEXT, "k2")]
        clock.passed = 31
        assert (await gate.principal(bearer(sign(claims)))).name == "ana"
        await refused(gate, bearer(sign(claims, kid=...)))

    async def test_a_redirect_is_not_followed(self, gate, claims, issuer):
        issuer.redirect = f"{issuer.url}/elsewhere"
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))
        assert issuer.calls == ["jwks"]

    async def test_an_issuer_that_cannot_be_reached(self, claims, clock):
        described = security({"issuer": "http://127.0.0.1:9", "audience": "mesh"})
        gate = authenticator(described, now=clock.now, clock=clock.monotonic)
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))
        await gate.close()

    async def test_closing_ends_a_fetch(self, gate, claims, issuer):
        issuer.gate = asyncio.Event()
        waiting = asyncio.create_task(gate.principal(bearer(sign(claims))))
        while not issuer.calls:
            await asyncio.sleep(0)
        await gate.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting


class TestDiscovery:
    @pytest.fixture
    async def gate(self, issuer: IssuerServer) -> AsyncIterator[Authenticator]:
        made = authenticator(security({"issuer": issuer.url, "audience": "mesh", "rolesClaim": "realm_access.roles"}))
        yield made
        await made.close()

    async def test_the_issuer_names_its_keys(self, gate, claims, issuer):
        assert (await gate.principal(bearer(sign(claims)))).roles == {"support"}
        assert issuer.calls == ["discovery", "jwks"]

    @pytest.mark.parametrize(
        "document",
        [{"issuer": "https://other.example"}, {"issuer": None}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/hosts"}],
        ids=str,
    )
    async def test_a_document_of_another_issuer(self, gate, claims, issuer, document):
        issuer.discovery = document
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))
        assert issuer.calls == ["discovery"]


class TestFiles:
    jwt: ClassVar[dict[str, Any]] = {
        "issuer": "https://id.example.com",
        "audience": "mesh",
        "jwksFile": "keys/jwks.json",
        "rolesClaim": "realm_access.roles",
    }

    async def test_a_local_key_set_and_its_next_version(self, claims, clock, tmp_path: Path):
        (tmp_path / "keys").mkdir()
        file = tmp_path / "keys" / "jwks.json"
        file.write_text(json.dumps({"keys": [jwk(SIGNING)]}))
        claims["iss"] = "https://id.example.com"
        gate = authenticator(security(self.jwt), folder=tmp_path, now=clock.now, clock=clock.monotonic)
        assert (await gate.principal(bearer(sign(claims)))).roles == {"support"}
        file.write_text(json.dumps({"keys": [jwk(NEXT, "k2")]}))
        clock.passed = 31
        assert (await gate.principal(bearer(sign(claims, NEXT, kid="k2")))).name == "ana"
        await gate.close()

    async def test_a_missing_file(self, claims, tmp_path: Path):
        gate = authenticator(security(self.jwt), folder=tmp_path)
        with pytest.raises(IssuerUnavailable):
            await gate.principal(bearer(sign(claims)))
        await gate.close()
