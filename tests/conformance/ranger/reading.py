# SPDX-License-Identifier: Apache-2.0
"""The case files of Apache Ranger's policy engine, read stage by stage. What is not read is told, never guessed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.conformance.ranger import shares
from tests.conformance.ranger.model import Question, Reason, Request, Setting, Stage, Unsaid, Zone
from tests.conformance.ranger.policies import policy, tagged, zone
from tests.conformance.ranger.requests import Roles, question
from tests.conformance.ranger.services import EMBEDDED, normalised, service

Json = Mapping[str, Any]

PREFIX = "/policyengine/"
"""Where the files name one another from."""

READ = {"serviceName", "serviceDef", "policies", "tagPolicyInfo", "tagPolicies", "securityZones", "tests", "testsInfo"}
READ |= {"updatedPolicies", "updatedTests", "userRoles", "groupRoles", "roleRoles", "superUsers", "superGroups"}
READ |= {"serviceConfig", "serviceType", "gdsInfoFilename", "name", "updatedTestsInfo"}
IDLE = {"original-serviceDef", "auditMode", "auditExcludedUsers", "auditExcludedGroups", "auditExcludedRoles"}
IDLE |= {"policyVersion", "serviceId", "policyUpdateTime"}
UNREADABLE = (KeyError, TypeError, AttributeError, ValueError)
"""What reading JSON of another shape ends in."""


def files(folder: Path) -> list[Path]:
    """The case files below a folder; the others are what they name."""
    return sorted(folder.rglob("test*.json"))


def stages(path: Path, folder: Path) -> list[Stage]:
    """Read a case file; what names another file finds it in `folder`."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:
        return [Stage(_nothing(), (Question(path.stem, None, {}, Reason.UNREAD),))]
    return read(found, folder)


def read(found: Any, folder: Path | None = None) -> list[Stage]:
    """Read the JSON of a case file; without a folder it names no others."""
    if isinstance(found, list):
        return [shares.of_schedule(each) for each in found]
    if "testCases" not in found:
        return list(_stages(found, folder))
    stages_: list[Stage] = []
    for each in found["testCases"]:
        if "servicePolicies" in each:
            stages_ += _stages({**each["servicePolicies"], "tests": each.get("tests")}, folder)
        else:
            stages_.append(Stage(_nothing(), (Question(each.get("name", ""), None, {}, Reason.NO_REQUEST),)))
    return stages_


def _stages(found: Json, folder: Path | None) -> Iterator[Stage]:
    try:
        reader = _Reader(found, folder)
        states = list(reader.states())
    except (Unsaid, *UNREADABLE) as reason:
        told = str(reason) if isinstance(reason, Unsaid) else Reason.UNREAD
        entries = [each for _, tests in _steps(found) for each in tests]
        yield Stage(_nothing(), tuple(Question(each.get("name", ""), None, {}, told) for each in entries))
        return
    for setting, tests in states:
        yield Stage(setting, tuple(_asked(each, reader.roles, setting) for each in tests))


def _asked(found: Json, roles: Roles, setting: Setting) -> Question:
    try:
        return question(found, roles, shared=bool(setting.shares))
    except (Unsaid, *UNREADABLE) as reason:
        told = str(reason) if isinstance(reason, Unsaid) else Reason.UNREAD
        return Question(found.get("name", ""), None, {}, told)


def _nothing() -> Setting:
    return Setting(service(EMBEDDED["hive"]))


def _steps(found: Json) -> Iterator[tuple[Json | None, list[Json]]]:
    """The tests one after another, each with the change of policies before it."""
    info = found.get("testsInfo", found)
    change: Json | None = None
    while info is not None:
        yield change, list(info.get("tests") or ())
        change, later = info.get("updatedPolicies"), info.get("updatedTestsInfo")
        if later is None and info.get("updatedTests"):
            later = {"tests": info["updatedTests"]}
        info = later


class _Reader:
    """What one file says of its service, read once."""

    def __init__(self, found: Json, folder: Path | None) -> None:
        if set(found) - READ - IDLE:
            raise Unsaid(Reason.UNREAD)
        definition = found.get("serviceDef") or EMBEDDED.get(found.get("serviceType", ""))
        if definition is None:
            raise Unsaid(Reason.UNREAD)
        self._found, self._folder = found, folder
        self.service = service(definition)
        self.roles = Roles(*(found.get(key) or {} for key in ("userRoles", "groupRoles", "roleRoles")))
        tags = found.get("tagPolicyInfo") or found.get("tagPolicies") or {}
        self._tag_def: Json = tags.get("serviceDef") or {}
        self.tag_service = service(normalised(self._tag_def, self.service.type)) if self._tag_def else None
        self._tag_policies: list[Json] = list(tags.get("tagPolicies") or tags.get("policies") or ())

    def states(self) -> Iterator[tuple[Setting, list[Json]]]:
        """The setting at each step, with its tests."""
        base = Setting(self.service, self.tag_service, tagged=self._tagged(), supers=self._supers())
        base = replace(base, shares=tuple(self._shares()))
        own = list(self._found.get("policies") or ())
        tags = list(self._tag_policies)
        zones = {name: dict(each) for name, each in (self._found.get("securityZones") or {}).items()}
        for change, tests in _steps(self._found):
            if change is not None:
                own, tags, zones = _changed(change, own, tags, zones)
            yield self._setting(base, own, tags, zones), tests

    def _setting(self, base: Setting, own: list[Json], tags: list[Json], zones: Mapping[str, Json]) -> Setting:
        read = [policy(each, self.service, self.service.type) for each in own]
        for name, each in zones.items():
            read += [policy(one, self.service, self.service.type, name) for one in each.get("policies") or ()]
        if self.tag_service is not None:
            read += [policy(each, self.tag_service, self.service.type) for each in tags]
        known: tuple[Zone, ...] = tuple(zone(name, each, self.service) for name, each in zones.items())
        return replace(base, policies=tuple(each for each in read if each is not None), zones=known)

    def _tagged(self) -> Any:
        enrichers = [*(self._found["serviceDef"].get("contextEnrichers") or ())] if "serviceDef" in self._found else []
        names = [
            (each.get("enricherOptions") or {}).get("serviceTagsFileName")
            for each in [*enrichers, *(self._tag_def.get("contextEnrichers") or ())]
        ]
        return tuple(pair for name in names if name for pair in tagged(_json(self._folder, name), self.service))

    def _supers(self) -> tuple[frozenset[str], frozenset[str]]:
        config = dict(self._found.get("serviceConfig") or {})
        lists = [
            frozenset(filter(None, (each.strip() for each in config.pop(f"ranger.plugin.super.{kind}", "").split(","))))
            for kind in ("users", "groups")
        ]
        if any(not key.startswith("ranger.plugin.audit.") for key in config):
            raise Unsaid(Reason.UNREAD)
        users, groups = (frozenset(self._found.get(key) or ()) for key in ("superUsers", "superGroups"))
        return lists[0] | users, lists[1] | groups

    def _shares(self) -> Iterator[Any]:
        name = self._found.get("gdsInfoFilename")
        if name:
            yield from shares.shares(_json(self._folder, name), self.service)


def _json(folder: Path | None, name: str) -> Any:
    path = folder / name.removeprefix(PREFIX) if folder is not None else None
    if path is None or not path.exists():
        raise Unsaid(Reason.NO_FILE)
    return json.loads(path.read_text("utf-8"))


def _changed(
    change: Json, own: list[Json], tags: list[Json], zones: Mapping[str, Json]
) -> tuple[list[Json], list[Json], dict[str, Json]]:
    """Apply what changed to the policies of the service, of tags and of zones."""
    if set(change) - {"policyDeltas", "securityZones", "policyVersion", "serviceName", "serviceId"}:
        raise Unsaid(Reason.UNREAD)
    deltas = change.get("policyDeltas") or ()
    of_tags: Callable[[Json], bool] = lambda delta: delta["policy"].get("serviceType") == "tag"  # noqa: E731
    own = _merged(own, [each for each in deltas if not of_tags(each)])
    tags = _merged(tags, [each for each in deltas if of_tags(each)])
    after = dict(zones)
    for name, each in (change.get("securityZones") or {}).items():
        before = after.get(name, {})
        kept = _merged(list(before.get("policies") or ()), each.get("policyDeltas") or ())
        after[name] = {**before, **each, "policies": [*kept, *(each.get("policies") or ())]}
    return own, tags, after


def _merged(policies: list[Json], deltas: Any) -> list[Json]:
    merged = {each["id"]: each for each in policies}
    for delta in deltas:
        if delta.get("changeType") not in {0, 1, 2}:
            raise Unsaid(Reason.UNREAD)
        if delta["changeType"] == 2:
            merged.pop(delta["policy"]["id"], None)
        else:
            merged[delta["policy"]["id"]] = delta["policy"]
    return list(merged.values())


def asks(stage: Stage) -> list[Request]:
    """The requests of a stage that are to be judged."""
    return [each.request for each in stage.questions if each.request is not None and not each.unsaid]
