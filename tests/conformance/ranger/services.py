# SPDX-License-Identifier: Apache-2.0
"""Service definitions of Ranger: levels of resources, types of access, kinds of conditions."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.conformance.ranger.model import ACCESS, FILTER, MASK, ConditionDef, Level, Reason, Service

EMBEDDED: Mapping[str, dict[str, Any]] = {
    "hive": {
        "name": "hive",
        "resources": [
            {"name": "database"},
            {"name": "table", "parent": "database"},
            {"name": "udf", "parent": "database"},
            {"name": "column", "parent": "table"},
            {"name": "url", Reason.MATCHER: "RangerURLResourceMatcher"},
            {"name": "hiveservice"},
            {"name": "global"},
        ],
        "accessTypes": [
            *({"name": each} for each in ("select", "update", "create", "drop", "alter", "index", "lock")),
            *({"name": each} for each in ("read", "write", "repladmin", "serviceadmin", "tempudfadmin", "refresh")),
            {"name": "all", "impliedGrants": ["select", "update", "create", "drop", "alter", "index", "lock", "read"]},
        ],
        "dataMaskDef": {"resources": [{"name": "database"}, {"name": "table"}, {"name": "column"}]},
        "rowFilterDef": {"resources": [{"name": "database"}, {"name": "table"}]},
    }
}
"""Definitions that files name without giving them: what Ranger's own say of the levels and the access types."""

MATCHERS = {"RangerDefaultResourceMatcher": False, "RangerPathResourceMatcher": True}
"""Whether a matcher is one of paths."""


def service(found: Mapping[str, Any]) -> Service:
    """Read a service definition."""
    kind = found["name"]
    defs = {each["name"]: each for each in found["resources"]}
    chains = {ACCESS: _chains(defs)}
    for type_, key in ((MASK, "dataMaskDef"), (FILTER, "rowFilterDef")):
        narrowed = {
            each["name"]: {**defs[each["name"]], **_given(each), "matcherOptions": _options(defs[each["name"]], each)}
            for each in (found.get(key) or {}).get("resources") or ()
            if each["name"] in defs
        }
        chains[type_] = _chains(narrowed)
    options = found.get("options") or {}
    return Service(
        type=kind,
        chains=chains,
        implied=_implied(found.get("accessTypes") or (), kind),
        conditions={
            each["name"]: ConditionDef(each["evaluator"].rpartition(".")[2], each.get("evaluatorOptions") or {})
            for each in found.get("policyConditions") or ()
        },
        denies=_flag(options.get("enableDenyAndExceptionsInPolicies"), default=True),
    )


def access_name(text: str, of: str) -> str | None:
    """The name of an access type; None for one of another service than `of`, as policies on tags hold them."""
    service_type, colon, name = text.lower().rpartition(":")
    return name if not colon or service_type == of else None


def normalised(found: Mapping[str, Any], of: str) -> dict[str, Any]:
    """The definition of tags as it counts for a service: its own access types, by their bare names."""
    types = []
    for each in found.get("accessTypes") or ():
        name = access_name(each["name"], of)
        if name is not None:
            implied = [access_name(one, of) for one in each.get("impliedGrants") or ()]
            types.append({**each, "name": name, "impliedGrants": [one for one in implied if one]})
    return {**found, "accessTypes": types}


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("recursiveSupported", "matcher") if entry.get(key) is not None}


def _options(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {**(base.get("matcherOptions") or {}), **(own.get("matcherOptions") or {})}


def _chains(defs: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[Level, ...], ...]:
    parents = {name: each.get("parent") or "" for name, each in defs.items()}
    leaves = [name for name in defs if name not in parents.values()]
    return tuple(chain for leaf in leaves if (chain := tuple(_chain(leaf, defs, parents))))


def _chain(leaf: str, defs: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]) -> Iterator[Level]:
    names: list[str] = []
    while leaf in defs and leaf not in names:
        names.insert(0, leaf)
        leaf = parents[leaf]
    for name in names:
        yield _level(defs[name])


def _level(found: Mapping[str, Any]) -> Level:
    options = found.get("matcherOptions") or {}
    matcher = (found.get(Reason.MATCHER) or "RangerDefaultResourceMatcher").rpartition(".")[2]
    unusual = {"tokenDelimiterStart", "tokenDelimiterEnd", "tokenDelimiterEscape", "tokenDelimiterPrefix"}
    if matcher not in MATCHERS or unusual & set(options) or _flag(options.get("quotedCaseSensitive"), default=False):
        return Level(found["name"], path=False, separator="")  # no place has such a level
    return Level(
        name=found["name"],
        path=MATCHERS[matcher],
        ignore_case=_flag(options.get("ignoreCase"), default=True),
        wildcard=_flag(options.get("wildCard"), default=True),
        tokens=_flag(options.get("replaceTokens"), default=True),
        expressions=_flag(options.get("replaceReqExpressions"), default=True),
        recursive=_flag(found.get("recursiveSupported"), default=False),
        separator=options.get("pathSeparatorChar") or "/",
    )


def _implied(types: Any, of: str) -> dict[str, frozenset[str]]:
    direct = {each["name"].lower(): [one.lower() for one in each.get("impliedGrants") or ()] for each in types}
    full: dict[str, frozenset[str]] = {}
    for name in direct:
        reached, open_ = {name}, [name]
        while open_:
            for one in direct.get(open_.pop(), ()):
                if one not in reached:
                    reached.add(one)
                    open_.append(one)
        full[name] = frozenset(reached)
    return full


def _flag(value: Any, *, default: bool) -> bool:
    return default if value is None else str(value).lower() == "true"
