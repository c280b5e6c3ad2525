# SPDX-License-Identifier: Apache-2.0
"""Requests of Ranger and what its files expect of them, read from JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.conformance.ranger.model import Question, Reason, Request, Tag, Unsaid
from tests.conformance.ranger.policies import tag

ACLS = {"userPermissions", "groupPermissions", "rolePermissions", "dataMasks", "rowFilters"}
OUTCOMES = {
    "result",
    "dataMaskResult",
    "rowFilterResult",
    "resourceAccessInfo",
    "acls",
    "dataMasks",
    "rowFilters",
} | ACLS
LISTINGS = {"sharedWith", "principals:", "principals", "datasetId", "projectId", "dataShareId"}
LISTINGS |= {"datasetIds", "projectIds", "dataShareIds"}
READ = {"name", "request", "resource", "userAttributes"} | OUTCOMES
TOLD = {"resource", "accessType", "user", "userGroups", "userRoles", "context", "accessTime", "resourceMatchingScope"}
TOLD |= {"resourceElementMatchingScopes", "isDescendantDenyIgnored"}
IDLE = {"requestData", "remoteIPAddress", "clientIPAddress", "forwardedAddresses", "action", "clientType", "sessionId"}
IDLE |= {"clusterName", "clusterType"}

ANY = {"", "_any"}
TIMES = ("%Y%m%d-%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z")
CONDITIONED = {"REQUESTED_RESOURCES"}
"""Keys of a request's context that nothing but conditions reads."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who has which roles: users, groups, and roles that are within roles."""

    users: Mapping[str, Iterable[str]]
    groups: Mapping[str, Iterable[str]]
    roles: Mapping[str, Iterable[str]]

    def of(self, user: str | None, groups: Iterable[str]) -> frozenset[str]:
        """Every role of a user in some groups."""
        open_ = [*(self.users.get(user, ()) if user is not None else ())]
        open_ += [role for group in (*groups, "public") for role in self.groups.get(group, ())]
        reached: set[str] = set()
        while open_:
            role = open_.pop()
            if role not in reached:
                reached.add(role)
                open_ += self.roles.get(role, ())
        return frozenset(reached)


def question(found: Mapping[str, Any], roles: Roles, *, shared: bool) -> Question:
    """Read a test; `shared`: it is asked of shares, which expect more than Ranger's own policies do."""
    name = found.get("name", "")
    if LISTINGS & set(found):
        raise Unsaid(Reason.LISTING)
    if set(found) - READ:
        raise Unsaid(Reason.UNREAD)
    expected = _expected(found, shared=shared)
    given = found.get("request") or {"resource": found.get("resource") or {}}
    return Question(name, _request(given, roles, found.get("userAttributes") or {}), expected)


def _expected(found: Mapping[str, Any], *, shared: bool) -> dict[str, Any]:
    """What a test expects, by kind: listings of permissions stand together, and none at all is a listing too."""
    listed = {key: value for key, value in found.items() if key in ACLS}
    expected = {key: value for key, value in found.items() if key in OUTCOMES - ACLS and value is not None}
    if listed or "resource" in found:
        expected["acls"] = listed
    if shared and "result" in found:
        expected.pop("result", None)
        expected["shared"] = {"isAllowed": False, **(found["result"] or {})}
    if not expected:
        raise Unsaid(Reason.NO_RESULT)
    return expected


def _request(found: Mapping[str, Any], roles: Roles, attributes: Mapping[str, Mapping[str, str]]) -> Request:
    resource = found.get("resource") or {}
    if set(found) - TOLD - IDLE or set(resource) - {"elements", "ownerUser", "serviceDef"}:
        raise Unsaid(Reason.UNREAD)
    elements = {name: value for name, value in (resource.get("elements") or {}).items() if value is not None}
    if not all(isinstance(value, str) for value in elements.values()):
        raise Unsaid(Reason.SEVERAL)
    user, groups = found.get("user"), tuple(found.get("userGroups") or ())
    access = (found.get("accessType") or "").lower()
    context, tags = _context(found.get("context") or {})
    return Request(
        elements=elements,
        owner=resource.get("ownerUser"),
        access=None if access in ANY else access,
        user=user,
        groups=groups,
        roles=frozenset(found.get("userRoles") or ()) or roles.of(user, groups),
        scope=found.get("resourceMatchingScope") or "SELF",
        element_scopes=found.get("resourceElementMatchingScopes") or {},
        deny_below=found.get("isDescendantDenyIgnored") is False,
        context=context,
        tags=tags,
        when=_moment(found.get("accessTime")),
        attributes=_attributes(user, attributes),
    )


def _context(found: Mapping[str, Any]) -> tuple[dict[str, str], tuple[Tag, ...] | None]:
    plain = {key: value for key, value in found.items() if key not in {"TAGS", *CONDITIONED}}
    if any(not isinstance(value, str) or key.isupper() for key, value in plain.items()):
        raise Unsaid(Reason.CONTEXT)
    if "TAGS" not in found:
        return plain, None
    listed = json.loads(found["TAGS"]) if isinstance(found["TAGS"], str) else found["TAGS"]
    if any((each.get("matchType") or "SELF") not in {"SELF", "ANCESTOR"} for each in listed):
        raise Unsaid(Reason.TAG_BELOW)
    return plain, tuple(tag(each, f"c{number}") for number, each in enumerate(listed))


def _attributes(user: str | None, found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    own = found.get(user or "", {})
    return {key: value.replace("{USER}", user or "") for key, value in own.items()}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    for form in TIMES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise Unsaid(Reason.UNREAD)


def moment(text: str) -> datetime:
    """Read a time; raises Unsaid where it is written in another way."""
    found = _moment(text)
    if found is None:
        raise Unsaid(Reason.UNREAD)
    return found
