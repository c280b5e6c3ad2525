# SPDX-License-Identifier: Apache-2.0
"""`POST /webhooks/{product}/{entity}`: signed deliveries, answered once they are durable (AD-6, AD-7).

Any replica may receive. 202: recorded; 200: known already, or older than what is known; 400: signed and no record (it
is kept as a dead letter); 401: not signed by the sender, or too long ago; 404, 408, 411 to 415 as HTTP has them; 429:
as many wait as may; 503: the catalog cannot be written. A sender that tries again after 429, 5xx or no answer loses
nothing and doubles nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from aiohttp import web

from dictamesh.runtime.capture.webhook.inbox import Full, Inbox
from dictamesh.runtime.capture.webhook.reading import Reader
from dictamesh.runtime.capture.webhook.signature import Verifier
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.observe import trace
from dictamesh.runtime.observe.faults import exception_fields

PATH = "/webhooks/{product}/{entity}"
IN_MEMORY = 64 * 1024 * 1024
"""Bytes of bodies that this process holds at most, whoever sends them."""
PATIENCE = 30.0  # seconds for one body
_AGAIN = 1  # seconds that a refused sender should wait
_LOG = logging.getLogger("dictamesh.capture")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

Counted = Callable[[str, str, str], None]
"""Told product, entity and outcome of each delivery for an entity that takes them."""


class Refused(Exception):  # noqa: N818 - the name says what is the case
    """A request that is answered with a status and a text of ours."""

    def __init__(self, status: HTTPStatus, outcome: str, text: str, *, read: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.outcome = outcome
        self.text = text
        self.read = read  # whether the body was read to its end


@dataclass(frozen=True, slots=True)
class Receiver:
    """What takes the deliveries for one entity."""

    product: str
    entity: str
    verifier: Verifier
    reader: Reader
    inbox: Inbox
    max_body: int


@dataclass(slots=True)
class Budget:
    """Bytes that may still be held."""

    left: int = IN_MEMORY

    @contextmanager
    def held(self) -> Iterator["Share"]:
        """A share of the budget that is given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.left += share.taken


@dataclass(slots=True)
class Share:
    """The bytes that one request holds."""

    budget: Budget
    taken: int = 0

    def take(self, size: int) -> None:
        """Hold more; raises Refused where there is no room."""
        if size > self.budget.left:
            raise _busy()
        self.budget.left -= size
        self.taken += size


@dataclass(slots=True)
class Receivers:
    """The receivers of the plan that is served; `use` exchanges them."""

    counted: Counted = lambda _product, _entity, _outcome: None
    clock: Callable[[], float] = time.time
    patience: float = PATIENCE
    budget: Budget = field(default_factory=Budget)
    _by_name: Mapping[tuple[str, str], Receiver] = field(default_factory=dict)

    def use(self, receivers: Mapping[tuple[str, str], Receiver]) -> None:
        """Take deliveries for these entities, by names of product and entity, from now on."""
        self._by_name = receivers

    async def close(self) -> None:
        """Take no more, and wait until what was taken in is recorded or refused."""
        receivers, self._by_name = self._by_name, {}
        await asyncio.gather(*(each.inbox.close() for each in receivers.values()))

    def routes(self) -> list[web.RouteDef]:
        """Return the route of all webhooks."""
        return [web.post(PATH, self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        with trace.within(trace.begin(request.headers.get("traceparent"))) as span, self.budget.held() as share:
            receiver = self._by_name.get((request.match_info["product"], request.match_info["entity"]))
            try:
                if receiver is None:
                    raise Refused(HTTPStatus.NOT_FOUND, "unknown", "no such webhook")
                outcome, answer = await self._received(receiver, request, share, span)
            except Refused as refused:
                outcome, answer = refused.outcome, _refusal(refused)
            if receiver is not None:
                self.counted(receiver.product, receiver.entity, outcome)
            return answer

    async def _received(
        self, receiver: Receiver, request: web.Request, share: Share, span: trace.TraceContext
    ) -> tuple[str, web.Response]:
        _only_json(request)
        claim = receiver.verifier.claim(request.headers, self.clock())
        if claim is None:
            raise _unsigned(read=False)
        if receiver.inbox.full:
            raise _busy()
        body = await self._body(request, receiver.max_body, share)
        if not receiver.verifier.verified(claim, body):
            raise _unsigned(read=True)
        delivery = receiver.reader.read(body, claim, request.headers, span.traceparent())
        try:
            became = await receiver.inbox.deliver(delivery)
        except Full:
            raise _busy() from None
        except CatalogUnavailable:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the delivery cannot be recorded now", read=True
            ) from None
        except Exception as error:  # noqa: BLE001 - the boundary: nothing foreign leaves the process (S26)
            _LOG.error("a webhook delivery failed", extra={"code": "INTERNAL_ERROR", **exception_fields(error)})
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "internal error", read=True) from None
        if became == "invalid":
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid", getattr(delivery.told, "error", "no record"), read=True)
        status = HTTPStatus.ACCEPTED if became == "accepted" else HTTPStatus.OK
        return became, _json(status, {"status": became})

    async def _body(self, request: web.Request, limit: int, share: Share) -> bytes:
        if (request.content_length or 0) > limit:
            raise _too_large(limit)
        body = bytearray()
        try:
            async with asyncio.timeout(self.patience):
                async for part in request.content.iter_any():
                    if len(body) + len(part) > limit:
                        raise _too_large(limit)
                    share.take(len(part))
                    body += part
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "refused", "the body did not arrive in time") from None
        return bytes(body)


def _only_json(request: web.Request) -> None:
    kind = request.content_type if "Content-Type" in request.headers else ""
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise _unsupported("send the delivery as application/json")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise _unsupported("send the delivery in UTF-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _unsupported("send the delivery without a content encoding")


def _unsupported(text: str) -> Refused:
    return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "refused", text)


def _unsigned(*, read: bool) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, "unsigned", "the delivery is not signed as it must be", read=read)


def _too_large(limit: int) -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"a delivery has {limit} bytes at most")


def _busy() -> Refused:
    return Refused(HTTPStatus.TOO_MANY_REQUESTS, "busy", "too many deliveries wait; come again")


def _refusal(refused: Refused) -> web.Response:
    response = _json(refused.status, {"error": {"status": int(refused.status), "message": refused.text}})
    if refused.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response.headers["Retry-After"] = str(_AGAIN)
    if refused.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Signature"
    if not refused.read:
        response.force_close()  # what is left of the body is not read
    return response


def _json(status: HTTPStatus, body: Mapping[str, object]) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", charset="utf-8", headers=_HEADERS
    )
