# SPDX-License-Identifier: Apache-2.0
"""Tokens turned back into what they stand for, for whoever may see the field in clear on every row; audited (S19)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.gateway.contract import RequestInfo
from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.audit import AuditRow, AuditSink, AuditUnavailable
from dictamesh.runtime.governance.places import Places, entity_address, places
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.reversible import NotAToken, reveal
from dictamesh.specs.rules import MaskRule

_REFUSED = "Tokens of a field are revealed to callers who see it in clear on every row."
_UNAUDITED = "The answer is withheld because the audit log cannot be written."


@dataclass(frozen=True, slots=True)
class Revealer:
    """What revealing needs of a plan being served; `keys` are the bytes of `security.keys` by name."""

    plan: Plan
    places: Places
    access_for: Callable[[Principal], Access]
    keys: Mapping[str, bytes]
    audit: AuditSink

    async def reveal(
        self, principal: Principal, field: str, tokens: Sequence[str], info: RequestInfo
    ) -> list[str | None]:
        """Return the text of each token, None for what is none of this field.

        Raises GatewayError: FORBIDDEN for a caller who does not see the field (`product#Entity.field`) in clear on
        every row, or not every row; the same for a field that does not exist.
        """
        entity = self.plan.entities.get(entity_address(field))
        if entity is None or field not in self.places:
            raise GatewayError("FORBIDDEN", _REFUSED)
        access = self.access_for(principal)
        granted = access.clear(field) and access.rows(entity.address) is True
        row = AuditRow(
            principal=principal.name if principal.authenticated else None,
            product=entity.product,
            entity_type=entity.name,
            plan_hash=self.plan.hash,
            purpose=principal.purpose,
            fields=(field.removeprefix(f"{entity.address}."),) if granted else (),
            denied_fields=() if granted else (field.removeprefix(f"{entity.address}."),),
            subject_count=len(tokens) if granted else 0,
            success=granted,
            error_code=None if granted else "FORBIDDEN",
            trace_id=info.trace_id,
        )
        await self._record(row)
        if not granted:
            raise GatewayError("FORBIDDEN", _REFUSED)
        masks = list(dict.fromkeys(_masks(self.plan, field)))
        return [self._text(each, masks) for each in tokens]

    def _text(self, token: str, masks: Sequence[MaskRule]) -> str | None:
        for rule in masks:
            try:
                return reveal(self.keys[str(rule.key)], rule.scope or "", token)
            except NotAToken:
                continue
        return None

    async def _record(self, row: AuditRow) -> None:
        try:
            await self.audit.record([row])
        except AuditUnavailable:
            if self.plan.mesh.audit.on_failure == "deny":
                raise GatewayError("INTERNAL_ERROR", _UNAUDITED, http_status=503) from None


def revealer(
    plan: Plan, access_for: Callable[[Principal], Access], keys: Mapping[str, bytes], audit: AuditSink
) -> Revealer:
    """Build what reveals tokens of a plan."""
    return Revealer(plan, places(plan), access_for, keys, audit)


def _masks(plan: Plan, field: str) -> Iterator[MaskRule]:
    for policy in plan.rules.fields.get(field, ()):
        for rule in policy.rules:
            if rule.mask is not None and rule.mask.kind == "token":
                yield rule.mask
