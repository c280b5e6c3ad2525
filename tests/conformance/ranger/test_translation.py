# SPDX-License-Identifier: Apache-2.0
"""Random policies in Ranger's form: what our language says of them is what Ranger's evaluation says."""

import random
from typing import Any

import pytest

from tests.conformance.ranger.asking import Mesh, row
from tests.conformance.ranger.filters import same
from tests.conformance.ranger.masks import kind
from tests.conformance.ranger.model import ACCESS, FILTER, MASK, Reason, Request, Setting, Unsaid
from tests.conformance.ranger.oracle import allowed, any_allowed, given
from tests.conformance.ranger.reading import files, read, stages
from tests.conformance.ranger.verdicts import verdict
from tests.conformance.sets import needed

SET = "ranger-policyengine"
SEEDS = 60
REQUESTS = 25
ORDERS = 400
"""How often evaluation is tried in another order at most, where Ranger has none that is known."""

USERS, GROUPS, ROLES = ("ana", "bo-b", "Cy_1"), ("hr", "it ops"), ("auditor", "chief")
DATABASES, TABLES, COLUMNS = ("sales", "sales-eu", "HR"), ("orders", "order", "t.1"), ("id", "e-mail", "mail", "x1")
PATHS = ("/", "/home", "/home/ana", "/home/bo-b/a.txt", "/fin/2020/q1", "/FIN/x", "/fin", "/tmp_1/a", "/tmpX1/a")
TAGS = ("PII", "PII-FINAL", "MONEY")
SELECTING = ["select", "update", "all"]


class Dice:
    """Random parts of Ranger's JSON."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def some(self, values: Any, least: int = 1, most: int = 2) -> list[Any]:
        return self.random.sample(list(values), min(len(values), self.random.randint(least, most)))

    def pattern(self, values: tuple[str, ...], *, wild: bool = True) -> dict[str, Any]:
        found = self.some(values)
        if wild and self.chance(0.6):
            one = found[0]
            cut = self.random.randint(0, len(one))
            shapes = [
                one[:cut] + "*",
                "*" + one[cut:],
                "*",
                one[:cut] + "?" + one[cut + 1 :],
                f"*{one[cut : cut + 1]}*",
            ]
            found[0] = self.random.choice(shapes)
        all_of_them = any(not each.strip("*") for each in found)  # to Ranger something might lie below even these
        return {"values": found, "isExcludes": self.chance(0.15) and not all_of_them}

    def item(self, prefix: str = "") -> dict[str, Any]:
        users = self.some((*USERS, "{USER}", "{OWNER}"), 0)
        groups = self.some((*GROUPS, "public", "public"), 0, 1)
        types = [{"type": prefix + each, "isAllowed": self.chance(0.9)} for each in self.some(SELECTING)]
        conditions = []
        if self.chance(0.25):
            conditions.append({"type": "country", "values": self.some(("US", "D*", "FR"))})
        if self.chance(0.15):
            conditions.append({"type": "script", "values": ["IS_IN_ROLE('auditor') && IS_IN_ROLE('chief')"]})
        roles = self.some(ROLES, 0, 1)
        return {"users": users, "groups": groups, "roles": roles, "accesses": types, "conditions": conditions}

    def access(self, number: int, resources: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        lists = ("policyItems", "denyPolicyItems", "allowExceptions", "denyExceptions")
        weights = (0.95, 0.3, 0.25, 0.4)
        found: dict[str, Any] = {
            name: [self.item(prefix) for _ in range(self.random.randint(1, 2))]
            for name, weight in zip(lists, weights, strict=True)
            if self.chance(weight)
        }
        found |= {"id": number, "resources": resources, "policyPriority": int(self.chance(0.2))}
        found["isDenyAllElse"] = self.chance(0.08)
        found["isEnabled"] = self.chance(0.95)
        if self.chance(0.1):
            found["conditions"] = [{"type": "country", "values": ["US"]}]
        return found

    def giving(self, number: int, resources: dict[str, Any], type_: int, prefix: str = "") -> dict[str, Any]:
        key, info, values = ("rowFilterPolicyItems", "rowFilterInfo", ["place = 'US'", "size > 3", ""])
        if type_ == MASK:
            key, info, values = ("dataMaskPolicyItems", "dataMaskInfo", ["MASK", "MASK_HASH", "MASK_NONE", "MASK_NULL"])
        what = "dataMaskType" if type_ == MASK else "filterExpr"
        items = [{**self.item(prefix), info: {what: self.random.choice(values)}} for _ in range(2)]
        priority = int(self.chance(0.3))
        return {"id": number, "resources": resources, "policyType": type_, key: items, "policyPriority": priority}


def tables(dice: Dice) -> dict[str, Any]:
    depth = dice.random.choice([1, 2, 3, 3, 3])
    levels = [("database", DATABASES), ("table", TABLES), ("column", COLUMNS)][:depth]
    if dice.chance(0.1):
        levels = [("database", DATABASES), ("udf", ("orders", "f"))]
    return {name: dice.pattern(values) for name, values in levels}


def paths(dice: Dice) -> dict[str, Any]:
    own = ("/home/{USER}", "/home/{USER}/*", "/*/{OWNER}")
    found = dice.pattern((*PATHS, *own) if dice.chance(0.5) else PATHS)
    return {"path": {**found, "isRecursive": dice.chance(0.6)}}


def levels(
    *named: tuple[str, str], matcher: str = "RangerDefaultResourceMatcher", **options: Any
) -> list[dict[str, Any]]:
    return [{"name": name, "parent": up, "matcher": matcher, "matcherOptions": options} for name, up in named]


CONDITIONS = [
    {"name": "country", "evaluator": "RangerSimpleMatcher", "evaluatorOptions": {"CONTEXT_NAME": "country"}},
    {"name": "script", "evaluator": "RangerScriptConditionEvaluator"},
]
TYPES = [
    {"name": "select"},
    {"name": "update"},
    {"name": "drop"},
    {"name": "all", "impliedGrants": ["select", "update"]},
]


def definition(*, of_paths: bool, ignore_case: bool) -> dict[str, Any]:
    if of_paths:
        resources = levels(("path", ""), matcher="org.x.RangerPathResourceMatcher", ignoreCase=ignore_case)
        narrowed = []
    else:
        named = [("database", ""), ("table", "database"), ("udf", "database"), ("column", "table")]
        resources = levels(*named, ignoreCase=ignore_case)
        narrowed = [{"name": each, "matcherOptions": {"wildCard": False}} for each in ("database", "table", "column")]
    masks, filters = {"resources": narrowed}, {"resources": narrowed[:2]}
    return {
        "name": "hive", "resources": resources, "accessTypes": TYPES, "policyConditions": CONDITIONS,
        "dataMaskDef": masks, "rowFilterDef": filters,
    }  # fmt: skip


def tag_definition() -> dict[str, Any]:
    types = [{**each, "name": f"hive:{each['name']}"} for each in TYPES[:3]]
    types.append({"name": "hive:all", "impliedGrants": ["hive:select", "hive:update"]})
    tag = {"resources": [{"name": "tag"}]}
    resources = levels(("tag", ""), ignoreCase=False)
    return {
        "name": "tag", "resources": resources, "accessTypes": types, "policyConditions": CONDITIONS, "dataMaskDef": tag,
        "rowFilterDef": tag,
    }  # fmt: skip


def file(seed: int) -> dict[str, Any]:
    """A case file with random policies and requests."""
    dice = Dice(seed)
    of_paths = dice.chance(0.4)
    resources = paths if of_paths else tables
    own = [dice.access(number, resources(dice)) for number in range(1, dice.random.randint(3, 7))]
    tags = [
        dice.access(100 + number, {"tag": dice.pattern(TAGS)}, "hive:") for number in range(dice.random.randint(0, 3))
    ]
    if not of_paths:
        for number in range(4):
            where = {name: dice.pattern(values, wild=False) for name, values in zip(("database", "table", "column"),
                     (DATABASES, TABLES, COLUMNS), strict=True)}  # fmt: skip
            own.append(dice.giving(20 + number, where, MASK))
            own.append(dice.giving(30 + number, {key: where[key] for key in ("database", "table")}, FILTER))
        tags += [dice.giving(120 + type_, {"tag": dice.pattern(TAGS)}, type_, "hive:") for type_ in (MASK, FILTER)]
    zones = {}
    if dice.chance(0.4):
        within = {"path": ["/fin"]} if of_paths else {"database": ["sales*"]}
        policies = [dice.access(200 + number, resources(dice)) for number in range(2)]
        zones = {
            "money": {"resources": [within], "policies": policies, "containsAssociatedTagService": dice.chance(0.3)}
        }
    found: dict[str, Any] = {
        "serviceName": "x", "serviceDef": definition(of_paths=of_paths, ignore_case=dice.chance(0.5)), "policies": own,
        "tagPolicyInfo": {"serviceDef": tag_definition(), "tagPolicies": tags}, "securityZones": zones,
        "userRoles": {"ana": ["auditor"]}, "groupRoles": {"hr": ["chief"]}, "roleRoles": {"auditor": ["chief"]},
    }  # fmt: skip
    if dice.chance(0.15):
        found["superUsers"] = ["bo-b"]
    return {**found, "tests": [request(dice, of_paths=of_paths) for _ in range(REQUESTS)]}


def request(dice: Dice, *, of_paths: bool) -> dict[str, Any]:
    if of_paths:
        elements = {"path": dice.random.choice(PATHS)}
    else:
        depth = dice.random.choice([1, 2, 3, 3, 3, 3])
        values = (("database", DATABASES), ("table", TABLES), ("column", COLUMNS))
        elements = {name: dice.random.choice(each) for name, each in values[:depth]}
    tags = [{"type": each} for each in dice.some(TAGS, 0)] if dice.chance(0.5) else []
    asked: dict[str, Any] = {
        "resource": {"elements": elements, "ownerUser": dice.random.choice([None, *USERS])},
        "accessType": dice.random.choice(["select", "select", "update", "drop", ""]),
        "user": dice.random.choice(USERS),
        "userGroups": dice.some(GROUPS, 0),
        "context": {"country": dice.random.choice(["US", "DE", "FR", "CH"]), **({"TAGS": tags} if tags else {})},
    }
    return {"name": str(elements), "request": asked, "result": {"isAllowed": False, "policyId": -1}}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_ours_says_what_rangers_evaluation_says(seed):
    (stage,) = read(file(seed))
    asked = [each.request for each in stage.questions if each.request is not None]
    assert len(asked) == REQUESTS
    for tags in dict.fromkeys(each.tags for each in asked):
        requests = [each for each in asked if each.tags == tags]
        mesh = Mesh(stage.setting, requests, tags or ())
        assert not mesh.draft.said.unknowns.reasons
        for each in requests:
            if each.access is None:
                check_any(mesh, stage.setting, each, random.Random(seed))
                continue
            heard = verdict(mesh, each, {})
            assert heard.allowed == allowed(stage.setting, each), (each, heard)
            check_masks(mesh, stage.setting, each)
            check_filters(mesh, stage.setting, each)


def test_rangers_evaluation_is_what_its_files_expect():
    root = needed(SET)
    agreed = 0
    for path in files(root):
        for stage in stages(path, root):
            for question in stage.questions:
                asked, result = question.request, question.expected.get("result")
                if asked is not None and result is not None and plain(stage.setting, asked):
                    assert allowed(stage.setting, asked) == result["isAllowed"], (path.name, question.name)
                    agreed += 1
    assert agreed > 0


def plain(setting: Setting, request: Request) -> bool:
    """Whether a request is one that the evaluation covers: one type of access to a resource itself, no scripts."""
    policies = setting.policies
    items = [item for policy in policies for item in policy.items]
    patterns = [pattern for policy in policies for one in policy.resources for pattern in one]
    tags = [*(request.tags or ()), *(tag for _, borne in setting.tagged for tag in borne)]
    return not (
        request.access is None
        or request.scope != "SELF"
        or request.element_scopes
        or any(policy.conditions or policy.schedules for policy in policies)
        or any(item.conditions for item in items)
        or any("${" in text for pattern in patterns for text in pattern.values)
        or any(not level.separator for chain in setting.service.chains[ACCESS] for level in chain)
        or any(tag.expires for tag in tags)
    )


def check_any(mesh: Mesh, setting: Setting, request: Request, dice: random.Random) -> None:
    """Of policies on tags the order matters more than is known here, and of zones which count."""
    tagged = request.tags and any(policy.tag for policy in setting.policies)
    if tagged or setting.zones or request.user in setting.supers[0]:
        return
    try:
        heard = verdict(mesh, request, {})
    except Unsaid as reason:
        if str(reason) != Reason.BOTH:
            raise
        return
    assert any(any_allowed(setting, request, dice) == heard.allowed for _ in range(ORDERS)), (request, heard)


def check_masks(mesh: Mesh, setting: Setting, request: Request) -> None:
    own, _ = mesh.places(request)
    if own is None or len(own.elements) != 3:
        return
    items = given(setting, request, MASK)
    if len({item.mask for item in items}) > 1:
        return
    outcome = mesh.outcome(own, mesh.caller(request, request.access, {}), MASK, "public")
    assert outcome.kind == kind(items[0].mask if items else None), request


def check_filters(mesh: Mesh, setting: Setting, request: Request) -> None:
    own, _ = mesh.places(request)
    if own is None or len(own.elements) != 2:
        return
    items = given(setting, request, FILTER)
    if len({item.filter for item in items}) > 1:
        return
    caller = mesh.caller(request, request.access, {})
    wanted = [item.filter for item in items if item.filter]
    assert same(mesh.rows(own, caller), wanted, caller.parameters, row(own, caller)), request
