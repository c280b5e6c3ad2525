# SPDX-License-Identifier: Apache-2.0
"""Two trees compared: every change with its class, and who sees what differently. Pure; `compare(a, a)` is empty."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.access import Access, Sees, access, changes_of
from dictamesh.runtime.diff.capture import capture_changes
from dictamesh.runtime.diff.change import AccessChange, Change, Class, Comparison
from dictamesh.runtime.diff.contract import contract_changes
from dictamesh.runtime.diff.governing import agreement_changes, policy_changes
from dictamesh.runtime.diff.regimes import Touched
from dictamesh.runtime.diff.schemas import avro_changes, graphql_changes
from dictamesh.runtime.diff.tree import Tree, where_of
from dictamesh.runtime.diff.usage import Usage, dependants
from dictamesh.runtime.diff.weakening import elsewhere
from dictamesh.runtime.diff.words import word_changes

BY_FIELD = frozenset(
    {
        "field-removed",
        "field-type",
        "enum-values",
        "no-longer-required",
        "relation-removed",
        "limit-removed",
        "limit-loosened",
    }
)
"""Breaking changes that hurt only those who use the very field."""


def compare(old: Tree, new: Tree, usage: Usage | None = None) -> Comparison:
    """Return everything that differs; with `usage`, breaking changes of what nobody uses are for review."""
    decided = access(old.plan, new.plan, old.places, new.places)
    told = tuple(sorted(changes_of({**decided.fields, **decided.rows}), key=lambda each: each.address))
    changes = [
        *_by_plan(old.plan, new.plan),
        *policy_changes(old, new, decided),
        *agreement_changes(old, new),
        *_access_changes(told, old),
        *_moved(old.plan, new.plan),
        *capture_changes(old.plan, new.plan),
    ]
    changes += _words(old, new, changes)
    users, rests = usage or Usage(), dependants(old.plan)
    changes = [_used(each, users, rests) for each in changes]
    changes += _versions(old.plan, new.plan, changes)
    touched = Touched(old.plan, new.plan)
    told = tuple(replace(each, regimes=touched.at(each.address)) for each in told)
    placed = (replace(_placed(each, old, new), regimes=touched.by(each)) for each in changes)
    once = {repr(each): each for each in placed}
    ordered = sorted(once.values(), key=lambda each: (-each.cls.weight, each.address, each.kind))
    return Comparison(tuple(ordered), told, tuple(_notes(decided)))


def _by_plan(old: Plan, new: Plan) -> list[Change]:
    """Contracts, and of the published schemas what the contracts do not say already."""
    contracts = list(contract_changes(old, new))
    said = {_coordinate(each.address): each for each in contracts}
    schemas = [each for each in graphql_changes(old.sdl, new.sdl) if not _said(each, said)]
    renamed = {each.address for each in contracts}
    avro = [each for each in avro_changes(old, new) if not any(_within(at, each.address) for at in renamed)]
    return [*contracts, *schemas, *avro]


def _said(each: Change, said: Mapping[str, Change]) -> bool:
    """Whether a change of GraphQL follows from one of a contract that weighs no less, or is merely dangerous."""
    known = _known(each.address, said)
    return known is not None and (each.cls is not Class.BREAKING or known.cls.weight >= each.cls.weight)


def _coordinate(address: str) -> str:
    """`customers#Customer.email` as GraphQL names it."""
    return address.partition("#")[2] or address


def _known(coordinate: str, said: Mapping[str, Change]) -> Change | None:
    """The change of a contract that a change of GraphQL follows from: its own field, or the inputs made of it."""
    head, _, rest = coordinate.partition(".")
    for suffix in ("RelationFilter", "Filter", "Order"):
        if head.endswith(suffix) and (found := _nearest(f"{head.removesuffix(suffix)}.{rest}", said)):
            return found
    return _nearest(coordinate, said)


def _nearest(coordinate: str, said: Mapping[str, Change]) -> Change | None:
    while coordinate:
        if coordinate in said:
            return said[coordinate]
        coordinate = coordinate.rpartition(".")[0]
    return None


def _within(address: str, entity: str) -> bool:
    return address == entity or address.startswith(f"{entity}.")


def _access_changes(told: Iterable[AccessChange], old: Tree) -> Iterator[Change]:
    by_address: dict[str, list[AccessChange]] = {}
    for each in told:
        by_address.setdefault(each.address, []).append(each)
    for address, found in by_address.items():
        if address not in old.places and address not in old.plan.entities:
            continue  # a new field shows nothing that was hidden; `moved` tells where it does
        more = [each for each in found if each.sees == Sees.MORE]
        first = (more or found)[0]
        kind = "access-rows" if address in old.plan.entities else "access"
        who = tuple(dict.fromkeys(each.principal for each in more or found))
        document, path = where_of(address)
        cls = Class.PRIVACY if more else Class.REVIEW
        yield Change(cls, kind, address, first.before, first.after, who, document, path)


def _moved(old: Plan, new: Plan) -> Iterator[Change]:
    """Data that another name shows to more callers than its old one did."""
    for each in elsewhere(old, new):
        document, path = where_of(each.address)
        who = (each.principal,)
        yield Change(Class.PRIVACY, f"moved-{each.what}", each.address, each.before, each.after, who, document, path)


def _words(old: Tree, new: Tree, told: Iterable[Change]) -> Iterator[Change]:
    """Edits of documents; those of which the comparison of plans speaks only where it found nothing at that place."""
    places = {(each.document, each.path) for each in told}
    for each, covered in word_changes(old, new):
        if not any((each.document, each.path[:size]) in places for size in range(1, covered + 1)):
            yield each


def _versions(old: Plan, new: Plan, changes: Iterable[Change]) -> Iterator[Change]:
    """A breaking change asks for a new major version (SR-3)."""
    broken = {
        (each.document or "").removeprefix("DataProduct/")
        for each in changes
        if each.cls is Class.BREAKING and (each.document or "").startswith("DataProduct/")
    }
    for name in sorted(broken & old.products.keys() & new.products.keys()):
        before, after = old.products[name].version, new.products[name].version
        if before.partition(".")[0] == after.partition(".")[0]:
            document = f"DataProduct/{name}"
            told = f"{after}, still of the same major version"
            yield Change(Class.BREAKING, "major-version-kept", name, before, told, (), document, ("version",))


def _used(each: Change, usage: Usage, rests: Mapping[str, tuple[str, ...]]) -> Change:
    if each.affects or each.cls is Class.SAFE:
        return each
    resting = (user for at, told in rests.items() if _within(at, each.address) for user in told)
    users = (*usage.of(each.address), *resting)
    unused = usage.known and not users and each.cls is Class.BREAKING and each.kind in BY_FIELD
    return replace(each, affects=tuple(dict.fromkeys(users)), cls=Class.REVIEW if unused else each.cls)


def _placed(each: Change, old: Tree, new: Tree) -> Change:
    removed = each.after is None and each.before is not None
    sides = ((old, "before"), (new, "after")) if removed else ((new, "after"), (old, "before"))
    for tree, side in sides:
        if (place := tree.place(each.document, each.path, side)) is not None:
            return replace(each, place=place)
    return each


def _notes(decided: Access) -> Iterator[str]:
    if decided.left_out:
        address, count = max(decided.left_out.items(), key=lambda each: each[1])
        yield (
            f"{len(decided.left_out)} fields and entities have more classes of callers than are compared: of {address}"
            f" {count} were left out, those that hold most"
        )
