# SPDX-License-Identifier: Apache-2.0
"""Policies written in Cedar: checked against a schema of callers and fields, so that none can fail when it is asked."""

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mesh, Policy
from dictamesh.specs.resolve.declared import check_declared
from dictamesh.specs.resolve.matching import Known
from dictamesh.specs.resolve.sensitivity import unknown_tag
from dictamesh.specs.resolved import Declared
from dictamesh.specs.rules import Audience

TYPES = {"string": "String", "integer": "Long", "boolean": "Bool"}
COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">=", "contains", "containsAny", "containsAll"})
SCHEMA = """\
entity Role;
entity Tag in [Tag];
entity Tier;
entity Product;
entity Entity in [Product];
entity Caller in [Role] {{
    authenticated: Bool,
    roles: Set<String>,
    claims: {{ {claims} }},
}};
entity Field in [Entity, Tag, Tier] {{
    name: String,
    entity: String,
    product: String,
    tier: String,
    tags: Set<String>,
    pii: Bool,
}};
action read appliesTo {{ principal: Caller, resource: Field, context: {{ purpose?: String }} }};
"""
"""What a text may ask for. Claims and the purpose are optional, so a text has to ask for them with `has` first."""


def cedar_schema(mesh: Mesh) -> str:
    """Return the Cedar schema of a mesh: its declared claims are attributes of a caller."""
    declared = mesh.security.claims if mesh.security is not None else {}
    kinds = ", ".join(f'"{name}"?: {_kind(kind)}' for name, kind in sorted(declared.items()))
    return SCHEMA.format(claims=kinds)


def _kind(declared: str | tuple[str, ...]) -> str:
    return TYPES[declared] if isinstance(declared, str) else f"Set<{TYPES[declared[0]]}>"


def check_cedar(policy: Policy, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings) -> bool:
    """Record what keeps a text from deciding; return whether it may be asked."""
    if policy.engine != "cedar":
        if policy.cedar is not None:
            hint = "Add 'engine: cedar', or remove it."
            findings.error("DM412", (site / "cedar").key_span, "a Cedar text that nobody asks", hint)
        return False
    if policy.rules:
        hint = "Put the rules into a policy of their own."
        findings.error("DM412", (site / "rules").key_span, "a policy by Cedar has no 'rules'", hint)
    if policy.cedar is None:
        findings.error("DM412", site / "engine", "a policy by Cedar needs its text", "Add 'cedar: |' and the policies.")
        return False
    try:
        library = importlib.import_module("cedarpy")
    except ImportError:
        hint = "Install dictamesh[cedar], or write the policy as rules."
        findings.error("DM412", site / "engine", "Cedar is not installed", hint)
        return False
    return _check_text(policy.cedar, site / "cedar", mesh, known, findings, library)


def _check_text(text: str, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings, library: Any) -> bool:
    try:
        parsed = json.loads(library.policies_to_json_str(text))
    except ValueError as fault:
        findings.error("DM412", site, f"Cedar does not read this: {fault}", "Correct the text.")
        return False
    if parsed["templates"] or not parsed["staticPolicies"]:
        what = "templates are not filled in here" if parsed["templates"] else "there is no policy in it"
        findings.error("DM412", site, what, "Write permit or forbid policies without '?principal' and '?resource'.")
        return False
    faults = library.validate_policies(text, cedar_schema(mesh.model)).errors
    for each in faults:
        hint = "Ask for optional attributes with 'has' first; see what callers and fields have in write-policies."
        findings.error("DM412", site, f"Cedar refuses this: {each.error}", hint)
    return _check_names(parsed, site, mesh, known, findings) and not faults


def _check_names(parsed: Any, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings) -> bool:
    sound = True
    for kind, name in sorted(set(_entities(parsed))):
        if kind == "Role":
            sound &= check_declared(name, "roles", mesh, site, findings)
        elif kind == "Tag" and name not in known.words.tags:
            unknown_tag(name, known.words, site, findings)
            sound = False
    for path, values in _compared(parsed):
        for value in values if path in {("principal", "roles"), ("context", "purpose")} else ():
            if isinstance(value, str):
                sound &= check_declared(value, "roles" if path[1] == "roles" else "purposes", mesh, site, findings)
    return sound


def cedar_audiences(text: str) -> tuple[Audience, ...]:
    """Return whom a checked text can tell apart: one audience for each role, purpose and value of a claim in it."""
    parsed = json.loads(importlib.import_module("cedarpy").policies_to_json_str(text))
    found = [Audience(roles=frozenset({name})) for kind, name in _entities(parsed) if kind == "Role"]
    for path, values in _compared(parsed):
        for value in values:
            found.extend(_audiences(path, value))
    return tuple(dict.fromkeys(found))


def _audiences(path: tuple[str, ...], value: Any) -> Iterator[Audience]:
    if path == ("principal", "roles"):
        yield Audience(roles=frozenset({str(value)}))
    elif path == ("context", "purpose"):
        yield Audience(purposes=frozenset({str(value)}))
    elif path[:2] == ("principal", "claims") and len(path) == 3:
        around = (value - 1, value, value + 1) if isinstance(value, int) and not isinstance(value, bool) else (value,)
        for each in around:  # a number may be a bound
            yield Audience(claims=((path[2], (each,)),))


def _entities(node: Any) -> Iterator[tuple[str, str]]:
    """Every entity that a text names, by type and id."""
    for each in _nodes(node):
        if isinstance(each.get("type"), str) and isinstance(each.get("id"), str):
            yield each["type"], each["id"]


def _compared(node: Any) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Every attribute that is compared with literals, and these."""
    for each in _nodes(node):
        for operator in COMPARING & each.keys():
            sides = each[operator]
            if isinstance(sides, Mapping) and {"left", "right"} <= sides.keys():
                for one, other in (("left", "right"), ("right", "left")):
                    path, values = _path(sides[one]), list(_literals(sides[other]))
                    if path and values:
                        yield path, values


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _path(node: Any) -> tuple[str, ...]:
    if not isinstance(node, Mapping):
        return ()
    if "Var" in node:
        return (str(node["Var"]),)
    inner = node.get(".")
    if isinstance(inner, Mapping):
        above = _path(inner.get("left"))
        return (*above, str(inner["attr"])) if above else ()
    return ()


def _literals(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping) and isinstance(node.get("Value"), str | int | bool):
        yield node["Value"]
    elif isinstance(node, Mapping) and isinstance(node.get("Set"), list):
        for each in node["Set"]:
            yield from _literals(each)
