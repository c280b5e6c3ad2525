# SPDX-License-Identifier: Apache-2.0
"""How Ranger itself evaluates its policies, as its sources have it: an independent answer to hold ours against.

`RangerPolicyEngineImpl`, `RangerDefaultPolicyEvaluator` and `RangerDefaultPolicyItemEvaluator` of Apache Ranger 2.5.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Literal

from tests.conformance.ranger.model import (
    ACCESS,
    Condition,
    Item,
    Pattern,
    Policy,
    Request,
    Resource,
    Service,
    Setting,
    Tag,
)
from tests.conformance.ranger.places import Ordered, relation

Says = Literal["allow", "deny"]
NOBODY = "\0"
"""What no name holds: a token without a value stands for itself, which nobody is called."""


def allowed(setting: Setting, request: Request) -> bool:
    """Whether a request for one type of access to a resource itself is allowed."""
    if request.user in setting.supers[0] or set(request.groups) & setting.supers[1]:
        return True
    speaking = list(_applying(setting, request, ACCESS))
    for priority in sorted({policy.priority for policy, _ in speaking}, reverse=True):
        said = {_says(policy, setting, request) for policy, _ in speaking if policy.priority == priority}
        if said & {"allow", "deny"}:
            return "deny" not in said
    return False


def any_allowed(setting: Setting, request: Request, order: random.Random) -> bool:
    """Whether any type of access to a resource, or to what lies below it, is allowed by policies on resources.

    `order` is that of policies of one priority, denials first, and of access types: Ranger's are those of its optimiser
    and of hash sets.
    """
    ordered = _ordered(setting.service, request)
    if ordered is None:
        return False
    policies = [each for each in setting.policies if each.type == ACCESS and not each.tag]
    order.shuffle(policies)
    policies.sort(key=lambda each: (-each.priority, not _denies(each)))
    results: dict[str, tuple[bool, int]] = {}
    allowing: int | None = None
    for policy in policies:
        if allowing is not None and allowing > policy.priority:
            break
        lies = {relation(tuple(_filled(one, request) for one in each), ordered) for each in policy.resources}
        if not lies & {"self", "below"} or not all(_holds(one, setting, request, policy) for one in policy.conditions):
            continue
        for access in order.sample(sorted(setting.service.implied), len(setting.service.implied)):
            said = _says(policy, setting, replace(request, access=access))
            if said == "allow" or (said == "deny" and "self" in lies):
                results[access] = _merged(results.get(access), (said == "allow", policy.priority))
                if said == "allow":
                    break
        allowed_by = [priority for one, priority in results.values() if one]
        if allowed_by:
            allowing = max(allowed_by)
            if not _denies(policy):
                break
        elif len(results) == len(setting.service.implied):
            return False
    return allowing is not None


def _merged(old: tuple[bool, int] | None, new: tuple[bool, int]) -> tuple[bool, int]:
    """What of two results for one type of access counts where any will do."""
    if old is None:
        return new
    if old[0]:
        return new if (new[1] >= old[1] if not new[0] else new[1] > old[1]) else old
    return new if new[1] > old[1] or (new[0] and new[1] >= old[1]) else old


def _denies(policy: Policy) -> bool:
    return bool(policy.deny) or policy.deny_all_else


def given(setting: Setting, request: Request, type_: int) -> list[Item]:
    """The masks, or the filters, that count for a request; several where Ranger's order is its optimiser's."""
    if request.user in setting.supers[0] or set(request.groups) & setting.supers[1]:
        return []
    told = []
    for policy, _ in _applying(setting, request, type_):
        item = next((each for each in policy.gives if _matches(each, setting, request, policy)), None)
        if item is not None:
            told.append(((policy.priority, policy.tag), item))
    first = max((rank for rank, _ in told), default=None)
    return [item for rank, item in told if rank == first]


def _applying(setting: Setting, request: Request, type_: int) -> Iterator[tuple[Policy, Tag | None]]:
    """The policies that match the resource, or a tag that it bears, in its zone."""
    ordered = _ordered(setting.service, request)
    if ordered is None:
        return
    zone = _zone(setting, ordered)
    own = any(each.name == zone and each.own_tags for each in setting.zones)
    tags = [*(request.tags or ()), *_tags(setting, ordered)]
    for policy in setting.policies:
        if policy.type != type_ or not all(_holds(each, setting, request, policy) for each in policy.conditions):
            continue
        if policy.tag:
            if policy.zone == (zone if own else ""):
                for tag in tags:
                    if any(_named(resource[0], tag.type) for resource in policy.resources):
                        yield policy, tag
        elif policy.zone == zone and any(_covers(each, ordered, request) for each in policy.resources):
            yield policy, None


def _ordered(service: Service, request: Request) -> Ordered | None:
    chain = service.chain(frozenset(request.elements))
    return None if chain is None else tuple((level, request.elements[level.name]) for level in chain)


def _zone(setting: Setting, ordered: Ordered) -> str:
    found = {
        zone.name
        for zone in setting.zones
        if any(relation(each, ordered) in {"self", "above"} for each in zone.resources)
    }
    return found.pop() if len(found) == 1 else ""


def _tags(setting: Setting, ordered: Ordered) -> Iterator[Tag]:
    for resource, tags in setting.tagged:
        if relation(resource, ordered) in {"self", "above"}:
            yield from tags


def _covers(resource: Resource, ordered: Ordered, request: Request) -> bool:
    """Whether a policy's resource is the one asked for, its tokens replaced by who asks and owns."""
    return relation(tuple(_filled(pattern, request) for pattern in resource), ordered) == "self"


def _filled(pattern: Pattern, request: Request) -> Pattern:
    tokens = {"{USER}": request.user or NOBODY, "{OWNER}": request.owner or NOBODY}
    values = (re.sub(r"\{USER\}|\{OWNER\}", lambda found: tokens[found[0]], text) for text in pattern.values)
    return replace(pattern, values=tuple(values))


def _named(pattern: Pattern, text: str) -> bool:
    return _any(pattern.values, lambda value: _glob(value, text, ignore_case=False)) != pattern.excludes


def _any(values: Iterable[str], test: Callable[[str], bool]) -> bool:
    return any(map(test, values))


def _glob(pattern: str, text: str, *, ignore_case: bool) -> bool:
    body = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(body, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _says(policy: Policy, setting: Setting, request: Request) -> Says | None:
    def holds(items: tuple[Item, ...]) -> bool:
        return any(_matches(item, setting, request, policy) for item in items)

    if holds(policy.deny) and not holds(policy.not_deny):
        return "deny"
    if holds(policy.allow) and not holds(policy.not_allow):
        return "allow"
    return "deny" if policy.deny_all_else else None


def _matches(item: Item, setting: Setting, request: Request, policy: Policy) -> bool:
    if request.access not in item.accesses:
        return False
    who = (
        (request.user is not None and ("{USER}" in item.users or request.user in item.users))
        or "public" in item.groups
        or bool(set(item.groups) & set(request.groups))
        or bool(set(item.roles) & request.roles)
        or ("{OWNER}" in item.users and request.user is not None and request.user == request.owner)
    )
    return who and all(_holds(each, setting, request, policy) for each in item.conditions)


def _holds(condition: Condition, setting: Setting, request: Request, policy: Policy) -> bool:
    """The conditions that `test_translation` makes: a country in the context, and one role and another."""
    service = setting.tag_service if policy.tag else setting.service
    assert service is not None
    definition = service.conditions[condition.kind]
    if definition.evaluator == "RangerSimpleMatcher":
        value = request.context.get(definition.options["CONTEXT_NAME"], "")
        return bool(value.strip()) and _any(condition.values, lambda each: _glob(each, value, ignore_case=False))
    return all(role in request.roles for role in re.findall(r"IS_IN_ROLE\('(\w+)'\)", condition.values[0]))
