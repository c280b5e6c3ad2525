# SPDX-License-Identifier: Apache-2.0
"""Everything one operation needs to know of its caller's rights, decided once (S13..S20)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.governance.audiences import asks_for_agreements, in_force_on, no_agreement
from dictamesh.runtime.governance.decide import STRICTNESS, Decision, RowOutcome, compile_outcome, decide, row_filter
from dictamesh.runtime.governance.masks import gives_value
from dictamesh.runtime.governance.places import Places, entity_address, leaves, places, shown
from dictamesh.runtime.governance.principal import Principal, parameters
from dictamesh.runtime.governance.serialize import Serializer, serializer
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.model import Security
from dictamesh.specs.rules import Effect

Use = Literal["filter", "sort", "group", "relation", "cursor", "lookup"]

CACHED_PRINCIPALS = 256

_TELLING = frozenset(STRICTNESS[: STRICTNESS.index("token")])  # what leaves some of a value to be seen


class Access:
    """The rights of one principal in one plan; each decision is taken when first asked for.

    Principals of one fingerprint share it, so it knows no name. `keys` are the bytes of `security.keys` by name.
    `today` is the day (UTC) for which agreements are asked; without it none is in force. An address that the plan does
    not hold raises KeyError.
    """

    def __init__(
        self,
        plan: Plan,
        principal: Principal,
        keys: Mapping[str, bytes],
        known: Places | None = None,
        today: date | None = None,
    ) -> None:
        self.fingerprint = principal.fingerprint
        self.parameters: Mapping[str, Any] = parameters(principal, declared_claims(plan.mesh.security))
        self._plan = plan
        self._principal = principal
        self._keys = keys
        self._places = known if known is not None else places(plan)
        self._sees = anonymous_sees(plan.mesh.security)
        self._in_force = no_agreement if today is None else in_force_on(today)
        self._decisions: dict[str, Decision] = {}
        self._rows: dict[str, Expr | bool] = {}
        self._outcomes: dict[str, RowOutcome] = {}
        self._serializers: dict[str, Serializer] = {}  # those that no row changes

    def field(self, address: str) -> Decision:
        """Return the decision on a field; for an object ask for its leaves."""
        found = self._decisions.get(address)
        if found is None:
            policies = self._plan.rules.fields.get(address, ())
            tier = self._places[address].tier
            found = self._decisions[address] = decide(policies, tier, self._principal, self._sees, self._in_force)
        return found

    def clear(self, address: str) -> bool:
        """Whether a field is allowed on all rows, with all that lies below it."""
        return all(self.field(leaf.address).clear for leaf in self._leaves(address))

    def rows(self, entity: str) -> Expr | bool:
        """Return which rows of an entity exist: True all, False none, else a condition over its fields (S18)."""
        found = self._rows.get(entity)
        if found is None:
            policies = self._plan.rules.rows.get(self._plan.entities[entity].address, ())
            found = self._rows[entity] = row_filter(policies, self._principal, self._in_force)
        return found

    def key_visible(self, entity: str) -> bool:
        """Whether every key field has a value to show on every row; else the entity is null and FORBIDDEN (S19).

        A pseudonym or a redacted text is a value; what is denied or masked to null is none.
        """
        plan = self._plan.entities[entity]
        return all(self._has_value(plan.field(name)) for name in plan.key)

    def may_use(self, address: str, use: Use) -> bool:
        """Whether a field may be used other than by being shown (S20); filter and lookup ask for clear on all rows."""
        return all(_permits(self.field(leaf.address), use) for leaf in self._leaves(address))

    def one_shows_more(self, one: str, other: str) -> bool:
        """Whether of two fields with the same value one may show more of it than the other does (S20).

        Both ends of a relation are such fields. Ends that show nothing of the value are alike, however they are masked.
        """
        ends = [self.field(address) for address in (one, other)]
        if all(end.clear for end in ends) or not any(_shows(end) for end in ends):
            return False
        kinds = {(end.constant.effect, end.constant.mask) if end.constant is not None else None for end in ends}
        return None in kinds or len(kinds) > 1

    def needs(self, address: str) -> frozenset[tuple[str, ...]]:
        """Return the paths of the fields that a row must carry for the decisions on `address` (S17)."""
        return frozenset(path for leaf in self._leaves(address) for path in self.field(leaf.address).columns)

    def outcome(self, address: str) -> RowOutcome:
        """Return the function from a row and the operation's parameters to the outcome for a field."""
        found = self._outcomes.get(address)
        if found is None:
            found = self._outcomes[address] = compile_outcome(self.field(address))
        return found

    def serializer(self, field: FieldPlan, moment: Mapping[str, Any] | None = None) -> Serializer:
        """Return the function from a value and its row to what the caller gets; raises MaskKeyMissing.

        `moment` holds `now` and `today` of the operation, for conditions that read them (default: the clock). The row
        must carry what `needs` names, None where a field has no value.
        """
        found = self._serializers.get(field.address)
        if found is not None:
            return found
        made = serializer(field, self, {**self.parameters, **(moment or _moment())}, self._keys)
        if not any(self.field(leaf.address).by_row for leaf in leaves(field)):
            self._serializers[field.address] = made
        return made

    def report(self, addresses: Iterable[str]) -> list[dict[str, Any]]:
        """Return the entries of `extensions.policy` for an operation that selects `addresses` (S19).

        One entry for each leaf that is not clear, by field name: `field`, `effect`, `rule`, and where there is one
        `mask` (its kind) and `policy`. A decision by row shows the strictest outcome it can have.
        """
        withheld = {
            leaf.address: self.field(leaf.address).strictest
            for address in addresses
            for leaf in self._leaves(address)
            if not self.field(leaf.address).clear
        }
        entries = []
        for address, outcome in withheld.items():
            name = shown(self._plan.entities[entity_address(address)], address)
            entry = {"field": name, "effect": outcome.effect.value, "rule": outcome.rule}
            if outcome.mask is not None:
                entry["mask"] = outcome.mask.kind
            if outcome.policy is not None:
                entry["policy"] = outcome.policy
            entries.append(entry)
        return sorted(entries, key=lambda entry: entry["field"])

    def _leaves(self, address: str) -> Iterable[FieldPlan]:
        return leaves(self._places[address])

    def _has_value(self, field: FieldPlan) -> bool:
        worst = self.field(field.address).strictest
        if worst.mask is not None:
            return gives_value(worst.mask, field.type)
        return worst.effect is Effect.ALLOW


def _shows(decision: Decision) -> bool:
    """Whether some row may show its value, or a part of it."""
    spoken = [decision.constant] if decision.constant is not None else [decision.tier, *decision.spoken]
    return any(outcome.kind in _TELLING for outcome in spoken)


def _moment() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"now": now, "today": now.date()}


def _permits(decision: Decision, use: Use) -> bool:
    if decision.clear:
        return True
    if use in {"filter", "lookup"}:
        return False
    return use in decision.uses


class AccessCache:
    """The rights in one plan of the last 256 distinct principals; a new plan needs a new cache.

    `now` is asked for the day where rules of the plan ask for agreements, so that rights end with them.
    """

    def __init__(
        self,
        plan: Plan,
        keys: Mapping[str, bytes],
        size: int = CACHED_PRINCIPALS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plan = plan
        self._keys = keys
        self._size = size
        self._today = (lambda: now().date()) if asks_for_agreements(plan.rules) else _no_day
        self._places = places(plan)
        self._held: OrderedDict[tuple[str, date | None], Access] = OrderedDict()

    def access(self, principal: Principal) -> Access:
        """Return the rights of `principal`, today's where agreements matter."""
        today = self._today()
        place = principal.fingerprint, today
        found = self._held.get(place)
        if found is None:
            found = self._held[place] = Access(self._plan, principal, self._keys, self._places, today)
            if len(self._held) > self._size:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(place)
        return found


def _no_day() -> None:
    return None


def anonymous_sees(security: Security | None) -> str:
    """Return the highest tier that strangers see in clear where no policy speaks (S15)."""
    if security is None or security.anonymous is False:
        return "public"
    return security.anonymous.sees


def declared_claims(security: Security | None) -> tuple[str, ...]:
    """Return the names of the claims that expressions may read."""
    return () if security is None else tuple(security.claims)
