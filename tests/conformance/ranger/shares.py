# SPDX-License-Identifier: Apache-2.0
"""Data shares, datasets and projects of Ranger, and its schedules on their own."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.conformance.ranger.model import (
    ACCESS,
    Grant,
    Item,
    Pattern,
    Policy,
    Question,
    Reason,
    Request,
    Service,
    Setting,
    Share,
    Stage,
    Unsaid,
)
from tests.conformance.ranger.policies import item, resource, schedules
from tests.conformance.ranger.requests import moment
from tests.conformance.ranger.services import EMBEDDED
from tests.conformance.ranger.services import service as service_of

Json = Mapping[str, Any]

READ = {"id", "name", "validitySchedule", "policies", "guid", "description", "version"}
ALL, READS = "_all", "_read"
READING = frozenset({"select", "read"})
"""The access types that Ranger's definition of Hive counts as reading."""


def shares(found: Json, service: Service) -> Iterator[Share]:
    """Read every shared resource with its grants: datasets that hold it, and projects that hold these."""
    datasets, projects = ({each["id"]: each for each in found.get(key) or ()} for key in ("datasets", "projects"))
    in_projects = [each for each in found.get("dips") or () if each.get("status") == "ACTIVE"]
    held = [each for each in found.get("dshids") or () if each.get("status") == "ACTIVE"]
    by_share = {each["id"]: each for each in found.get("dataShares") or ()}
    for each in found.get("resources") or ():
        share = by_share.get(each["dataShareId"])
        if share is None:
            continue
        if share.get("defaultTagMasks"):
            raise Unsaid(Reason.UNREAD)
        grants: list[Grant] = []
        for entry in held:
            if entry["dataShareId"] == share["id"] and entry["datasetId"] in datasets:
                dataset = datasets[entry["datasetId"]]
                times = [entry.get("validitySchedule"), dataset.get("validitySchedule")]
                grants += _grants(dataset, times, service, project=False)
                for link in in_projects:
                    if link["datasetId"] == dataset["id"] and link["projectId"] in projects:
                        project = projects[link["projectId"]]
                        through = [*times, link.get("validitySchedule"), project.get("validitySchedule")]
                        grants += _grants(project, through, service, project=True)
        yield _share(each, share, tuple(grants), service)


def _share(found: Json, share: Json, grants: tuple[Grant, ...], service: Service) -> Share:
    whole = dict(found.get("resource") or {})
    if found.get("subResourceType") and (found.get("subResource") or {}).get("values"):
        whole[found["subResourceType"]] = found["subResource"]
    read = resource(whole, service)
    if read is None:
        raise Unsaid(Reason.UNREAD)
    types = found["accessTypes"] if found.get("accessTypes") is not None else share.get("defaultAccessTypes") or ()
    return Share(
        id=found["id"],
        resource=read,
        zone=share.get("zoneName") or "",
        accesses=frozenset(one for each in types for one in _meant(each.lower(), service)),
        conditional=bool(found.get("conditionExpr") or share.get("conditionExpr")),
        filter=(found.get("rowFilter") or {}).get("filterExpr"),
        masks=tuple(
            (tuple(each["values"]), (each["maskInfo"]["dataMaskType"], each["maskInfo"].get("valueExpr")))
            for each in found.get("subResourceMasks") or ()
        ),
        grants=grants,
    )


def _meant(access: str, service: Service) -> frozenset[str]:
    if access == ALL:
        return frozenset(service.implied)
    if access == READS and service.type == "hive":
        return READING
    if access.startswith("_"):
        raise Unsaid(Reason.UNREAD)
    return service.implied.get(access, frozenset({access}))


def _grants(found: Json, times: Iterable[Json | None], service: Service, *, project: bool) -> Iterator[Grant]:
    if set(found) - READ:
        raise Unsaid(Reason.UNREAD)
    valid = schedules(each for each in times if each)
    for policy in found.get("policies") or ():
        if policy.get("denyPolicyItems") or policy.get("allowExceptions") or policy.get("validitySchedules"):
            raise Unsaid(Reason.UNREAD)
        for each in policy.get("policyItems") or ():
            read = item(each, service, service.type)
            meant = frozenset(one for access in read.accesses for one in _meant(access, service))
            item_ = Item(read.users, read.groups, read.roles, meant, read.conditions)
            yield Grant(found["name"], project, policy["id"], item_, valid)


def of_schedule(found: Json) -> Stage:
    """Read a test of validity schedules: whether a policy with them applies at a time."""
    name = found.get("name", "")
    service = service_of(EMBEDDED["hive"])
    try:
        when = moment(found["accessTime"])
        given = schedules(found["validitySchedules"])
        reason = next((each.unsaid for each in given if each.unsaid), Reason.TIME if _zoned(found) else "")
        if reason:
            raise Unsaid(reason)
    except Unsaid as unsaid:
        return Stage(Setting(service), (Question(name, None, {}, str(unsaid)),))
    level = service.chains[ACCESS][0][0]
    item_ = Item((), ("public",), (), frozenset({"select"}))
    everything = ((Pattern(level, ("*",)),),)
    policy = Policy(1, ACCESS, 0, tag=False, zone="", resources=everything, allow=(item_,), schedules=given)
    request = Request({level.name: "any"}, None, "select", "somebody", (), frozenset(), when=when)
    expected = {"result": {"isAllowed": found["result"]["isApplicable"]}}
    return Stage(Setting(service, policies=(policy,)), (Question(name, request, expected),))


def _zoned(found: Json) -> bool:
    return any(each.get("timeZone") for each in found["validitySchedules"])
