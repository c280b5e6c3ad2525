# SPDX-License-Identifier: Apache-2.0
"""What Ranger's files expect of a request, checked against what we decide: access, masks, row filters, shares."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.conformance.ranger import sharing
from tests.conformance.ranger.asking import Heard, Mesh, row
from tests.conformance.ranger.filters import same
from tests.conformance.ranger.masks import kind
from tests.conformance.ranger.model import MASK, Reason, Request, Unsaid
from tests.conformance.ranger.places import Place

Check = Callable[[Mesh, Request, Any, Mapping[str, bool]], str]
"""Returns what is not as expected; empty where all is."""


def verdict(mesh: Mesh, request: Request, unknown: Mapping[str, bool]) -> Heard:
    """Whether a request is allowed; one for any access, or with a scope, asks whether something below is.

    Raises Unsaid where Ranger lets the order of its evaluators decide, and ours tells allow from deny by strictness.
    """
    own, below = mesh.places(request)
    if own is None:
        return Heard(allowed=False, allow=frozenset(), deny=frozenset())
    callers = [mesh.caller(request, each, unknown) for each in ([request.access] if request.access else mesh.accesses)]
    here = [mesh.heard(own, caller) for caller in callers]
    there = [mesh.heard(place, caller) for place in below for caller in callers]
    if len(callers) == 1 and not below:
        return here[0]
    _one_zone(own, below)
    told = [*here, *there]
    allow = frozenset[int]().union(*(each.allow for each in told))
    deny = frozenset[int]().union(*(each.deny for each in told))
    shut = [bool(each.deny) and not each.allowed for each in here]  # by type of access
    allowed = any(each.allowed for each in told)
    past = any(each.allowed for each in here) or any(
        each.allowed and not shut[number % len(callers)] for number, each in enumerate(there)
    )
    if allowed and not past and len({policy.priority for policy in mesh.setting.policies}) > 1:
        raise Unsaid(Reason.BOTH)
    if all(shut) or (request.deny_below and deny):
        return Heard(allowed=False, allow=allow, deny=deny)
    if (_scoped(request) and deny) or (not allowed and any(each.allow and each.deny for each in told)):
        raise Unsaid(Reason.BOTH)
    return Heard(allowed, allow, deny)


def _scoped(request: Request) -> bool:
    """Whether what lies below counts as if it were asked for itself."""
    return any(each != "SELF" for each in request.element_scopes.values()) or request.scope == "SELF_OR_CHILD"


def _one_zone(own: Place, below: Iterable[Place]) -> None:
    if {place.zone for place in below} - {own.zone}:
        raise Unsaid(Reason.ZONES)


def _access(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    if "isAllowed" not in expected:
        raise Unsaid(Reason.NO_RESULT)
    heard = verdict(mesh, request, unknown)
    if heard.allowed != expected["isAllowed"]:
        return f"allowed is {heard.allowed}, by {sorted(heard.allow)}, not by {sorted(heard.deny)}"
    policy = expected.get("policyId", -1)
    speaking = heard.allow if heard.allowed else heard.deny
    return "" if policy is None or policy < 0 or policy in speaking else f"{policy} is not one of {sorted(speaking)}"


def _mask(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    wanted = expected.get("additionalInfo") or {}
    return masked(mesh, request, wanted.get("maskType"), wanted.get("maskValue"), unknown, expected.get("policyId"))


def masked(
    mesh: Mesh, request: Request, type_: str | None, value: str | None, unknown: Mapping[str, bool], policy: int | None
) -> str:
    """What is not as expected of a mask: its type with Ranger, the kind it has with us, the policy."""
    own, _ = mesh.places(request)
    if request.access is None:
        raise Unsaid(Reason.ANY_VALUES)
    if own is None:
        return "" if type_ is None else "no such levels"
    caller = mesh.caller(request, request.access, unknown)
    spoken = mesh.spoken(own, caller, MASK)
    items = {mesh.draft.origins[str(each.policy)].items[each.rule].mask for each in spoken}
    if len(items) > 1:
        raise Unsaid(Reason.TWO_MASKS)
    outcome = mesh.outcome(own, caller, MASK, "public")
    if type_ is None:
        return "" if not spoken and outcome.kind == "allow" else f"masked by {outcome.policy}, {outcome.kind}"
    found = items.pop() if items else None
    if found is None or found[0] != type_ or (value is not None and found[1] != value):
        return f"the mask is {found}"
    if outcome.kind != kind(found):
        return f"{found} is {outcome.kind} here"
    by = {mesh.draft.origins[str(each.policy)].policy for each in spoken}
    return "" if policy is None or policy < 0 or policy in by else f"{policy} is not one of {sorted(by)}"


def _filter(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    wanted = (expected.get("additionalInfo") or {}).get("filterExpr")
    own, _ = mesh.places(request)
    if request.access is None:
        raise Unsaid(Reason.ANY_VALUES)
    if own is None:
        return "" if wanted is None else "no such levels"
    caller = mesh.caller(request, request.access, unknown)
    if not same(mesh.rows(own, caller), [wanted] if wanted else [], caller.parameters, row(own, caller)):
        return f"the rows are {mesh.rows(own, caller)}"
    by = {mesh.draft.origins[name].policy for name in mesh.filtering(own, caller)}
    policy = expected.get("policyId", -1)
    return "" if policy < 0 or policy in by else f"{policy} is not one of {sorted(by)}"


def _shared(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    policy = expected.get("policyId", -1) if expected["isAllowed"] else -1
    wrong = _access(mesh, request, {**expected, "policyId": policy}, unknown)
    own, below = mesh.places(request)
    if own is None:
        return wrong
    callers = [mesh.caller(request, each, unknown) for each in ([request.access] if request.access else mesh.accesses)]
    if expected["isAllowed"]:
        names = {name for place in (own, *below) for caller in callers for name in mesh.agreements(place, caller)}
        for key, projects in (("allowedByDatasets", False), ("allowedByProjects", True)):
            found = sharing.datasets(names, mesh.draft, projects=projects)
            if found != set(expected.get(key) or ()):
                wrong += f" {key} are {sorted(found)}"
    filters = expected.get("rowFilters")
    if len(own.elements) == 2 and request.access and (expected["isAllowed"] or filters):
        rows = mesh.rows(own, callers[0])
        if not same(rows, filters or [], callers[0].parameters, row(own, callers[0])):
            wrong += f" the rows are {rows}"
    if expected["isAllowed"] and request.access and len(own.elements) == 3:
        wrong += masked(mesh, request, expected.get("maskType"), expected.get("maskedValue"), unknown, None)
    return wrong


CHECKS: Mapping[str, Check] = {
    "result": _access,
    "dataMaskResult": _mask,
    "rowFilterResult": _filter,
    "shared": _shared,
}
