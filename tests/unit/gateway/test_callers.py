# SPDX-License-Identifier: Apache-2.0
"""Credentials of subscribers that cannot be checked hold for a while, and not for as long as nobody can."""

from types import SimpleNamespace
from typing import Any

import pytest

from dictamesh.runtime.gateway.subscriptions import running
from dictamesh.runtime.gateway.subscriptions.running import Caller, Expired
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.refusals import IssuerUnavailable

ANA = Principal("ana", True)


def serving(answer: Exception | None) -> Any:
    async def authenticate(_headers: Any) -> Principal:
        if answer is not None:
            raise answer
        return ANA

    return SimpleNamespace(
        authenticate=authenticate, settings=SimpleNamespace(subscriptions=SimpleNamespace(recheck=0))
    )


async def test_an_issuer_that_is_down_for_long_ends_what_it_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    away = serving(IssuerUnavailable("the issuer's keys are not available"))
    caller = Caller({}, ANA, serving(None))
    assert await caller.now(away) == ANA
    monkeypatch.setattr(running, "TRUSTED", -1.0)
    with pytest.raises(Expired):
        await caller.now(away)
    assert await caller.now(serving(None)) == ANA
