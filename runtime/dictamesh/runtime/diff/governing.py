# SPDX-License-Identifier: Apache-2.0
"""What edits of policies and agreements come to: classed by what they do to access, not by how they look. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.access import Access, Sees
from dictamesh.runtime.diff.change import Change, Class, Path
from dictamesh.runtime.diff.documents import ORDER, Difference, differences, told
from dictamesh.runtime.diff.tree import Tree

DECIDING = frozenset({"match", "rules", "rows", "onUse", "engine", "text", "cedar"})
"""Keys of a policy that decide; the rest is words and tests."""

RESTRICTING = frozenset({"mask", "deny"})


def policy_changes(old: Tree, new: Tree, access: Access) -> Iterator[Change]:
    """Yield every edit of a policy with what it does."""
    for name in _names("Policy", old, new):
        before, after = (_plain(each, f"Policy/{name}") for each in (old, new))
        sees = _seen(name, old.plan, new.plan, access)
        if before is None or after is None:
            yield _whole(name, before, after, sees)
            continue
        yield from _narrowed(name, old, new, before)
        for each in differences(before, after):
            yield _edit(name, each, after, sees)


def agreement_changes(old: Tree, new: Tree) -> Iterator[Change]:
    """Yield every edit of an agreement: more time, parties or products weaken, less is for review."""
    for name in _names("Agreement", old, new):
        before, after = (_plain(each, f"Agreement/{name}") for each in (old, new))
        if before is None or after is None:
            cls = Class.REVIEW if before is not None or not _in_force(after) else Class.PRIVACY
            kind = "agreement-added" if before is None else "agreement-removed"
            yield _at("Agreement", name, (), Change(cls, kind, name, _spoken(before), _spoken(after)))
            continue
        for each in differences(before, after):
            cls = _agreed(each, after)
            address = f"{name}:{told(each.path)}"
            yield _at("Agreement", name, each.path, Change(cls, "agreement", address, each.before, each.after))


def _names(kind: str, *trees: Tree) -> list[str]:
    prefix = f"{kind}/"
    return sorted({each.removeprefix(prefix) for tree in trees for each in tree.documents if each.startswith(prefix)})


def _plain(tree: Tree, document: str) -> dict[str, Any] | None:
    found = tree.documents.get(document)
    return None if found is None else found.plain()


def _seen(name: str, old: Plan, new: Plan, access: Access) -> set[str]:
    """What differs in access on the fields and entities that a policy governs in either plan."""
    governed = _governed(name, old) | _governed(name, new)
    told = {**access.fields, **access.rows}
    return {str(each.sees) for address in governed & told.keys() for each in told[address]}


def _whole(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, sees: set[str]) -> Change:
    kind = "policy-added" if before is None else "policy-removed"
    cls = Class.PRIVACY if Sees.MORE in sees or (before is not None and _restricts(before)) else Class.REVIEW
    return _at("Policy", name, (), Change(cls, kind, name, _spoken(before), _spoken(after)))


def _restricts(policy: Mapping[str, Any]) -> bool:
    rules = policy.get("rules") or ()
    return bool(policy.get("rows") or policy.get("text") or policy.get("cedar")) or any(
        each.get("effect") in RESTRICTING for each in rules
    )


def _narrowed(name: str, old: Tree, new: Tree, before: Mapping[str, Any]) -> Iterator[Change]:
    """Fields and entities that are still there and are governed no longer."""
    if not _restricts(before):
        return
    for address in sorted(_governed(name, old.plan) - _governed(name, new.plan)):
        if address in new.places or address in new.plan.entities:
            change = Change(Class.PRIVACY, "policy-narrowed", address, f"governed by {name}", "not governed by it")
            yield _at("Policy", name, ("match",), change)


def _governed(name: str, plan: Plan) -> set[str]:
    tables: tuple[Mapping[str, Any], ...] = (plan.rules.fields, plan.rules.rows)
    return {at for table in tables for at, bound in table.items() if any(each.policy == name for each in bound)}


def _edit(name: str, each: Difference, after: Mapping[str, Any], sees: set[str]) -> Change:
    top = each.path[0]
    if top == "description":
        cls, kind = Class.SAFE, "policy-words"
    elif top == "tests":
        cls, kind = (Class.SAFE if each.before is None else Class.REVIEW), "policy-test"
    elif top not in DECIDING:
        cls, kind = Class.REVIEW, "policy"
    else:
        cls, kind = _deciding(each, after, sees), f"policy-{top.lower()}"
    return _at("Policy", name, each.path, Change(cls, kind, f"{name}:{told(each.path)}", each.before, each.after))


def _deciding(each: Difference, after: Mapping[str, Any], sees: set[str]) -> Class:
    if Sees.MORE in sees or _admits(each, after):
        return Class.PRIVACY
    if not sees and each.path[-1] in {"name", ORDER}:
        return Class.SAFE  # what audit calls a rule, or an order in which nothing changes
    return Class.REVIEW


def _admits(each: Difference, after: Mapping[str, Any]) -> bool:
    """Whether a rule that opens something now names a role or purpose more, whoever may have it today."""
    if len(each.path) != 3 or each.path[0] not in {"rules", "rows"} or each.path[2] not in {"roles", "purposes"}:
        return False
    rule: Mapping[str, Any] = next(
        (r for r in after.get(each.path[0]) or () if f"[{r.get('name')}]" == each.path[1]), {}
    )
    opens = rule.get("effect") == "allow" if each.path[0] == "rules" else rule.get("keep") != "none"
    return bool(opens and (each.after is None or set(_texts(each.after)) - set(_texts(each.before))))


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value or ()]


def _in_force(agreement: Mapping[str, Any] | None) -> bool:
    return agreement is not None and agreement.get("status") == "approved"


def _agreed(each: Difference, after: Mapping[str, Any]) -> Class:
    key = each.path[0]
    if key == "description":
        return Class.SAFE
    if not _in_force(after):
        return Class.REVIEW
    if key == "status":
        return Class.PRIVACY
    if key in {"startDate", "endDate"}:
        return Class.PRIVACY if _longer(key, each.before, each.after) else Class.REVIEW
    if key == "products":
        return Class.PRIVACY if set(_texts(each.after)) - set(_texts(each.before)) else Class.REVIEW
    if key == "consumer":
        widened = each.after is None or (each.before is not None and set(_texts(each.after)) - set(_texts(each.before)))
        return Class.PRIVACY if widened else Class.REVIEW
    return Class.REVIEW


def _longer(key: str, before: Any, after: Any) -> bool:
    if after is None or before is None:
        return after is None
    was, now = (date.fromisoformat(str(each)) for each in (before, after))
    return now > was if key == "endDate" else now < was


def _spoken(document: Mapping[str, Any] | None) -> str | None:
    """What a whole policy or agreement does, in a line."""
    if document is None:
        return None
    if document.get("kind") == "Agreement":
        status, start, end = (document.get(key) for key in ("status", "startDate", "endDate"))
        return f"{status or 'requested'}, from {start or 'ever'} to {end or 'ever'}"
    rules, rows = (len(document.get(key) or ()) for key in ("rules", "rows"))
    engine = document.get("engine") or "rules"
    return f"{rules} rules, {rows} row rules" if engine == "rules" else f"by {engine}"


def _at(kind: str, name: str, path: Path, change: Change) -> Change:
    return Change(change.cls, change.kind, change.address, change.before, change.after, (), f"{kind}/{name}", path)
