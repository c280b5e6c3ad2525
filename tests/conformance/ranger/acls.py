# SPDX-License-Identifier: Apache-2.0
"""Listings of who may do what with a resource, checked by asking for everybody who is named anywhere, one by one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.conformance.ranger.asking import Caller, Mesh, row
from tests.conformance.ranger.filters import same
from tests.conformance.ranger.model import FILTER, MASK, Item, Reason, Request, Setting, Unsaid
from tests.conformance.ranger.places import Place, relation
from tests.conformance.ranger.speech import CURRENT, OWNER, PUBLIC
from tests.conformance.ranger.verdicts import Check, verdict
from tests.conformance.ranger.writing import rank

KINDS = ("user", "group", "role")
PERMISSIONS = {f"{kind}{suffix}": kind for kind in KINDS for suffix in ("Permissions", "ACLs")}
LISTS = {f"{kind}s": kind for kind in KINDS}
ALL = "all"
"""An access type that stands for others; whether it is listed itself differs between Ranger's own listings."""

Named = dict[str, set[str]]


def named(setting: Setting, expected: Mapping[str, Any]) -> Named:
    """Everybody whom the policies of a setting or a listing names; nobody where nothing is listed."""
    found: Named = {kind: set() for kind in KINDS}
    if not {"acls", "resourceAccessInfo"} & set(expected):
        return found
    items: list[Item] = [item for policy in setting.policies for item in policy.items]
    items += [grant.item for share in setting.shares for grant in share.grants]
    for item in items:
        for kind, names in zip(KINDS, (item.users, item.groups, item.roles), strict=True):
            found[kind] |= set(names) - {CURRENT, OWNER, PUBLIC, ""}
    for key, kind in PERMISSIONS.items():
        found[kind] |= set((expected.get("acls") or {}).get(key) or ()) - {PUBLIC, ""}
    return found


def _alone(kind: str, name: str, request: Request) -> Request:
    """The request by one user, group or role alone; `public` is a group of everybody, so that nobody makes it."""
    nobody = replace(request, user=None, groups=(), roles=frozenset())
    if name == PUBLIC:
        return nobody
    if kind == "user":
        return replace(nobody, user=name)
    return replace(nobody, groups=(name,)) if kind == "group" else replace(nobody, roles=frozenset({name}))


def _info(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    """Who is allowed and who is denied, by users and groups."""
    own, _ = mesh.places(request)
    _plain(mesh, own)
    if own is not None and any(
        relation(one, own.elements) == "above" for each in mesh.setting.policies for one in each.resources
    ):
        raise Unsaid(Reason.ABOVE)
    wide = replace(request, scope="SELF_OR_DESCENDANTS")
    for kind in ("user", "group"):
        names = sorted(named(mesh.setting, {"acls": {}})[kind])
        heard = {name: verdict(mesh, _alone(kind, name, wide), unknown) for name in names}
        allowed = {name for name, each in heard.items() if each.allowed}
        denied = {name for name, each in heard.items() if each.deny and not each.allowed}
        for found, key in ((allowed, f"allowed{kind.title()}s"), (denied, f"denied{kind.title()}s")):
            if found != set(expected.get(key) or ()):
                return f"{key} are {sorted(found)}"
    return ""


def _plain(mesh: Mesh, own: Place | None) -> None:
    """Refuse listings in which everybody is, or whoever asks, or owns."""
    for policy in mesh.setting.policies:
        reaches = own is not None and any(relation(one, own.elements) is not None for one in policy.resources)
        for item in policy.items if reaches or policy.tag else ():
            if item.accesses and (PUBLIC in item.groups or {CURRENT, OWNER} & set(item.users)):
                raise Unsaid(Reason.EVERYBODY)


def _acls(mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]) -> str:
    """Each permission of each user, group and role; of those not listed none but what everybody has."""
    if set(expected) - set(PERMISSIONS) - {"dataMasks", "rowFilters", "datasets", "projects"}:
        raise Unsaid(Reason.UNREAD)
    listed = {
        (kind, name, access): entry.get("result")
        for key, kind in PERMISSIONS.items()
        for name, accesses in (expected.get(key) or {}).items()
        for access, entry in accesses.items()
    }
    if set(listed.values()) - {1, -1} or any(each.get("isConditional") for each in expected.get("rowFilters") or ()):
        raise Unsaid(Reason.CONDITIONAL)
    everybody = {name for (_, name, access), result in listed.items() if name == PUBLIC and result == -1}
    if everybody or {CURRENT, OWNER} & {name for _, name, _ in listed}:
        raise Unsaid(Reason.EVERYBODY)
    _closed(mesh, request)
    for kind, name, access in _cells(mesh, expected, listed):
        heard = verdict(mesh, replace(_alone(kind, name, request), access=access), unknown)
        wanted = listed.get((kind, name, access))
        everybody = listed.get(("group", PUBLIC, access)) == 1 and wanted is None
        if heard.allowed != (wanted == 1 or everybody):
            return f"{name} {access}: allowed is {heard.allowed}, by {sorted(heard.allow)}, not by {sorted(heard.deny)}"
    own, _ = mesh.places(request)
    if own is None:
        return ""
    wrong = _masks(mesh, own, request, expected, unknown) if _is_leaf(mesh, own, MASK) else ""
    return wrong or (_filters(mesh, own, request, expected, unknown) if _is_leaf(mesh, own, FILTER) else "")


def _closed(mesh: Mesh, request: Request) -> None:
    """Refuse listings of what a policy closes to everybody it does not name."""
    own, _ = mesh.places(request)
    for policy in mesh.setting.policies:
        reaches = own is not None and any(relation(one, own.elements) is not None for one in policy.resources)
        if policy.deny_all_else and (reaches or policy.tag):
            raise Unsaid(Reason.EVERYBODY)


def _is_leaf(mesh: Mesh, own: Place, type_: int) -> bool:
    """Whether a resource is one that masks, or filters, are for: a column, or a table."""
    levels = [level.name for level, _ in own.elements]
    return any(levels == [level.name for level in chain] for chain in mesh.setting.service.chains[type_])


def _cells(
    mesh: Mesh, expected: Mapping[str, Any], listed: Iterable[tuple[str, str, str]]
) -> Iterator[tuple[str, str, str]]:
    everybody = named(mesh.setting, {"acls": expected})
    cells = [(kind, name, access) for kind in KINDS for name in sorted(everybody[kind]) for access in mesh.accesses]
    yield from dict.fromkeys([*listed, *(cell for cell in cells if cell[2] != ALL)])


def _callers(
    mesh: Mesh, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]
) -> Iterator[tuple[str, str, Caller]]:
    everybody = named(mesh.setting, {"acls": expected})
    for key, kind in LISTS.items():
        for each in [*(expected.get("dataMasks") or ()), *(expected.get("rowFilters") or ())]:
            everybody[kind] |= set(each.get(key) or ())
    for kind in KINDS:
        for name in sorted(everybody[kind]):
            yield kind, name, mesh.caller(_alone(kind, name, request), "select", unknown)


def _masks(
    mesh: Mesh, own: Place, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]
) -> str:  # fmt: skip
    """Every mask that some policy may have for somebody, and whether on a condition, whichever counts in the end."""
    _one_each(mesh, MASK)
    conditional = {
        each["maskInfo"]["dataMaskType"] for each in expected.get("dataMasks") or () if each.get("isConditional")
    }
    listed = list(_listed(expected.get("dataMasks") or (), "maskInfo", "dataMaskType"))
    for kind, name, caller in _callers(mesh, request, expected, unknown):
        found = set(mesh.possible(own, caller))
        wanted = {(what, what in conditional) for whom, who, what in listed if (whom, who) == (kind, name)}
        if found != wanted:
            return f"{name}: the masks are {sorted(found)}"
    return ""


def _filters(
    mesh: Mesh, own: Place, request: Request, expected: Mapping[str, Any], unknown: Mapping[str, bool]
) -> str:  # fmt: skip
    _one_each(mesh, FILTER)
    listed = list(_listed(expected.get("rowFilters") or (), "filterInfo", "filterExpr"))
    for kind, name, caller in _callers(mesh, request, expected, unknown):
        wanted = [what for whom, who, what in listed if (whom, who) == (kind, name)]
        if len(wanted) > 1:
            raise Unsaid(Reason.TWO_FILTERS)
        kept = same(mesh.rows(own, caller), wanted, caller.parameters, row(own, caller))
        if not kept and not mesh.setting.shares:
            return f"{name}: the rows are {mesh.rows(own, caller)}"
    return ""


def _one_each(mesh: Mesh, type_: int) -> None:
    """Refuse listings of what counts only where nothing before it does: they hold it all the same."""
    policies = [each for each in mesh.setting.policies if each.type == type_]
    if any(item.accesses and "select" not in item.accesses for each in policies for item in each.gives):
        raise Unsaid(Reason.ANY_VALUES)
    names = [[name for item in each.gives for name in (*item.users, *item.groups, *item.roles)] for each in policies]
    if len({rank(each) for each in policies}) > 1 or any(len(set(each)) < len(each) for each in names):
        raise Unsaid(Reason.TWO_MASKS)


def _listed(entries: Iterable[Mapping[str, Any]], info: str, what: str) -> Iterator[tuple[str, str, str]]:
    for each in entries:
        for key, kind in LISTS.items():
            for name in each.get(key) or ():
                if name == PUBLIC:
                    raise Unsaid(Reason.EVERYBODY)
                yield kind, name, (each.get(info) or {}).get(what, "")


CHECKS: Mapping[str, Check] = {"resourceAccessInfo": _info, "acls": _acls}
