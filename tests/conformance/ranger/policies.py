# SPDX-License-Identifier: Apache-2.0
"""Policies, zones and tags of Ranger, read from JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.conformance.ranger.model import (
    ACCESS,
    FILTER,
    MASK,
    Condition,
    Item,
    Pattern,
    Policy,
    Reason,
    Resource,
    Schedule,
    Service,
    Tag,
    Unsaid,
    Zone,
)
from tests.conformance.ranger.services import access_name

TOLD = {"id", "policyType", "policyPriority", "resources", "additionalResources", "isEnabled", "zoneName", "conditions"}
TOLD |= {"policyItems", "denyPolicyItems", "allowExceptions", "denyExceptions", "isDenyAllElse", "validitySchedules"}
TOLD |= {"dataMaskPolicyItems", "rowFilterPolicyItems"}
IDLE = {"name", "description", "guid", "version", "service", "serviceType", "isAuditEnabled", "options", "policyLabels"}
IDLE |= {"createdBy", "updatedBy", "createTime", "updateTime", "resourceSignature"}

ADMIN = "_admin"
"""The access that an item gives by `delegateAdmin`."""


def policy(found: Mapping[str, Any], service: Service, of: str, zone: str = "") -> Policy | None:
    """Read a policy of a service, or of tags as they count for the service `of`; None where it never applies."""
    if set(found) - TOLD - IDLE:
        raise Unsaid(Reason.UNREAD)
    type_ = found.get("policyType") or ACCESS
    if found.get("isEnabled") is False or type_ not in {ACCESS, MASK, FILTER}:
        return None
    sets = [found.get("resources") or {}, *(found.get("additionalResources") or ())]
    resources = tuple(each for each in (resource(one, service, type_) for one in sets) if each)
    if not resources:
        return None
    lists = {key: _items(found.get(key), service, of) for key in TOLD if key.endswith(("Items", "Exceptions"))}
    denies = service.denies
    return Policy(
        id=found["id"],
        type=type_,
        priority=found.get("policyPriority") or 0,
        tag=service.type == "tag",
        zone=found.get("zoneName") or zone,
        resources=resources,
        allow=lists["policyItems"] if type_ == ACCESS else (),
        deny=lists["denyPolicyItems"] if denies and type_ == ACCESS else (),
        not_allow=lists["allowExceptions"] if denies else (),
        not_deny=lists["denyExceptions"] if denies else (),
        gives={MASK: lists["dataMaskPolicyItems"], FILTER: lists["rowFilterPolicyItems"]}.get(type_, ()),
        deny_all_else=bool(found.get("isDenyAllElse")) and type_ == ACCESS,
        conditions=_conditions(found.get("conditions")),
        schedules=schedules(found.get("validitySchedules")),
    )


def resource(found: Mapping[str, Any], service: Service, type_: int = ACCESS) -> Resource | None:
    """Read a resource of a policy; None where its levels are no chain, which Ranger never matches."""
    given = {name: each for name, each in found.items() if each and each.get("values")}
    chain = service.chain(frozenset(given), type_)
    if chain is None:
        return None
    return tuple(
        Pattern(
            level,
            tuple(str(value) for value in given[level.name]["values"] if value),
            bool(given[level.name].get("isExcludes")),
            bool(given[level.name].get("isRecursive")),
        )
        for level in chain
    )


def _items(found: Any, service: Service, of: str) -> tuple[Item, ...]:
    return tuple(item(each, service, of) for each in found or ())


def item(found: Mapping[str, Any], service: Service, of: str) -> Item:
    """Read an item of a policy."""
    accesses: set[str] = {ADMIN} if found.get("delegateAdmin") else set()
    for each in found.get("accesses") or ():
        name = access_name(each["type"], of)
        if name is not None and each.get("isAllowed", True) is not False:
            accesses |= service.implied.get(name, frozenset({name}))
    mask, filter_ = found.get("dataMaskInfo") or {}, found.get("rowFilterInfo") or {}
    if mask.get("conditionExpr"):
        raise Unsaid(Reason.MASK_CONDITION)
    return Item(
        users=tuple(found.get("users") or ()),
        groups=tuple(found.get("groups") or ()),
        roles=tuple(found.get("roles") or ()),
        accesses=frozenset(accesses),
        conditions=_conditions(found.get("conditions")),
        mask=(mask["dataMaskType"], mask.get("valueExpr")) if mask.get("dataMaskType") else None,
        filter=filter_.get("filterExpr"),
    )


def _conditions(found: Any) -> tuple[Condition, ...]:
    return tuple(Condition(each["type"], tuple(each.get("values") or ())) for each in found or () if each)


def schedules(found: Iterable[Mapping[str, Any]] | None) -> tuple[Schedule, ...]:
    """Read validity schedules; of several one is enough."""
    return tuple(_schedule(each) for each in found or ())


def _schedule(found: Mapping[str, Any]) -> Schedule:
    times = [_time(found.get(key)) for key in ("startTime", "endTime")]
    if found.get("recurrences"):
        return Schedule(*times, unsaid=Reason.RECURRING)
    if times == [None, None]:
        return Schedule(*times, unsaid=Reason.EMPTY_SCHEDULE)
    return Schedule(*times)


def _time(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S") if text else None


def zone(name: str, found: Mapping[str, Any], service: Service) -> Zone:
    """Read a security zone."""
    resources = []
    for each in found.get("resources") or ():
        as_policy = {
            level: {"values": values, "isRecursive": _reaches_below(level, service)} for level, values in each.items()
        }
        one = resource(as_policy, service)
        if one is None:
            raise Unsaid(Reason.UNREAD)
        resources.append(one)
    return Zone(name, tuple(resources), bool(found.get("containsAssociatedTagService")))


def _reaches_below(level: str, service: Service) -> bool:
    return any(each.name == level and each.recursive for chain in service.chains[ACCESS] for each in chain)


def tagged(found: Mapping[str, Any], service: Service) -> tuple[tuple[Resource, tuple[Tag, ...]], ...]:
    """Read a store of tags: resources with the tags that they bear."""
    tags = {str(key): tag(each, f"i{key}") for key, each in (found.get("tags") or {}).items()}
    borne = {str(key): each for key, each in (found.get("resourceToTagIds") or {}).items()}
    pairs = []
    for each in found.get("serviceResources") or ():
        one = resource(each.get("resourceElements") or {}, service)
        if one is not None:
            pairs.append((one, tuple(tags[str(key)] for key in borne.get(str(each["id"]), ()))))
    return tuple(pairs)


def tag(found: Mapping[str, Any], instance: str) -> Tag:
    """Read a tag."""
    attributes = {key: str(value) for key, value in (found.get("attributes") or {}).items() if value is not None}
    return Tag(found["type"], instance, tuple(sorted(attributes.items())), bool(found.get("validityPeriods")))
