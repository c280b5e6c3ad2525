# SPDX-License-Identifier: Apache-2.0
"""Who sees a field in clear, as lineage tells it, agrees with what each principal is decided."""

from itertools import combinations

import pytest

from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.places import leaves
from dictamesh.runtime.governance.principal import ANONYMOUS, Principal
from dictamesh.runtime.lineage.audience import EVERYBODY, NOBODY, Clear, clear_for
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.support.golden import CASES, read

FILES = read(CASES / "lineage.md")[0].files
REDACT = "effect: mask, mask: {kind: redact}"
POLICIES = {
    "nothing speaks": "",
    "allow, then nothing": "{name: a, roles: [support], effect: allow}",
    "allow, then mask": f"{{name: a, roles: [support], effect: allow}}, {{name: b, {REDACT}}}",
    "mask, then allow": f"{{name: a, roles: [analyst], {REDACT}}}, {{name: b, effect: allow}}",
    "deny some": "{name: a, roles: [analyst], effect: deny}",
    "purposes": "{name: a, purposes: [service], effect: allow}",
    "all": "{name: a, effect: allow}",
}
HEAD = "apiVersion: dictamesh/v1\nkind: Policy\nname: p\nowner: o\nmatch: {fields: [sales#Store.city]}\n"
TIERS = ("public", "internal", "confidential", "restricted")


def principals() -> list[Principal]:
    roles = [frozenset(some) for size in range(3) for some in combinations(("support", "analyst"), size)]
    asked = [Principal("x", True, each, purpose) for each in roles for purpose in (None, "service")]
    return [ANONYMOUS, *asked]


def _put(files: dict[str, bytes], name: str, before: str, after: str) -> None:
    assert before.encode() in files[name]
    files[name] = files[name].replace(before.encode(), after.encode())


@pytest.mark.parametrize("sees", ["public", "internal"])
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", POLICIES)
def test_masking_says_whether_somebody_does_not_see_it(name: str, tier: str, sees: str) -> None:
    rules = POLICIES[name]
    files = dict(FILES)
    files["policies.yaml"] = f"{HEAD}rules: [{rules}]\n".encode()
    _put(
        files,
        "sales.yaml",
        "city, logicalType: string, classification: public",
        f"city, logicalType: string, classification: {tier}",
    )
    _put(files, "mesh.yaml", "security:\n", f"security:\n  anonymous: {{sees: {sees}}}\n")
    if not rules:
        _put(files, "mesh.yaml", ", policies.yaml", "")
    made = build(Memory(files), "mesh.yaml")
    assert made.plan is not None, made.diagnostics
    entity = made.plan.entities["sales#Store"]
    field = entity.field("city")
    told = clear_for(made.plan, entity, field)
    clear = [Access(made.plan, each, {}).clear(field.address) for each in principals()]
    assert told.masking == (not all(clear)), told
    assert (told.who == NOBODY) == (not any(clear)), told


def test_of_several_policies_all_must_open() -> None:
    files = dict(FILES)
    more = b"""---
apiVersion: dictamesh/v1
kind: Policy
name: more
owner: o
match: {tags: [pii.email]}
rules:
  - {name: analysts, roles: [analyst], effect: allow}
  - {name: rest, effect: deny}
"""
    files["policies.yaml"] += more
    plan = build(Memory(files), "mesh.yaml").plan
    assert plan is not None
    entity = plan.entities["people#Person"]
    found = clear_for(plan, entity, entity.field("email"))
    assert found == Clear(True, "roles analyst and roles support with purposes service")
    assert clear_for(plan, entity, entity.field("id")) == Clear(False, EVERYBODY)
    address = entity.field("address")
    assert clear_for(plan, entity, address) == Clear(True, NOBODY)
    assert len(list(leaves(address))) == 2


def test_a_policy_in_cedar_is_named() -> None:
    files = dict(FILES)
    policy = """apiVersion: dictamesh/v1
kind: Policy
name: by-cedar
owner: o
match: {tags: [pii.email]}
engine: cedar
cedar: |
  permit (principal, action, resource) when { principal.roles.contains("support") };
"""
    files["policies.yaml"] = policy.encode()
    made = build(Memory(files), "mesh.yaml")
    assert made.plan is not None, made.diagnostics
    entity = made.plan.entities["people#Person"]
    assert clear_for(made.plan, entity, entity.field("email")) == Clear(True, "whom policy by-cedar permits")
