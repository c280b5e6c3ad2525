# SPDX-License-Identifier: Apache-2.0
"""Subscriptions and queries over WebSocket by the protocol graphql-transport-ws.

Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web
from graphql import OperationType

from dictamesh.runtime.gateway import cors
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.requests import GraphqlRequest, parameters
from dictamesh.runtime.gateway.serving import answer
from dictamesh.runtime.gateway.subscriptions.contract import Outcome
from dictamesh.runtime.gateway.subscriptions.goodbye import TooSlow, errors_of, within_patience
from dictamesh.runtime.gateway.subscriptions.running import Caller, Expired, Subscriptions, lag
from dictamesh.runtime.gateway.writing import write
from dictamesh.runtime.governance.authenticate import KEY_HEADER, PURPOSE_HEADER, TOKEN_HEADER
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger(__name__)

PROTOCOL = "graphql-transport-ws"
INIT_WITHIN = 10.0
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, BAD_PROTOCOL = 4400, 4401, 4403, 4406
NO_INIT, TAKEN, TOO_MANY_INITS, TOO_SLOW, INTERNAL = 4408, 4409, 4429, 4429, 4500
_CREDENTIALS = (KEY_HEADER, TOKEN_HEADER, PURPOSE_HEADER)
_LONGEST_ID = 256
_BUFFER = 65_536  # bytes that wait for a client to take them
_FAREWELL = 2.0  # seconds for a close frame to leave


class _Close(Exception):  # noqa: N818 - an order
    """The connection has to end; `reason` is one of our texts."""

    def __init__(self, code: int, reason: str, outcome: Outcome = "complete") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.outcome = outcome


def wants_websocket(request: web.Request) -> bool:
    """Say whether a request asks for a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def serve(subscriptions: Subscriptions, request: web.Request) -> web.StreamResponse:
    """Answer a WebSocket for as long as it lasts."""
    settings = subscriptions.gateway.current.settings
    if not cors.same_or_allowed(settings.cors, request.headers.get("Origin"), request.host):
        return web.Response(status=403, text="This origin may not call.")
    if subscriptions.full:
        return web.Response(status=503, text="There are as many connections as there may be.")
    socket = web.WebSocketResponse(
        protocols=(PROTOCOL,),
        heartbeat=settings.subscriptions.keep_alive,
        max_msg_size=settings.limits.body,
        compress=False,
        timeout=_FAREWELL,
        writer_limit=_BUFFER,
    )
    await socket.prepare(request)
    await _Connection(subscriptions, request, socket).run()
    return socket


@dataclass(slots=True)
class _Connection:
    """One client."""

    subscriptions: Subscriptions
    request: web.Request
    socket: web.WebSocketResponse
    caller: Caller | None = None
    operations: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    ending: asyncio.Future[_Close] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def run(self) -> None:
        """Read until either side ends it, then say why."""
        reading = asyncio.create_task(self._read())
        self.subscriptions.track(reading)
        try:
            either: set[asyncio.Future[Any]] = {reading, self.ending}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            close = self._why(reading)
        finally:
            reading.cancel()
            await self._stop()
        await self._farewell(close)

    def _why(self, reading: asyncio.Task[None]) -> _Close:
        if self.ending.done():
            return self.ending.result()
        if reading.cancelled():
            return _Close(WSCloseCode.GOING_AWAY, "The process is shutting down.", "drained")
        error = reading.exception()
        if isinstance(error, _Close):
            return error
        if error is not None:
            _LOG.error("a connection failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            return _Close(INTERNAL, "Something went wrong inside.", "failed")
        return _Close(WSCloseCode.OK, "")

    async def _stop(self) -> None:
        tasks = list(self.operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _farewell(self, close: _Close) -> None:
        """Close, and cut off whoever does not take even that."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_FAREWELL):
                await self.socket.close(code=close.code, message=close.reason.encode()[:123])
        if close.outcome == "slow" and self.request.transport is not None:
            self.request.transport.abort()

    async def _read(self) -> None:
        if self.socket.ws_protocol != PROTOCOL:
            raise _Close(BAD_PROTOCOL, f"Subprotocol not acceptable; it is {PROTOCOL}")
        try:
            async with asyncio.timeout(INIT_WITHIN):
                first = await self._next()
        except TimeoutError:
            raise _Close(NO_INIT, "Connection initialisation timeout") from None
        while first is not None and self.caller is None:
            await self._initialise(first)
            if self.caller is None:
                first = await self._next()
        if first is None:
            return
        async for message in self._messages():
            await self._handle(message)

    async def _initialise(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind in {"ping", "pong"}:
            await self._pong(message)
            return
        if kind == "subscribe":
            raise _Close(UNAUTHORIZED, "Unauthorized: send connection_init first")
        if kind != "connection_init":
            raise _Close(BAD_REQUEST, "Invalid message")
        current = self.subscriptions.gateway.current
        headers = _credentials(self.request.headers, message.get("payload"))
        try:
            self.caller = Caller(headers, await current.authenticate(headers), current)
        except Unauthenticated as error:
            raise _Close(FORBIDDEN, f"Forbidden: {error.reason}", "refused") from None
        except PurposeRefused as error:
            raise _Close(FORBIDDEN, f"Forbidden: {error.reason}", "refused") from None
        await self._send({"type": "connection_ack"})

    async def _messages(self) -> AsyncIterator[Mapping[str, Any]]:
        while (message := await self._next()) is not None:
            yield message

    async def _next(self) -> Mapping[str, Any] | None:
        received = await self.socket.receive()
        if received.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
            return None
        try:
            message = orjson.loads(received.data) if received.type is WSMsgType.TEXT else None
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise _Close(BAD_REQUEST, "Invalid message")
        return message

    async def _handle(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "ping" | "pong":
                await self._pong(message)
            case "connection_init":
                raise _Close(TOO_MANY_INITS, "Too many initialisation requests")
            case "subscribe":
                self._subscribe(message)
            case "complete":
                task = self.operations.pop(_id(message), None)
                if task is not None:
                    task.cancel()
            case _:
                raise _Close(BAD_REQUEST, "Invalid message")

    async def _pong(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "ping":
            await self._send({"type": "pong"})

    def _subscribe(self, message: Mapping[str, Any]) -> None:
        at = _id(message)
        if at in self.operations:
            raise _Close(TAKEN, "Subscriber for this id already exists")
        full = len(self.operations) >= self.subscriptions.gateway.current.settings.subscriptions.per_connection
        task = asyncio.create_task(self._operation(at, message.get("payload"), full=full))
        self.operations[at] = task
        task.add_done_callback(lambda done: self._done(at, done))

    def _done(self, at: str, task: asyncio.Task[None]) -> None:
        if self.operations.get(at) is task:
            del self.operations[at]
        error = None if task.cancelled() else task.exception()
        if error is None or self.ending.done():
            return
        if not isinstance(error, _Close):
            _LOG.error("a subscription failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            error = _Close(INTERNAL, "Something went wrong inside.", "failed")
        self.ending.set_result(error)

    async def _operation(self, at: str, payload: Any, *, full: bool) -> None:
        with trace.within(trace.begin(_traceparent(payload) or self.request.headers.get("traceparent"))) as span:
            info = RequestInfo(span.trace_id, span.span_id, "ws")
            try:
                if full:
                    allowed = self.subscriptions.gateway.current.settings.subscriptions.per_connection
                    raise GatewayError("LIMIT_EXCEEDED", f"A connection holds at most {allowed} operations.")
                await self._answered(at, parameters(payload), info)
            except GatewayError as error:
                failure = error
            except _Close:
                raise
            except Exception as error:  # noqa: BLE001 - whatever goes wrong, its text may quote values (S26)
                what = {"code": "INTERNAL_ERROR", **exception_fields(error)}
                _LOG.error("a subscription failed", extra=what)
                failure = GatewayError("INTERNAL_ERROR")
            else:
                return
            await self._send({"id": at, "type": "error", "payload": errors_of(failure, info)})

    async def _answered(self, at: str, asked: GraphqlRequest, info: RequestInfo) -> None:
        current, caller = self.subscriptions.gateway.current, self.caller
        if caller is None:
            raise _Close(UNAUTHORIZED, "Unauthorized")
        if current.guard.kind(asked.query, asked.operation_name) is OperationType.SUBSCRIPTION:
            await self._subscription(at, asked, caller, info)
            return
        try:
            principal = await caller.now(current)
        except Expired as error:
            raise _Close(FORBIDDEN, f"Forbidden: {error}", "expired") from None
        with self.subscriptions.gateway.held():
            text, variables, name = asked.query, asked.variables, asked.operation_name
            response = await answer(current, text, variables, name, principal, info)
        if response.refused:
            await self._send({"id": at, "type": "error", "payload": response.body["errors"]})
            return
        await self._send({"id": at, "type": "next", "payload": response.body})
        await self._send({"id": at, "type": "complete"})

    async def _subscription(self, at: str, asked: GraphqlRequest, caller: Caller, info: RequestInfo) -> None:
        subscriptions = self.subscriptions
        outcome: Outcome = "complete"
        subscriptions.admit("ws")
        head = b'{"id":' + orjson.dumps(at) + b',"type":"next","payload":'
        try:
            async with contextlib.aclosing(subscriptions.messages(asked, caller, info)) as messages:
                async for message in messages:
                    await self._write(head + message.body + b"}")
                    subscriptions.observer.sent("ws", lag(message))
        except asyncio.CancelledError:
            outcome = "drained" if subscriptions.draining else "complete"
            raise
        except GatewayError:
            outcome = "refused"
            raise
        except Expired as error:
            outcome = "expired"
            raise _Close(FORBIDDEN, f"Forbidden: {error}", "expired") from None
        except _Close as close:
            outcome = close.outcome
            raise
        except BaseException:
            outcome = "failed"
            raise
        finally:
            subscriptions.leave("ws")
            subscriptions.observer.ended(outcome)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._write(write(message))

    async def _write(self, text: bytes) -> None:
        patience = self.subscriptions.gateway.current.settings.subscriptions.patience
        try:
            await within_patience(self.socket.send_frame(text, WSMsgType.TEXT), patience)
        except TooSlow:
            reason = f"Too slow: a message was not taken within {patience:g} s; go on with after"
            raise _Close(TOO_SLOW, reason, "slow") from None
        except ConnectionError:
            raise _Close(WSCloseCode.GOING_AWAY, "") from None


def _id(message: Mapping[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID:
        raise _Close(BAD_REQUEST, "Invalid message: id is a text")
    return found


def _credentials(headers: Mapping[str, str], payload: Any) -> dict[str, str]:
    """Return the headers that say who calls: those of `connection_init`, which browsers can set, or of the request."""
    given = {name: value for name, value in headers.items() if name.lower() in _CREDENTIALS}
    found: dict[str, str] = {}
    for part in (payload, payload.get("headers") if isinstance(payload, dict) else None):
        for name, value in part.items() if isinstance(part, dict) else ():
            if name.lower() in _CREDENTIALS:
                if not isinstance(value, str):
                    raise _Close(BAD_REQUEST, "Invalid message: credentials are texts")
                found[name] = value
    return found or given


def _traceparent(payload: Any) -> str | None:
    extensions = payload.get("extensions") if isinstance(payload, dict) else None
    found = extensions.get("traceparent") if isinstance(extensions, dict) else None
    return found if isinstance(found, str) else None
