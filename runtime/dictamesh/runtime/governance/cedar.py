# SPDX-License-Identifier: Apache-2.0
"""What a Cedar text says of one field to one principal (`engine: cedar`)."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy

from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.rules import CedarResource, CedarRules, Effect

UNNAMED = "cedar"
READ = 'Action::"read"'
CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allow or deny, and the `@id` of the policy that says so, or its position in the text (`policy0`)."""

    effect: Effect
    rule: str


def judge(rules: CedarRules, principal: Principal) -> Verdict | None:
    """Return what the text says; None where neither a permit nor a forbid applies, which is silence.

    A text that fails when it is asked denies: a forbid that cannot be evaluated would not forbid.
    """
    context = {} if principal.purpose is None else {"purpose": principal.purpose}
    request = {
        "principal": f'Caller::"{CALLER}"',
        "action": READ,
        "resource": f"Field::{json.dumps(rules.resource.address)}",
        "context": context,
    }
    result = cedarpy.is_authorized(request, _policies(rules.text), _entities(rules.resource, principal))
    said = result.diagnostics
    if said.errors:
        return Verdict(Effect.DENY, UNNAMED)
    if not said.reasons:
        return None
    first = min(said.reasons)
    return Verdict(Effect.ALLOW if result.allowed else Effect.DENY, said.id_annotations_by_reason.get(first) or first)


@lru_cache(maxsize=512)
def _policies(text: str) -> Any:
    return cedarpy.PolicySet.from_str(text)


def _entities(resource: CedarResource, principal: Principal) -> Any:
    return _field(resource).with_added_json_str(_caller(principal))


@lru_cache(maxsize=4096)
def _field(resource: CedarResource) -> Any:
    """The field with everything above it: entity and product, each tag with its ancestors, the tier."""
    tags = {tag.rsplit(".", depth)[0] for tag in resource.tags for depth in range(tag.count(".") + 1)}
    entities = [
        _entity("Product", resource.product),
        _entity("Entity", resource.entity, ("Product", resource.product)),
        _entity("Tier", resource.tier),
        *(_entity("Tag", tag, *([("Tag", tag.rpartition(".")[0])] if "." in tag else [])) for tag in sorted(tags)),
        {
            **_entity(
                "Field",
                resource.address,
                ("Entity", resource.entity),
                ("Tier", resource.tier),
                *(("Tag", tag) for tag in resource.tags),
            ),
            "attrs": {
                "name": resource.name,
                "entity": resource.entity.partition("#")[2],
                "product": resource.product,
                "tier": resource.tier,
                "tags": list(resource.tags),
                "pii": resource.pii,
            },
        },
    ]
    return cedarpy.Entities.from_json_str(json.dumps(entities))


def _caller(principal: Principal) -> str:
    claims = {name: list(value) if isinstance(value, tuple) else value for name, value in principal.claims.items()}
    roles = sorted(principal.roles)
    caller = {
        **_entity("Caller", CALLER, *(("Role", role) for role in roles)),
        "attrs": {"authenticated": principal.authenticated, "roles": roles, "claims": claims},
    }
    return json.dumps([caller, *(_entity("Role", role) for role in roles)])


def _entity(kind: str, name: str, *above: tuple[str, str]) -> dict[str, Any]:
    parents = [{"type": kind, "id": name} for kind, name in above]
    return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": parents}
