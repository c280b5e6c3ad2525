# SPDX-License-Identifier: Apache-2.0
"""The REST API of a mesh: the catalog, the audit log, and tokens turned back (MC-11, S19)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dictamesh.runtime.audit.keys import Signer
from dictamesh.runtime.audit.routes import audit_routes
from dictamesh.runtime.catalog.rest.api import ROUTES
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.route import Call, Route
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.mesh.sight import Eyes
from dictamesh.runtime.mesh.world import World

_TEXT = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\u0000]*$")]


class Tokens(BaseModel):
    """Tokens of one field, at most 100 and as they were served; ``field`` as ``product#Entity.field``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    field: _TEXT
    tokens: Annotated[tuple[_TEXT, ...], Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Revealed:
    """What each token stands for, in the order asked; None for what is no token of the field."""

    field: str
    values: tuple[str | None, ...]


def api(current: Callable[[], World], signer: Callable[[], Signer]) -> tuple[Route, ...]:
    """All routes; ``current`` gives what is being served, ``signer`` the key of the audit's heads as it is now."""

    async def reveal_tokens(call: Call) -> Revealed:
        """Turn tokens back into what they stand for.

        For callers who see the field in clear on every row; each call is audited.
        """
        if not isinstance(call.sight, Eyes):
            raise TypeError(f"{type(call.sight).__name__} is no principal of a mesh")
        info = RequestInfo(call.trace_id, "", "rest")
        try:
            found = await current().revealer.reveal(call.sight.principal, call.body.field, call.body.tokens, info)
        except GatewayError as refused:
            if refused.code == "FORBIDDEN":
                raise RequestRefused("FORBIDDEN", refused.message) from None
            raise RequestRefused("SERVICE_UNAVAILABLE", refused.message) from None
        return Revealed(call.body.field, tuple(found))

    reveal = Route("POST", "/tokens/reveal", reveal_tokens, Revealed, body=Tokens, tag="tokens")
    return (*ROUTES, *audit_routes(signer), reveal)


def described() -> tuple[Route, ...]:
    """The routes for their description alone: they answer nothing."""

    def nothing() -> World:
        raise RuntimeError("nothing is served")

    def unsigned() -> Signer:
        raise RuntimeError("nothing is signed")

    return api(nothing, unsigned)
