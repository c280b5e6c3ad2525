# SPDX-License-Identifier: Apache-2.0
"""Callers and their credentials (S21), tokens of a real issuer on loopback included."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from dictamesh.runtime.governance.authenticate import Authenticator, choose_purpose, mask_keys
from dictamesh.runtime.governance.principal import ANONYMOUS
from dictamesh.runtime.governance.refusals import MissingSecret, PurposeRefused
from dictamesh.specs.model import Security
from tests.support.issuer import (
    API_KEYS,
    PURPOSES,
    ROLES,
    SECRETS,
    SIGNING,
    STRANGE,
    authenticator,
    b64,
    b64_json,
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


class TestApiKeys:
    async def test_a_known_key(self):
        got = await authenticator(security()).principal({"X-API-Key": "bi-key"})
        assert (got.name, got.authenticated, got.roles) == ("bi-tool", True, {"analyst"})
        assert got.claims == {"countries": ("DE", "FR"), "level": 2}
        assert (got.purpose, got.purposes) == (None, ("service", "analytics"))

    async def test_the_header_is_found_in_any_case_and_any_mapping(self):
        gate = authenticator(security())
        for headers in ({"x-api-key": "support-key"}, CIMultiDict({"X-Api-Key": "support-key"})):
            assert (await gate.principal(headers)).name == "support-desk"

    @pytest.mark.parametrize(
        "key", ["", "support-ke", "support-key2", "SUPPORT-KEY", "${env:SUPPORT}", "ü\udcff", "\ud800"]
    )
    async def test_a_wrong_key_is_refused_even_where_strangers_are_welcome(self, key):
        assert await refused(authenticator(security()), {"X-API-Key": key}) == "the API key is not known"
        await refused(authenticator(None), {"X-API-Key": key})

    async def test_two_keys_in_one_request_are_refused(self):
        await refused(authenticator(security()), CIMultiDict([("X-API-Key", "bi-key"), ("x-api-key", "support-key")]))

    def test_a_key_without_a_value_stops_the_start(self):
        entry = {"name": "empty", "key": "${env:EMPTY}"}
        with pytest.raises(MissingSecret, match=r"security.apiKeys.empty: \$\{env:EMPTY\} has no value"):
            authenticator(Security.model_validate({"apiKeys": [entry]}))
        with pytest.raises(MissingSecret):
            authenticator(Security.model_validate({"apiKeys": [{**entry, "key": "${env:ABSENT}"}]}))

    def test_two_callers_with_one_key_stop_the_start(self):
        twice = [API_KEYS[0], {**API_KEYS[0], "name": "other"}]
        with pytest.raises(ValueError, match="'support-desk' and 'other' have the same value") as caught:
            authenticator(Security.model_validate({"apiKeys": twice}))
        assert "support-key" not in str(caught.value)

    def test_mask_keys(self):
        described = Security.model_validate({"keys": {"pepper": "${env:PEPPER}"}})
        assert mask_keys(described, SECRETS) == {"pepper": b"pepper"}
        assert mask_keys(None, SECRETS) == {}
        with pytest.raises(MissingSecret, match=r"security\.keys\.pepper"):
            mask_keys(described, {})


class TestStrangers:
    async def test_no_credentials(self):
        assert await authenticator(security()).principal({"Accept": "*/*"}) is ANONYMOUS
        assert await authenticator(None).principal({}) is ANONYMOUS

    async def test_strangers_can_be_refused(self):
        assert await refused(authenticator(security(anonymous=False)), {}) == "credentials are needed here"

    async def test_a_stranger_has_no_purpose(self):
        with pytest.raises(PurposeRefused):
            await authenticator(security()).principal({"X-Purpose": "service"})


class TestPurpose:
    async def test_the_only_one_is_the_default(self):
        assert (await authenticator(security()).principal({"X-API-Key": "support-key"})).purpose == "service"

    @pytest.mark.parametrize("purpose", PURPOSES)
    async def test_one_of_several_must_be_sent(self, purpose):
        gate = authenticator(security())
        got = await gate.principal({"X-API-Key": "bi-key", "X-Purpose": purpose})
        assert got.purpose == purpose
        assert got is await gate.principal({"X-API-Key": "bi-key", "X-Purpose": purpose})
        assert (await gate.principal({"X-API-Key": "bi-key"})).purpose is None

    @pytest.mark.parametrize("purpose", ["analytics", "unheard-of", ""])
    async def test_one_that_is_not_allowed_is_refused(self, purpose):
        with pytest.raises(PurposeRefused):
            await authenticator(security()).principal({"X-API-Key": "support-key", "X-Purpose": purpose})

    def test_none_allowed(self):
        assert choose_purpose(None, ()) is None
        with pytest.raises(PurposeRefused):
            choose_purpose("service", ())

    async def test_of_a_token(self, gate, claims):
        async def purpose(sent: str | None = None, **more: Any) -> str | None:
            headers = {} if sent is None else {"X-Purpose": sent}
            return (await gate.principal(bearer(sign({**claims, **more}), **headers))).purpose

        both = ["service", "analytics"]
        assert await purpose() is None
        assert await purpose(purposes="service") == "service"
        assert await purpose(purposes=["service", "unheard-of"]) == "service"
        assert await purpose(purposes=both) is None
        assert await purpose("analytics", purposes=both) == "analytics"
        assert await purpose(purpose="service") == "service"
        assert await purpose("service", purpose="service") == "service"
        assert await purpose(purpose="service", purposes=both) == "service"
        for sent, more in (
            ("service", {}),
            ("unheard-of", {"purposes": ["unheard-of"]}),
            ("analytics", {"purpose": "service", "purposes": both}),
            (None, {"purpose": "unheard-of"}),
            (None, {"purpose": "analytics", "purposes": ["service"]}),
        ):
            with pytest.raises(PurposeRefused):
                await purpose(sent, **more)


class TestTokens:
    async def test_a_good_token(self, gate, claims, unknown):
        token = sign({**claims, "countries": ["DE"], "level": "3", "other": 1})
        got = await gate.principal(bearer(token))
        assert (got.name, got.authenticated, got.roles, got.claims) == (
            "ana",
            True,
            {"support"},
            {"countries": ("DE",)},
        )
        assert unknown == []

    async def test_unknown_roles_are_ignored_and_counted(self, gate, claims, unknown):
        claims["realm_access"] = {"roles": ["support", "offline_access", "uma"]}
        assert (await gate.principal(bearer(sign(claims)))).roles == {"support"}
        assert unknown == [2]

    async def test_a_token_without_roles(self, gate, claims):
        for held in (None, {}, {"roles": None}, {"roles": {"support": True}}):
            assert (await gate.principal(bearer(sign({**claims, "realm_access": held})))).roles == frozenset()

    async def test_names(self, gate, claims):
        del claims["sub"]
        assert (await gate.principal(bearer(sign({**claims, "azp": "tool"})))).name == "tool"
        assert (await gate.principal(bearer(sign(claims)))).name == "token"

    async def test_audiences_and_schemes(self, gate, claims):
        claims["aud"] = ["other", "mesh"]
        assert (await gate.principal({"authorization": f"bearer  {sign(claims)} "})).authenticated

    async def test_leeway(self, gate, claims, clock):
        token = sign({**claims, "nbf": claims["iat"] + 20, "iat": claims["iat"] + 20})
        assert (await gate.principal(bearer(token))).name == "ana"
        clock.passed = 320
        assert (await gate.principal(bearer(token))).name == "ana"
        clock.passed = 340
        assert await refused(gate, bearer(token)) == "the token has expired"

    @pytest.mark.parametrize(
        "change",
        [
            {"iss": "https://other.example"},
            {"iss": ...},
            {"iss": None},
            {"aud": "other"},
            {"aud": ["other"]},
            {"aud": []},
            {"aud": ...},
            {"aud": {"mesh": 1}},
            {"exp": ...},
            {"exp": None},
            {"exp": "9999999999"},
            {"exp": True},
            {"exp": 1},
            {"exp": -1},
            {"exp": float("nan")},
            {"nbf": 9_999_999_999},
            {"nbf": "now"},
            {"iat": 9_999_999_999},
            {"sub": 5},
        ],
        ids=str,
    )
    async def test_wrong_claims(self, gate, claims, change):
        changed = {name: value for name, value in {**claims, **change}.items() if value is not ...}
        await refused(gate, bearer(sign(changed)))

    @pytest.mark.parametrize("payload", [[], "text", 5, None])
    async def test_a_payload_that_is_no_object(self, gate, payload):
        await refused(gate, bearer(sign(payload)))

    @pytest.mark.parametrize(
        "header",
        [
            {"kid": "unheard-of"},
            {"kid": 5},
            {"kid": ["k1"]},
            {"alg": "RS512"},
            {"alg": "PS256"},
            {"alg": "rs256"},
            {"alg": ["RS256"]},
            {"alg": ...},
            {"crit": ["exp"]},
            {"b64": False, "crit": ["b64"]},
            {"padding": "x" * 5000},
        ],
        ids=str,
    )
    async def test_wrong_headers(self, gate, claims, header):
        await refused(gate, bearer(sign(claims, **header)))

    async def test_the_key_of_a_stranger(self, gate, claims):
        await refused(gate, bearer(sign(claims, STRANGE)))
        mine = jwk(STRANGE, "mine")
        await refused(gate, bearer(sign(claims, STRANGE, kid="mine", jwk=mine)))

    async def test_a_key_that_the_token_names_is_never_fetched(self, gate, claims, issuer):
        await refused(gate, bearer(sign(claims, STRANGE, kid="x", jku=f"{issuer.url}/elsewhere")))
        assert "elsewhere" not in issuer.calls

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
    async def test_no_signature(self, gate, claims, alg):
        unsigned = f"{b64_json({'alg': alg, 'kid': 'k1'})}.{b64_json(claims)}."
        assert await refused(gate, bearer(unsigned)) == "only RS256 tokens are accepted"
        await refused(gate, bearer(unsigned + sign(claims).rpartition(".")[2]))

    async def test_a_signature_of_nothing(self, gate, claims):
        head, payload, signature = sign(claims).split(".")
        for other in ("", "AA", signature[:-8], signature + "AAAA"):
            await refused(gate, bearer(f"{head}.{payload}.{other}"))
        await refused(gate, bearer(f"{head}.{b64_json({**claims, 'sub': 'eve'})}.{signature}"))

    async def test_the_public_key_as_a_shared_secret(self, gate, claims):
        public = SIGNING.public_key()
        numbers = public.public_numbers()
        secrets = [
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
            numbers.n.to_bytes(256, "big"),
            json.dumps(jwk(SIGNING)).encode(),
        ]
        for alg in ("HS256", "RS256"):
            text = f"{b64_json({'alg': alg, 'kid': 'k1'})}.{b64_json(claims)}"
            for secret in secrets:
                made = hmac.new(secret, text.encode(), hashlib.sha256).digest()
                await refused(gate, bearer(f"{text}.{b64(made)}"))

    async def test_another_algorithm_under_the_right_name(self, gate, claims):
        text = f"{b64_json({'alg': 'RS256', 'kid': 'k1'})}.{b64_json(claims)}"
        pss = padding.PSS(padding.MGF1(SHA256()), 32)
        for made in (
            SIGNING.sign(text.encode(), pss, SHA256()),
            SIGNING.sign(text.encode(), padding.PKCS1v15(), SHA384()),
        ):
            await refused(gate, bearer(f"{text}.{b64(made)}"))

    async def test_both_kinds_of_credentials(self, gate, claims):
        reason = await refused(gate, bearer(sign(claims), **{"X-API-Key": "support-key"}))
        assert reason == "send an API key or a bearer token, not both"
        await refused(gate, bearer("", **{"X-API-Key": ""}))

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer a b", "x" * 20_000])
    async def test_other_credentials(self, gate, header):
        await refused(gate, {"Authorization": header})
        await refused(authenticator(security()), {"Authorization": header})
        await refused(authenticator(None), {"Authorization": header})

    async def test_a_reason_never_quotes_the_token(self, gate, claims):
        for token in (sign({**claims, "iss": "canary"}), sign(claims, kid="canary"), "canary.canary.canary"):
            assert "canary" not in await refused(gate, bearer(token))


FILE_GATE = Security.model_validate({"jwt": {"issuer": "i", "audience": "a", "jwksFile": "jwks.json"}})
PARTS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=60).map(b64),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "exp", "x"]), inner)
        ),
        max_leaves=6,
    ).map(b64_json),
    st.fixed_dictionaries(
        {"alg": st.sampled_from(["RS256", "none", "HS256"])},
        optional={
            "kid": st.none() | st.text(max_size=5),
            "crit": st.lists(st.text(max_size=3)),
            "typ": st.none() | st.text(),
        },
    ).map(b64_json),
)


@given(st.lists(PARTS, min_size=1, max_size=5).map(".".join))
@settings(max_examples=300, deadline=None)
def test_no_text_passes_for_a_token(tmp_path_factory: pytest.TempPathFactory, token: str):
    folder = tmp_path_factory.getbasetemp()
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk(SIGNING, None)]}))

    async def attempt() -> str:
        gate = Authenticator(FILE_GATE, ROLES, PURPOSES, {}, folder=folder)
        return await refused(gate, bearer(token))

    assert len(asyncio.run(attempt())) < 60
