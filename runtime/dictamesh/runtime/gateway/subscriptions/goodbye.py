# SPDX-License-Identifier: Apache-2.0
"""How an operation of a subscriber ended: for the client, and for whoever counts."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError, entries_of


class TooSlow(Exception):  # noqa: N818 - says what happened
    """A client did not take a message in time."""


async def within_patience(sending: Awaitable[Any], seconds: float) -> None:
    """Send, and raise TooSlow where the client does not take it within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await sending
    except TimeoutError:
        raise TooSlow from None


def errors_of(error: GatewayError, info: RequestInfo) -> list[dict[str, Any]]:
    """Return the entries of `errors` that an error stands for."""
    return [entry.as_dict(info.trace_id) for entry in entries_of(error)]
