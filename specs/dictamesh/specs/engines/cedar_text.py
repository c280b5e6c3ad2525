# SPDX-License-Identifier: Apache-2.0
"""What stands in a Cedar text: the names in it, and whom it can tell apart."""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.specs.engines.protocol import Mention, MentionKind
from dictamesh.specs.rules import Audience, Scope

TYPES = {"string": "String", "integer": "Long", "boolean": "Bool"}
COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">=", "contains", "containsAny", "containsAll"})
ROLES, CLAIMS, PURPOSE = ("principal", "roles"), ("principal", "claims"), ("context", "purpose")
OTHERS: Mapping[str, tuple[Any, ...]] = {"string": ("",), "integer": (0,), "boolean": (True, False)}
"""Values that stand for all that a text does not name, by the type of a claim."""
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


def cedar_schema(scope: Scope) -> str:
    """Return the Cedar schema of a mesh: its declared claims are attributes of a caller."""
    kinds = ", ".join(f'"{name}"?: {_kind(kind)}' for name, kind in scope.claims)
    return SCHEMA.format(claims=kinds)


def _kind(declared: str | tuple[str, ...]) -> str:
    return TYPES[declared] if isinstance(declared, str) else f"Set<{TYPES[declared[0]]}>"


def mentions(parsed: Any) -> tuple[Mention, ...]:
    """Return the roles, tags and purposes that a parsed text names."""
    kinds: Mapping[str, MentionKind] = {"Role": "role", "Tag": "tag"}
    found = [Mention(kinds[kind], name) for kind, name in sorted(set(_entities(parsed))) if kind in kinds]
    compared: Mapping[tuple[str, ...], MentionKind] = {ROLES: "role", PURPOSE: "purpose"}
    for path, values in _compared(parsed):
        if path in compared:
            found += (Mention(compared[path], value) for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(found))


def audiences(parsed: Any, scope: Scope) -> tuple[Audience, ...]:
    """Return whom a parsed text can tell apart: one audience for each role, purpose and value of a claim in it.

    What a text asks for without a value to compare - `has`, a bare truth value, `like` - is told apart by values that
    stand for all others.
    """
    found = [Audience(roles=frozenset({name})) for kind, name in _entities(parsed) if kind == "Role"]
    for path, values in [*_compared(parsed), *_liked(parsed)]:
        for value in values:
            found.extend(_audiences(path, value))
    types = dict(scope.claims)
    for path in sorted(set(_touched(parsed))):
        if path == PURPOSE:
            spoken = {name for each in found for name in each.purposes or ()}
            found += [Audience(purposes=frozenset({name})) for name in scope.purposes if name not in spoken][:1]
        elif path[:2] == CLAIMS and len(path) == 3:
            kind = types.get(path[2], "string")
            for each in OTHERS[kind if isinstance(kind, str) else kind[0]]:
                found.append(Audience(claims=((path[2], (each,)),)))
    return tuple(dict.fromkeys(found))


def _audiences(path: tuple[str, ...], value: Any) -> Iterator[Audience]:
    if path == ROLES:
        yield Audience(roles=frozenset({str(value)}))
    elif path == PURPOSE:
        yield Audience(purposes=frozenset({str(value)}))
    elif path[:2] == CLAIMS and len(path) == 3:
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


def _touched(node: Any) -> Iterator[tuple[str, ...]]:
    """Every attribute that a text reads or asks for."""
    for each in _nodes(node):
        inner = each.get("has")
        path = (*_path(inner.get("left")), str(inner.get("attr"))) if isinstance(inner, Mapping) else _path(each)
        if len(path) > 1:
            yield path


def _liked(node: Any) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Every attribute that is held against a pattern, and a text that fits it."""
    for each in _nodes(node):
        inner = each.get("like")
        if isinstance(inner, Mapping) and (path := _path(inner.get("left"))):
            parts = (part for part in inner.get("pattern") or () if isinstance(part, Mapping))
            yield path, ["".join(str(part.get("Literal", "")) for part in parts)]


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
