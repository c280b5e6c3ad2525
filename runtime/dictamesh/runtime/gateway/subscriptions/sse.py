# SPDX-License-Identifier: Apache-2.0
"""Subscriptions and queries as server-sent events, one operation for each connection.

Source: https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, "distinct connections mode". Each event of a
subscription bears its cursor as its id, so that a client that connects anew with `Last-Event-ID` misses nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web
from graphql import OperationType

from dictamesh.runtime.compile.changes_sdl import AFTER
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.requests import GraphqlRequest
from dictamesh.runtime.gateway.serving import answer
from dictamesh.runtime.gateway.subscriptions.contract import Outcome
from dictamesh.runtime.gateway.subscriptions.goodbye import TooSlow, errors_of, within_patience
from dictamesh.runtime.gateway.subscriptions.running import Caller, Expired, Message, Subscriptions, lag
from dictamesh.runtime.gateway.writing import write
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
_KEEP_ALIVE = b":\n\n"
_COMPLETE = b"event: complete\ndata: \n\n"


def wants_events(accept: str | None) -> bool:
    """Say whether a request asks for server-sent events and for nothing else of ours."""
    kinds = [part.partition(";")[0].strip().lower() for part in (accept or "").split(",")]
    return MEDIA_TYPE in kinds and not any(kind.startswith("application/") for kind in kinds)


async def serve(
    subscriptions: Subscriptions,
    request: web.Request,
    asked: GraphqlRequest,
    caller: Caller,
    info: RequestInfo,
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Answer one operation for as long as it lasts."""
    response = web.StreamResponse(headers={**headers, "Content-Type": MEDIA_TYPE, "X-Accel-Buffering": "no"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    stream = _Stream(subscriptions, request, response)
    task = asyncio.create_task(stream.operation(_resumed(asked, request.headers.get("Last-Event-ID")), caller, info))
    subscriptions.track(task)
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return response


class _Stream:
    """One client; what is written to it never mixes."""

    def __init__(self, subscriptions: Subscriptions, request: web.Request, response: web.StreamResponse) -> None:
        self._subscriptions = subscriptions
        self._request = request
        self._response = response
        self._settings = subscriptions.gateway.current.settings.subscriptions

    async def operation(self, asked: GraphqlRequest, caller: Caller, info: RequestInfo) -> None:
        """Write one operation; whatever ends it is told to the client and to whoever counts."""
        outcome: Outcome = "complete"
        try:
            await self._answered(asked, caller, info)
        except asyncio.CancelledError:
            outcome = "drained"
            if not self._subscriptions.draining:
                raise  # the client is gone
        except GatewayError as error:
            outcome = "refused"
            await self._write(_event(write({"errors": errors_of(error, info)})))
        except Expired as error:
            outcome = "expired"
            expired = GatewayError("UNAUTHENTICATED", f"{error}.")
            await self._write(_event(write({"errors": errors_of(expired, info)})))
        except (TooSlow, ConnectionError) as error:
            outcome = "slow" if isinstance(error, TooSlow) else "complete"
            if self._request.transport is not None:
                self._request.transport.abort()
            return
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, its text may quote values (S26)
            outcome = "failed"
            _LOG.error("a subscription failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            await self._write(_event(write({"errors": errors_of(GatewayError("INTERNAL_ERROR"), info)})))
        finally:
            self._subscriptions.observer.ended(outcome)
        with contextlib.suppress(TooSlow, ConnectionError):
            await self._write(_COMPLETE)
            await self._response.write_eof()

    async def _answered(self, asked: GraphqlRequest, caller: Caller, info: RequestInfo) -> None:
        gateway = self._subscriptions.gateway
        current = gateway.current
        if current.guard.kind(asked.query, asked.operation_name) is not OperationType.SUBSCRIPTION:
            text, variables, name = asked.query, asked.variables, asked.operation_name
            with gateway.held():
                response = await answer(current, text, variables, name, caller.principal, info)
            await self._write(_event(write(response.body)))
            return
        with self._subscriptions.admitted("sse", caller.principal):
            alive = asyncio.create_task(self._keep_alive())
            try:
                async with contextlib.aclosing(self._subscriptions.messages(asked, caller, info)) as messages:
                    async for message in messages:
                        await self._write(_event(message.body, message))
                        self._subscriptions.observer.sent("sse", lag(message))
            finally:
                alive.cancel()

    async def _keep_alive(self) -> None:
        with contextlib.suppress(TooSlow, ConnectionError):
            while True:
                await asyncio.sleep(self._settings.keep_alive)
                await self._write(_KEEP_ALIVE)

    async def _write(self, text: bytes) -> None:
        await within_patience(self._response.write(text), self._settings.patience)


def _event(body: bytes, message: Message | None = None) -> bytes:
    mark = f"id: {message.cursor}\n".encode() if message is not None else b""
    return b"event: next\n" + mark + b"data: " + body + b"\n\n"


def _resumed(asked: GraphqlRequest, last: str | None) -> GraphqlRequest:
    """Go on behind the last event that a browser has seen, for operations that take `$after`."""
    return replace(asked, variables={**(asked.variables or {}), AFTER: last}) if last else asked
