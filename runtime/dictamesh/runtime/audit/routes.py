# SPDX-License-Identifier: Apache-2.0
"""The audit log over HTTP: rows and numbers for readers, its signed heads for every authenticated principal (GV-6)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, get_args

from pydantic import Field

from dictamesh.runtime.audit.answers import AuditEntry, Numbers, numbers
from dictamesh.runtime.audit.heads import heads_after
from dictamesh.runtime.audit.keys import Signer
from dictamesh.runtime.audit.queries import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    LARGEST_OFFSET,
    AuditFilter,
    list_rows,
    statistics,
)
from dictamesh.runtime.audit.statements import SignedHead
from dictamesh.runtime.catalog.queries import Page
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.parameters import Parameter, choice, day_or_instant, flag, page, text, whole
from dictamesh.runtime.catalog.rest.route import Call, Route
from dictamesh.runtime.governance.audit import Operation

HEADS_LIMIT, MOST_HEADS, LAST_NUMBER = 100, 1000, 999_999_999
_LAST = b"SELECT coalesce(max(number), 0) AS last FROM dictamesh_audit_heads WHERE mesh = %(mesh)s"
_TEXTS = {
    "principal": "Only what this caller did.",
    "product": "Only reads of this product.",
    "entity_type": "Only reads of this type.",
    "trace_id": "Only those of this trace.",
    "subject_token": "Only reads of this data subject.",
}
_FLAGS = {
    "anonymous": "Only callers with, or without, a name.",
    "success": "Only what was, or was not, granted.",
    "pii_access": "Only reads with, or without, personal data in clear.",
}
_FILTERS: tuple[Parameter, ...] = (
    *(text(name, told) for name, told in _TEXTS.items()),
    *(flag(name, told) for name, told in _FLAGS.items()),
    choice("operation", "Only those of this kind.", get_args(Operation)),
    day_or_instant("from", "From this day or instant on."),
    day_or_instant("to", "Before this day or instant."),
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key that signs heads now; ``public_key`` is PEM."""

    key_id: Annotated[str, Field(alias="keyId")]
    algorithm: str
    public_key: Annotated[str, Field(alias="publicKey")]


@dataclass(frozen=True, slots=True)
class MeshKey:
    """The key that signs a mesh's heads now; ``public_key`` is PEM."""

    mesh: str
    key_id: Annotated[str, Field(alias="keyId")]
    algorithm: str
    public_key: Annotated[str, Field(alias="publicKey")]


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed head; ``statement`` is the exact text that was signed."""

    statement: str
    key_id: Annotated[str, Field(alias="keyId")]
    signature: str


@dataclass(frozen=True, slots=True)
class Heads:
    """Signed heads in the order of their numbers; ``last`` is the highest number there is."""

    mesh: str
    last: int
    key: PublicKey
    statements: tuple[Statement, ...]


async def list_audit_rows(call: Call) -> Page[AuditEntry]:
    """List rows of the audit log, the newest first.

    For callers with a role of `audit.readers`.
    """
    found = await list_rows(call.catalog.pool, _filter(call), call["limit"], call["offset"])
    return Page(tuple(AuditEntry(**each) for each in found.items), found.total, found.limit, found.offset)


async def get_audit_stats(call: Call) -> Numbers:
    """Count what the audit log holds.

    For callers with a role of `audit.readers`.
    """
    return numbers(await statistics(call.catalog.pool, _filter(call)))


def audit_routes(signer: Callable[[], Signer]) -> tuple[Route, ...]:
    """Routes of the audit log; ``signer`` gives the key of its heads as it is now."""

    async def list_audit_heads(call: Call) -> Heads:
        """List the signed heads of the audit log.

        Without `after` the last ones.
        """
        mesh, limit = call.catalog.plan().name, call["limit"]
        last = (await call.catalog.pool.rows(_LAST, {"mesh": mesh}))[0]["last"]
        after = call["after"] if call["after"] is not None else max(last - limit, 0)
        found = await heads_after(call.catalog.pool, mesh, after, limit)
        return Heads(mesh, last, _key(signer()), tuple(_published(head) for head in found))

    async def get_audit_key(call: Call) -> MeshKey:
        """Get the public key that signs the heads of the audit log."""
        return MeshKey(call.catalog.plan().name, **asdict(_key(signer())))

    after = whole("after", "Heads after this number.", 0, LAST_NUMBER, None)
    limit = whole("limit", "Entries of a page.", 1, MOST_HEADS, HEADS_LIMIT)
    rows = page(LARGEST_LIMIT, DEFAULT_LIMIT, LARGEST_OFFSET)
    return (
        Route("GET", "/audit", list_audit_rows, Page[AuditEntry], (*_FILTERS, *rows), admit=_admit_reader, tag="audit"),
        Route("GET", "/audit/stats", get_audit_stats, Numbers, _FILTERS, admit=_admit_reader, tag="audit"),
        Route("GET", "/audit/heads", list_audit_heads, Heads, (after, limit), tag="audit"),
        Route("GET", "/audit/key", get_audit_key, MeshKey, tag="audit"),
    )


def _admit_reader(call: Call) -> None:
    if not call.sight.has_role(call.catalog.plan().mesh.audit.readers):
        raise RequestRefused("FORBIDDEN", "the audit log is for the roles of audit.readers")


def _filter(call: Call) -> AuditFilter:
    given = {name: call[name] for name in (*_TEXTS, *_FLAGS, "operation")}
    return AuditFilter(**given, since=call["from"], until=call["to"])


def _published(head: SignedHead) -> Statement:
    return Statement(head.statement, head.key_id, head.signature)


def _key(signer: Signer) -> PublicKey:
    return PublicKey(signer.key_id, "Ed25519", signer.pem)
