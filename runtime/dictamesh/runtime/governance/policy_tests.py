# SPDX-License-Identifier: Apache-2.0
"""The tests that stand beside the rules of a policy, run without a source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan, TestPlan
from dictamesh.runtime.governance.access import Access
from dictamesh.runtime.governance.claims import ClaimTypes, typed_claims
from dictamesh.runtime.governance.conditions import Row, condition
from dictamesh.runtime.governance.decide import Outcome
from dictamesh.runtime.governance.masks import MaskKeyMissing
from dictamesh.runtime.governance.places import Places, entity_address, leaves, places
from dictamesh.runtime.governance.principal import Principal
from dictamesh.runtime.governance.typed import Misfit, typed
from dictamesh.specs.model.policy import PolicyTest, TestPrincipal

TEST_KEY = b"dictamesh policy test"


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test ended.

    `expected` and `got` hold the same keys: those that the test expects (`effect`, `mask`, `rule`, `value`, `row`).
    `note` says what kept a test from running, or which expectation could not be checked.
    """

    __test__: ClassVar[bool] = False  # pytest collects classes by their name

    policy: str
    index: int
    passed: bool
    expected: Mapping[str, Any]
    got: Mapping[str, Any]
    file: str
    line: int
    column: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A test with all that it runs against; `keys` are the mask keys whose real bytes are known."""

    plan: Plan
    places: Places
    access: Access
    test: PolicyTest
    keys: frozenset[str]
    moment: Mapping[str, Any]


class Unrunnable(Exception):  # noqa: N818 - the state of a test
    """A test names what does not exist, or lacks what it needs."""


def run(plan: Plan, keys: Mapping[str, bytes] | None = None, now: datetime | None = None) -> list[TestResult]:
    """Run every test of `plan` against all policies together, in the plan's order.

    Mask keys that `keys` does not hold are replaced by a fixed one; a pseudonym made with it is not compared, which the
    note says. `now` (default: the clock) is what `CURRENT_TIMESTAMP` means.
    """
    real = dict(keys or {})
    security = plan.mesh.security
    declared = security.keys if security else {}
    held = {**dict.fromkeys(declared, TEST_KEY), **real}
    known = places(plan)
    instant = now or datetime.now(UTC)
    moment = {"now": instant, "today": instant.date()}
    claims: ClaimTypes = security.claims if security else {}
    results = []
    for place in plan.tests:
        access = Access(plan, caller(place.test.as_, claims), held, known, place.test.as_.date)
        results.append(_result(place, Case(plan, known, access, place.test, frozenset(real), moment)))
    return results


def caller(described: TestPrincipal, declared: ClaimTypes) -> Principal:
    """Return the principal that a test speaks for; without `roles` it is anonymous."""
    return Principal(
        name="test",
        authenticated=described.roles is not None,
        roles=frozenset(described.roles or ()),
        purpose=described.purpose,
        purposes=(described.purpose,) if described.purpose else (),
        claims=typed_claims(described.claims, declared),
    )


def _result(place: TestPlan, case: Case) -> TestResult:
    expect = place.test.expect
    expected = {name: getattr(expect, name) for name in sorted(expect.model_fields_set)}
    try:
        got, note = _got(case, frozenset(expected))
        passed = all(_meets(case, name, expected[name], got[name]) for name in got)
    except (Unrunnable, Misfit, MaskKeyMissing) as fault:
        got, note, passed = {}, str(fault), False
    shown = {name: _plain(value) for name, value in got.items()}
    return TestResult(place.policy, place.index, passed, expected, shown, place.file, place.line, place.column, note)


def _got(case: Case, wanted: frozenset[str]) -> tuple[dict[str, Any], str]:
    if not wanted:
        raise Unrunnable("the test expects nothing; give effect, mask, rule, value or row")
    entity, field = _subject(case)
    row = _row(case, entity, field)
    got: dict[str, Any] = {}
    note = ""
    if "row" in wanted:
        got["row"] = "visible" if _exists(case, entity, row) else "hidden"
    if wanted == {"row"}:
        return got, note
    if field is None:
        raise Unrunnable("the test names no field, so only row can be expected")
    outcomes = [case.access.outcome(leaf.address)(row, _parameters(case)) for leaf in leaves(field)]
    strictest = min(outcomes, key=lambda outcome: -outcome.rank)
    shown = {
        "effect": strictest.effect.value,
        "mask": strictest.mask.kind if strictest.mask else None,
        "rule": strictest.rule,
    }
    got.update({name: value for name, value in shown.items() if name in wanted})
    if "value" in wanted:
        note = _unknown_key(outcomes, case.keys)
        if not note:
            got["value"] = case.access.serializer(field, case.moment)(_value(case, field, row), row)
    return got, note


def _subject(case: Case) -> tuple[EntityPlan, FieldPlan | None]:
    address = case.test.field
    field = case.places.get(address) if address is not None else None
    if address is not None and field is None:
        raise Unrunnable(f"there is no field {address}; write product#Entity.field")
    on = case.test.on or (entity_address(field.address) if field else None)
    entity = case.plan.entities.get(on) if on is not None else None
    if entity is None:
        raise Unrunnable(f"there is no entity {on}" if on else "the test names no field and no entity (on)")
    if field is not None and entity_address(field.address) != entity.address:
        raise Unrunnable(f"the field {field.address} is not one of {entity.address}")
    return entity, field


def _row(case: Case, entity: EntityPlan, field: FieldPlan | None) -> dict[str, Any]:
    by_name = {known.name: known for known in entity.fields}
    row: dict[str, Any] = dict.fromkeys(by_name)
    for name, value in (case.test.record or {}).items():
        if name not in by_name:
            raise Unrunnable(f"{entity.address} has no field {name}")
        row[name] = _typed(value, by_name[name])
    if field is not None and field.name in by_name and by_name[field.name] is field and _has_value(case.test):
        row[field.name] = _typed(case.test.value, field)
    return row


def _value(case: Case, field: FieldPlan, row: Row) -> Any:
    if _has_value(case.test):
        return _typed(case.test.value, field)
    if case.test.record is None:
        raise Unrunnable("the test expects a value but gives none; add value or record")
    value: Any = row
    for name in field.address.removeprefix(entity_address(field.address) + ".").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _exists(case: Case, entity: EntityPlan, row: Row) -> bool:
    kept = case.access.rows(entity.address)
    return kept if isinstance(kept, bool) else condition(kept)(row, _parameters(case))


def _parameters(case: Case) -> dict[str, Any]:
    return {**case.access.parameters, **case.moment}


def _unknown_key(outcomes: list[Outcome], known: frozenset[str]) -> str:
    for outcome in outcomes:
        if outcome.mask is not None and outcome.mask.key is not None and outcome.mask.key not in known:
            return f"value not compared: the mask key '{outcome.mask.key}' is not known here"
    return ""


def _meets(case: Case, name: str, expected: Any, got: Any) -> bool:
    if name != "value":
        return bool(expected == got)
    if type(expected) is type(got) and expected == got:
        return True
    field = case.places[str(case.test.field)]
    try:
        return bool(typed(expected, field.type) == got)
    except Misfit:
        return False


def _typed(value: Any, field: FieldPlan) -> Any:
    try:
        return typed(value, field.type)
    except Misfit as fault:
        raise Unrunnable(f"{field.address}: {fault}") from None


def _has_value(test: PolicyTest) -> bool:
    return "value" in test.model_fields_set


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
