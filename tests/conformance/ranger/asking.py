# SPDX-License-Identifier: Apache-2.0
"""A mesh that says what a setting of Ranger says, and what it decides for a caller."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audiences import InForce, holds, in_force_on
from dictamesh.runtime.governance.conditions import Parameters, Row
from dictamesh.runtime.governance.decide import Decision, Outcome, compile_outcome, decide, first_entry, row_filter
from dictamesh.runtime.governance.principal import Principal, parameters
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from dictamesh.specs.expressions.tree import Expr, Parameter, walk
from dictamesh.specs.rules import Effect, FieldPolicy, RowPolicy
from tests.conformance.ranger import sharing, writing
from tests.conformance.ranger.conditions import Said, Unknowns
from tests.conformance.ranger.drafts import TIER, Doc, Draft, mesh, written
from tests.conformance.ranger.filters import address
from tests.conformance.ranger.model import ACCESS, MASK, Reason, Request, Resource, Setting, Tag, Unsaid
from tests.conformance.ranger.places import Place, Places, starting, within
from tests.conformance.ranger.policies import ADMIN
from tests.conformance.ranger.speech import attributes

NOW = datetime(2024, 7, 1, 12, tzinfo=UTC)
"""When requests are made that name no time; the files were written about then."""

BELOW = 400
"""Resources below the one asked for that are looked at."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody at a time: what decisions and conditions read."""

    principal: Principal
    parameters: Parameters
    in_force: InForce
    owner: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What is decided on a place, and Ranger's policies that allow or deny it."""

    allowed: bool
    allow: frozenset[int]
    deny: frozenset[int]


@dataclass(slots=True)
class Mesh:
    """The mesh of a setting for some requests, which agree on the tags of what they ask for."""

    setting: Setting
    requests: list[Request]
    tags: tuple[Tag, ...] = ()
    others: frozenset[str] = frozenset()  # users whom a listing names
    draft: Draft = field(init=False)
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        service, tag_service = self.setting.service, self.setting.tag_service
        defs = {**service.conditions, **(tag_service.conditions if tag_service else {})}
        places = Places(service, self.setting.tagged, self.setting.zones, self.tags)
        users: dict[str, Mapping[str, str]] = {name: {} for name in self.others}
        users |= {each.user: each.attributes for each in self.requests if each.user is not None}
        self.draft = Draft(self.setting, places, users, Said(defs, Unknowns()))
        for request in self.requests:
            self.places(request)
        writing.write(self.draft)
        sharing.write(self.draft)
        files = self.files()
        built = build(Memory(files), "mesh.yaml")
        if built.plan is None:
            raise Unsaid(Reason.REFUSED) from AssertionError(render(built.diagnostics, built.sources))
        self.plan = built.plan

    def files(self) -> dict[str, str]:
        """The documents of the mesh."""
        draft = self.draft
        claims = {"user", *draft.said.context, *draft.said.unknowns.reasons, *self._attributes()}
        rules = [entry for doc in draft.docs for key in ("rules", "rows") for entry in doc.get(key, ())]
        audiences = [*rules, *(doc["consumer"] for doc in draft.docs if "consumer" in doc)]
        roles, purposes = ([one for each in audiences for one in each.get(key, ())] for key in ("roles", "purposes"))
        docs: list[Doc] = mesh(draft, roles, [*purposes, *self.accesses], claims)
        return {"mesh.yaml": written(docs[:1]), "more.yaml": written(docs[1:])}

    def _attributes(self) -> set[str]:
        return {name for policy in self.setting.policies for name in attributes(policy)}

    @property
    def accesses(self) -> tuple[str, ...]:
        """The access types of the service."""
        return tuple(sorted({*self.setting.service.implied} - {ADMIN}))

    def places(self, request: Request) -> tuple[Place | None, list[Place]]:
        """The place that a request asks for (None: there are no such levels), and those below within its scope."""
        known = self.draft.places
        own = known.place(request.elements)
        if own is None:
            return None, []
        below: dict[str, Place] = {}
        for elements in self._below(request, own):
            place = known.place(elements)
            if place is not None and place is not own:
                below[place.address] = place
            if len(below) > BELOW:
                raise Unsaid(Reason.MANY_BELOW)
        return own, list(below.values())

    def _below(self, request: Request, own: Place) -> Iterator[Mapping[str, str]]:
        told = {each for each in request.element_scopes.values() if each != "SELF"}
        told |= {request.scope} - {"SELF", "SELF_OR_DESCENDANTS"}
        last = own.elements[-1][0].name if own.elements else ""
        if len(told) > 1 or (told and set(request.element_scopes) - {last}):
            raise Unsaid(Reason.UNREAD)
        resources = list(self._resources())
        if told:
            for resource in resources:
                yield from starting(resource, own.elements, request.user, next(iter(told)))
        if request.access is None or request.scope == "SELF_OR_DESCENDANTS":
            for resource in resources:
                yield from within(resource, own.elements, request.user)
            given = request.elements.items()
            yield from (each.elements for each in self.requests if given <= each.elements.items())

    def _resources(self) -> Iterator[Resource]:
        for policy in self.setting.policies:
            if policy.type == ACCESS and not policy.tag:
                yield from policy.resources
        yield from (resource for resource, _ in self.setting.tagged)
        yield from (share.resource for share in self.setting.shares)

    def caller(self, request: Request, purpose: str | None, unknown: Mapping[str, bool]) -> Caller:
        """The principal of a request who is up to something; `unknown` are claims that nobody knows."""
        roles = [f"group:{each}" for each in request.groups] + [f"role:{each}" for each in request.roles]
        claims: dict[str, Any] = {
            key: request.context[key] for key in self.draft.said.context if key in request.context
        }
        claims |= {f"attribute_{key}": value for key, value in request.attributes.items()} | dict(unknown)
        if request.user is not None:
            roles.append(f"user:{request.user}")
            claims["user"] = request.user
        when = (request.when or NOW).astimezone(UTC)
        if any(abs(when.date() - edge) <= timedelta(days=1) for edge in self.draft.edges):
            raise Unsaid(Reason.TIME)
        who = Principal("caller", authenticated=True, roles=frozenset(roles), purpose=purpose, claims=claims)
        declared = self.plan.mesh.security.claims if self.plan.mesh.security else ()
        moment = {"now": when, "today": when.date()}
        return Caller(who, {**parameters(who, declared), **moment}, in_force_on(when.date()), request.owner)

    def heard(self, place: Place, caller: Caller) -> Heard:
        """What the policies on access say of a place."""
        told = self.spoken(place, caller, ACCESS)
        outcome = self.outcome(place, caller, ACCESS, TIER)
        by: dict[Effect, set[int]] = {Effect.ALLOW: set(), Effect.DENY: set()}
        for each in told:
            by[each.effect].add(self.draft.origins[str(each.policy)].policy)
        granting = {self.draft.origins[name].policy for name in self.agreements(place, caller)}
        allow = (by[Effect.ALLOW] | granting) - ({-1} if granting else set())
        return Heard(outcome.effect is Effect.ALLOW, frozenset(allow), frozenset(by[Effect.DENY]))

    def spoken(self, place: Place, caller: Caller, type_: int) -> list[Outcome]:
        """What each policy of a type says by itself, where it says anything."""
        found = []
        for policy in self._bound(place, type_):
            outcome = self._outcome((policy,), place, caller, TIER)
            if outcome.policy is not None:
                found.append(outcome)
        return found

    def possible(self, place: Place, caller: Caller) -> Iterator[tuple[str, bool]]:
        """Each of Ranger's masks that some policy may have for a caller, and whether only on a condition."""
        for policy in self._bound(place, MASK):
            decision = decide((policy,), TIER, caller.principal, "public", caller.in_force)
            told = decision.spoken if decision.by_row else (decision.strictest,)
            for outcome in told:
                item = self.draft.origins[policy.policy].items.get(outcome.rule)
                if outcome.policy is not None and item is not None and item.mask is not None:
                    yield item.mask[0], decision.by_row

    def outcome(self, place: Place, caller: Caller, type_: int, tier: str) -> Outcome:
        """What all policies of a type say together."""
        return self._outcome(self._bound(place, type_), place, caller, tier)

    def agreements(self, place: Place, caller: Caller) -> set[str]:
        """The agreements that a caller is party to and that open a place."""
        rules = (rule for policy in self._bound(place, ACCESS) for rule in policy.rules)
        terms = [term for rule in rules for term in rule.audience.agreements or ()]
        held = {term.agreement for term in terms if caller.in_force(term) and holds(term.consumer, caller.principal)}
        return held & set(self.draft.grants)

    def rows(self, place: Place, caller: Caller) -> Expr | bool:
        """The rows of a table that exist for a caller; raises Unsaid where a filter could not be carried."""
        self.filtering(place, caller)
        policies = self.plan.rules.rows.get(address(place), ())
        return row_filter(policies, caller.principal, caller.in_force)

    def filtering(self, place: Place, caller: Caller) -> dict[str, Expr | bool]:
        """The filters of a table that apply to a caller, by policy."""
        found: dict[str, Expr | bool] = {}
        for policy in self.plan.rules.rows.get(address(place), ()):
            entry = first_entry(policy, caller.principal, caller.in_force)
            if entry is not None:
                if (policy.policy, entry.name) in self.draft.unsaid:
                    raise Unsaid(self.draft.unsaid[policy.policy, entry.name])
                found[policy.policy] = entry.keep
        return found

    def _bound(self, place: Place, type_: int) -> tuple[FieldPolicy, ...]:
        policies = self.plan.rules.fields.get(place.address, ())
        return tuple(each for each in policies if self.draft.origins[each.policy].type == type_)

    def _outcome(self, policies: tuple[FieldPolicy, ...], place: Place, caller: Caller, tier: str) -> Outcome:
        decision: Decision = decide(policies, tier, caller.principal, "public", caller.in_force)
        return compile_outcome(decision)(row(place, caller), caller.parameters)

    def unknown(self, places: Iterable[Place]) -> list[str]:
        """The claims nobody knows that policies on some places ask for."""
        asked: set[str] = set()
        for place in places:
            asked |= _asked(self.plan.rules.fields.get(place.address, ()), self.plan.rules.rows.get(address(place), ()))
        return sorted(asked & set(self.draft.said.unknowns.reasons))


def row(place: Place, caller: Caller) -> Row:
    """The row that a place stands for, as far as policies read it."""
    return {"id": "1", "path": place.path, "owner": caller.owner}


def _asked(fields: Iterable[FieldPolicy], rows: Iterable[RowPolicy]) -> set[str]:
    conditions = [rule.where for policy in fields for rule in policy.rules if rule.where is not None]
    conditions += [each.keep for policy in rows for each in policy.entries if not isinstance(each.keep, bool)]
    named = (node.name for where in conditions for node in walk(where) if isinstance(node, Parameter))
    return {name.removeprefix("principal.") for name in named}
