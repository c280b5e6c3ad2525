# SPDX-License-Identifier: Apache-2.0
"""The audit log over HTTP: ``/api/v1/audit`` for readers, its signed heads for every authenticated principal (GV-6)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

from aiohttp import web

from dictamesh.runtime.audit.heads import heads_after
from dictamesh.runtime.audit.keys import Signer
from dictamesh.runtime.audit.queries import DEFAULT_LIMIT, AuditFilter, AuditStats, list_rows, statistics
from dictamesh.runtime.audit.statements import SignedHead
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.routes import Access, RequestRefused, answered, known_parameters, number, plain_text
from dictamesh.runtime.governance.audit import Operation

PREFIX = "/api/v1/audit"
HEADS_LIMIT, MOST_HEADS = 100, 1000
_TEXTS = ("principal", "product", "entity_type", "trace_id", "subject_token")
_FLAGS = ("anonymous", "success", "pii_access")
_LAST = b"SELECT coalesce(max(number), 0) AS last FROM dictamesh_audit_heads WHERE mesh = %(mesh)s"
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class AuditFace:
    """What the routes serve: a mesh's log, and the key of its heads as it is now."""

    pool: Pool
    mesh: str
    signer: Callable[[], Signer]


def routes(face: AuditFace, access: Access[P], reads: Callable[[P], bool]) -> list[web.RouteDef]:
    """Route definitions for ``app.add_routes``; ``reads`` says whether a principal may read the log.

    ``GET audit`` lists with filters, ``GET audit/stats`` counts, ``GET audit/heads?after=&limit=`` gives the signed
    statements (without ``after`` the last ones), ``GET audit/key`` the public key. The answers are JSON.
    """

    def readers_only(principal: P) -> None:
        if not reads(principal):
            raise RequestRefused("FORBIDDEN", "the audit log is for the roles of audit.readers")

    async def rows(request: web.Request, principal: P) -> object:
        readers_only(principal)
        filters = _filters(request, {"limit", "offset"})
        page = await list_rows(
            face.pool, filters, number(request, "limit", DEFAULT_LIMIT), number(request, "offset", 0)
        )
        return {"items": page.items, "total": page.total, "limit": page.limit, "offset": page.offset}

    async def stats(request: web.Request, principal: P) -> object:
        readers_only(principal)
        return stats_json(await statistics(face.pool, _filters(request, set())))

    async def heads(request: web.Request, _principal: P) -> object:
        known_parameters(request, frozenset({"after", "limit"}))
        limit = number(request, "limit", HEADS_LIMIT)
        if not 1 <= limit <= MOST_HEADS:
            raise RequestRefused("INVALID_REQUEST", f"limit is 1 to {MOST_HEADS}", parameter="limit")
        last = (await face.pool.rows(_LAST, {"mesh": face.mesh}))[0]["last"]
        after = number(request, "after", max(last - limit, 0))
        found = await heads_after(face.pool, face.mesh, after, limit)
        published = [_published(head) for head in found]
        return {"mesh": face.mesh, "last": last, "key": _key(face.signer()), "statements": published}

    async def key(request: web.Request, _principal: P) -> object:
        known_parameters(request, frozenset())
        return {"mesh": face.mesh, **_key(face.signer())}

    return [
        web.get(PREFIX, answered(access, rows)),
        web.get(f"{PREFIX}/stats", answered(access, stats)),
        web.get(f"{PREFIX}/heads", answered(access, heads)),
        web.get(f"{PREFIX}/key", answered(access, key)),
    ]


def stats_json(stats: AuditStats) -> dict[str, Any]:
    """Statistics as JSON values, under the names of the REST interface."""
    return {
        "rows": stats.rows,
        "total": stats.total,
        "uniquePrincipals": stats.unique_principals,
        "failures": stats.failures,
        "denials": stats.denials,
        "piiReads": stats.pii_reads,
        "avgDurationMs": stats.avg_duration_ms,
        "maxDurationMs": stats.max_duration_ms,
        "firstAt": stats.first_at,
        "lastAt": stats.last_at,
    }


def instant(written: str) -> datetime:
    """An instant of RFC 3339, or a day, which begins at midnight; UTC unless it says otherwise. Raises ValueError."""
    found = datetime.fromisoformat(written)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _published(head: SignedHead) -> dict[str, str]:
    return {"statement": head.statement, "keyId": head.key_id, "signature": head.signature}


def _key(signer: Signer) -> dict[str, str]:
    return {"keyId": signer.key_id, "algorithm": "Ed25519", "publicKey": signer.pem}


def _filters(request: web.Request, more: set[str]) -> AuditFilter:
    known_parameters(request, frozenset({*_TEXTS, *_FLAGS, "operation", "from", "to", *more}))
    operation = request.query.get("operation")
    if operation is not None and operation not in get_args(Operation):
        raise RequestRefused(
            "INVALID_REQUEST", f"operation is one of {', '.join(get_args(Operation))}", parameter="operation"
        )
    given: dict[str, Any] = {name: plain_text(request.query[name]) for name in _TEXTS if name in request.query}
    given |= {name: _flag(request, name) for name in _FLAGS}
    return AuditFilter(**given, operation=operation, since=_instant(request, "from"), until=_instant(request, "to"))


def _flag(request: web.Request, name: str) -> bool | None:
    value = request.query.get(name)
    if value not in {None, "true", "false"}:
        raise RequestRefused("INVALID_REQUEST", f"{name} is true or false", parameter=name)
    return None if value is None else value == "true"


def _instant(request: web.Request, name: str) -> datetime | None:
    value = request.query.get(name)
    try:
        return None if value is None else instant(value)
    except ValueError:
        raise RequestRefused("INVALID_REQUEST", f"{name} is a day or an instant of RFC 3339", parameter=name) from None
