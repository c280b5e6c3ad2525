# SPDX-License-Identifier: Apache-2.0
"""What graphql-transport-ws says of messages, and why a connection ends."""

from collections.abc import Mapping
from typing import Any

from dictamesh.runtime.gateway.subscriptions.contract import Outcome
from dictamesh.runtime.governance.authenticate import KEY_HEADER, PURPOSE_HEADER, TOKEN_HEADER

PROTOCOL = "graphql-transport-ws"
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, BAD_PROTOCOL = 4400, 4401, 4403, 4406
NO_INIT, TAKEN, TOO_MANY_INITS, TOO_MANY, TOO_SLOW, INTERNAL = 4408, 4409, 4429, 4429, 4429, 4500
_CREDENTIALS = (KEY_HEADER, TOKEN_HEADER, PURPOSE_HEADER)
_LONGEST_ID = 256


class Close(Exception):  # noqa: N818 - an order
    """The connection has to end; `reason` is one of our texts."""

    def __init__(self, code: int, reason: str, outcome: Outcome = "complete") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.outcome = outcome


def id_of(message: Mapping[str, Any]) -> str:
    """Return which operation a message is about; raises Close."""
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID:
        raise Close(BAD_REQUEST, "Invalid message: id is a text")
    return found


def credentials_of(headers: Mapping[str, str], payload: Any) -> Mapping[str, str]:
    """Return the headers that say who calls: those of `connection_init`, which browsers can set, or of the request.

    Raises Close.
    """
    found: dict[str, str] = {}
    for part in (payload, payload.get("headers") if isinstance(payload, dict) else None):
        for name, value in part.items() if isinstance(part, dict) else ():
            if name.lower() in _CREDENTIALS:
                if not isinstance(value, str):
                    raise Close(BAD_REQUEST, "Invalid message: credentials are texts")
                found[name] = value
    return found or headers


def traceparent_of(payload: Any) -> str | None:
    """Return the place in a trace that an operation comes from, where it says one."""
    extensions = payload.get("extensions") if isinstance(payload, dict) else None
    found = extensions.get("traceparent") if isinstance(extensions, dict) else None
    return found if isinstance(found, str) else None
