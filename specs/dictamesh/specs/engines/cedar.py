# SPDX-License-Identifier: Apache-2.0
"""The engine `cedar`: texts checked against a schema of callers and fields, so that none can fail when it is asked."""

import importlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dictamesh.specs.engines.cedar_text import audiences, cedar_schema, mentions
from dictamesh.specs.engines.protocol import Caller, Compiled, Problem, Refused, Verdict
from dictamesh.specs.rules import Effect, Resource, Scope

UNNAMED = "cedar"
READ = 'Action::"read"'
CALLER = "caller"
ASK_FIRST = "Ask for optional attributes with 'has' first; see what callers and fields have in write-policies."


@dataclass(frozen=True, slots=True)
class Cedar:
    """Policies in Cedar (https://www.cedarpolicy.com), by the library cedarpy."""

    name: str = "cedar"
    title: str = "Cedar"

    def compile(self, text: str, scope: Scope) -> Compiled | Refused:
        library: Any = importlib.import_module("cedarpy")
        try:
            parsed = json.loads(library.policies_to_json_str(text))
        except ValueError as fault:
            return Refused((Problem(f"Cedar does not read this: {fault}"),))
        if parsed["templates"] or not parsed["staticPolicies"]:
            what = "templates are not filled in here" if parsed["templates"] else "there is no policy in it"
            hint = "Write permit or forbid policies without '?principal' and '?resource'."
            return Refused((Problem(what, hint),))
        faults = library.validate_policies(text, cedar_schema(scope)).errors
        if faults:
            return Refused(tuple(Problem(f"Cedar refuses this: {each.error}", ASK_FIRST) for each in faults))
        asked = _Asked(library, library.PolicySet.from_str(text))
        return Compiled(asked.judge, audiences(parsed, scope), mentions(parsed))


ENGINE = Cedar()


@dataclass(frozen=True)
class _Asked:
    """A text that is asked."""

    library: Any
    policies: Any

    def judge(self, caller: Caller, resource: Resource) -> Verdict | None:
        """Return what the text says; None where neither a permit nor a forbid applies.

        A text that fails when it is asked denies: a forbid that cannot be evaluated would not forbid.
        """
        request = {
            "principal": f'Caller::"{CALLER}"',
            "action": READ,
            "resource": f"Field::{json.dumps(resource.address)}",
            "context": {} if caller.purpose is None else {"purpose": caller.purpose},
        }
        entities = _field(resource).with_added_json_str(_caller(caller))
        result = self.library.is_authorized(request, self.policies, entities)
        said = result.diagnostics
        if said.errors:
            return Verdict(Effect.DENY, UNNAMED)
        if not said.reasons:
            return None
        first = min(said.reasons)
        effect = Effect.ALLOW if result.allowed else Effect.DENY
        return Verdict(effect, said.id_annotations_by_reason.get(first) or first)


@lru_cache(maxsize=4096)
def _field(resource: Resource) -> Any:
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
    library: Any = importlib.import_module("cedarpy")
    return library.Entities.from_json_str(json.dumps(entities))


def _caller(caller: Caller) -> str:
    claims = {name: list(value) if isinstance(value, tuple) else value for name, value in caller.claims.items()}
    roles = sorted(caller.roles)
    told = {
        **_entity("Caller", CALLER, *(("Role", role) for role in roles)),
        "attrs": {"authenticated": caller.authenticated, "roles": roles, "claims": claims},
    }
    return json.dumps([told, *(_entity("Role", role) for role in roles)])


def _entity(kind: str, name: str, *above: tuple[str, str]) -> dict[str, Any]:
    parents = [{"type": kind, "id": name} for kind, name in above]
    return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": parents}
