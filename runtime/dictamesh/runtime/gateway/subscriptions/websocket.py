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
from dictamesh.runtime.gateway.subscriptions.protocol import (
    BAD_PROTOCOL,
    BAD_REQUEST,
    FORBIDDEN,
    INTERNAL,
    NO_INIT,
    PROTOCOL,
    TAKEN,
    TOO_MANY,
    TOO_MANY_INITS,
    TOO_SLOW,
    UNAUTHORIZED,
    Close,
    credentials_of,
    id_of,
    traceparent_of,
)
from dictamesh.runtime.gateway.subscriptions.running import Caller, Expired, Subscriptions, lag
from dictamesh.runtime.gateway.writing import write
from dictamesh.runtime.governance.refusals import PurposeRefused, Unauthenticated
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

_LOG = logging.getLogger(__name__)

INIT_WITHIN = 10.0
_BUFFER = 65_536  # bytes that wait for a client to take them
_FAREWELL = 2.0  # seconds for a close frame to leave


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
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    ending: asyncio.Future[Close] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

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

    def _why(self, reading: asyncio.Task[None]) -> Close:
        if self.ending.done():
            return self.ending.result()
        if reading.cancelled():
            return Close(WSCloseCode.GOING_AWAY, "The process is shutting down.", "drained")
        error = reading.exception()
        if isinstance(error, Close):
            return error
        if error is not None:
            _LOG.error("a connection failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            return Close(INTERNAL, "Something went wrong inside.", "failed")
        return Close(WSCloseCode.OK, "")

    async def _stop(self) -> None:
        tasks = [*self.operations.values(), *self.leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _farewell(self, close: Close) -> None:
        """Close, and cut off whoever does not take even that."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_FAREWELL):
                await self.socket.close(code=close.code, message=close.reason.encode()[:123])
        if close.outcome == "slow" and self.request.transport is not None:
            self.request.transport.abort()

    async def _read(self) -> None:
        if self.socket.ws_protocol != PROTOCOL:
            raise Close(BAD_PROTOCOL, f"Subprotocol not acceptable; it is {PROTOCOL}")
        try:
            async with asyncio.timeout(INIT_WITHIN):  # for all of it: pings put nothing off
                caller = await self._begun()
        except TimeoutError:
            raise Close(NO_INIT, "Connection initialisation timeout") from None
        if caller is None:
            return
        with self.subscriptions.connected(caller.principal) as fits:
            if not fits:
                raise Close(TOO_MANY, "Too many connections of this caller", "refused")
            await self._send({"type": "connection_ack"})
            async for message in self._messages():
                await self._handle(message)

    async def _begun(self) -> Caller | None:
        """Wait until it is known who calls; None where the client leaves before."""
        while self.caller is None and (message := await self._next()) is not None:
            await self._initialise(message)
        return self.caller

    async def _initialise(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind in {"ping", "pong"}:
            await self._pong(message)
            return
        if kind == "subscribe":
            raise Close(UNAUTHORIZED, "Unauthorized: send connection_init first")
        if kind != "connection_init":
            raise Close(BAD_REQUEST, "Invalid message")
        current = self.subscriptions.gateway.current
        headers = credentials_of(self.request.headers.copy(), message.get("payload"))
        try:
            self.caller = Caller(headers, await current.authenticate(headers), current)
        except Unauthenticated as error:
            raise Close(FORBIDDEN, f"Forbidden: {error.reason}", "refused") from None
        except PurposeRefused as error:
            raise Close(FORBIDDEN, f"Forbidden: {error.reason}", "refused") from None

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
            raise Close(BAD_REQUEST, "Invalid message")
        return message

    async def _handle(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "ping" | "pong":
                await self._pong(message)
            case "connection_init":
                raise Close(TOO_MANY_INITS, "Too many initialisation requests")
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                task = self.operations.pop(id_of(message), None)
                if task is not None:
                    self.leaving.add(task)
                    task.cancel()
            case _:
                raise Close(BAD_REQUEST, "Invalid message")

    async def _pong(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "ping":
            await self._send({"type": "pong"})

    async def _subscribe(self, message: Mapping[str, Any]) -> None:
        """Begin an operation; nothing more is read meanwhile, so that no client has more of them than it may."""
        at = id_of(message)
        if at in self.operations:
            raise Close(TAKEN, "Subscriber for this id already exists")
        allowed = self.subscriptions.gateway.current.settings.subscriptions.per_connection
        if len(self.operations) >= allowed:
            await self._refuse(at, message.get("payload"), allowed)
            return
        while len(self.leaving) >= allowed:
            await asyncio.wait(self.leaving, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._operation(at, message.get("payload")))
        self.operations[at] = task
        task.add_done_callback(lambda done: self._done(at, done))

    async def _refuse(self, at: str, payload: Any, allowed: int) -> None:
        span = trace.begin(traceparent_of(payload) or self.request.headers.get("traceparent"))
        failure = GatewayError("LIMIT_EXCEEDED", f"A connection holds at most {allowed} operations.")
        entries = errors_of(failure, RequestInfo(span.trace_id, span.span_id, "ws"))
        await self._send({"id": at, "type": "error", "payload": entries})

    def _done(self, at: str, task: asyncio.Task[None]) -> None:
        self.leaving.discard(task)
        if self.operations.get(at) is task:
            del self.operations[at]
        error = None if task.cancelled() else task.exception()
        if error is None or self.ending.done():
            return
        if not isinstance(error, Close):
            _LOG.error("a subscription failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            error = Close(INTERNAL, "Something went wrong inside.", "failed")
        self.ending.set_result(error)

    async def _operation(self, at: str, payload: Any) -> None:
        with trace.within(trace.begin(traceparent_of(payload) or self.request.headers.get("traceparent"))) as span:
            info = RequestInfo(span.trace_id, span.span_id, "ws")
            try:
                await self._answered(at, parameters(payload), info)
            except GatewayError as error:
                failure = error
            except Close:
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
            raise Close(UNAUTHORIZED, "Unauthorized")
        if current.guard.kind(asked.query, asked.operation_name) is OperationType.SUBSCRIPTION:
            await self._subscription(at, asked, caller, info)
            return
        try:
            principal = await caller.now(current)
        except Expired as error:
            raise Close(FORBIDDEN, f"Forbidden: {error}", "expired") from None
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
        with subscriptions.admitted("ws", caller.principal):
            await self._told(at, asked, caller, info)

    async def _told(self, at: str, asked: GraphqlRequest, caller: Caller, info: RequestInfo) -> None:
        subscriptions = self.subscriptions
        outcome: Outcome = "complete"
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
            raise Close(FORBIDDEN, f"Forbidden: {error}", "expired") from None
        except Close as close:
            outcome = close.outcome
            raise
        except BaseException:
            outcome = "failed"
            raise
        finally:
            subscriptions.observer.ended(outcome)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._write(write(message))

    async def _write(self, text: bytes) -> None:
        patience = self.subscriptions.gateway.current.settings.subscriptions.patience
        try:
            await within_patience(self.socket.send_frame(text, WSMsgType.TEXT), patience)
        except TooSlow:
            reason = f"Too slow: a message was not taken within {patience:g} s; go on with after"
            raise Close(TOO_SLOW, reason, "slow") from None
        except ConnectionError:
            raise Close(WSCloseCode.GOING_AWAY, "") from None
