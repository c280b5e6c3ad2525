# SPDX-License-Identifier: Apache-2.0
"""The canonical form is that of RFC 8785, whatever a row holds, and a chain links each row to the one before."""

import math
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.audit.chain import Unhashable, canonical, genesis, hash_of, linked, untouched
from dictamesh.runtime.governance.audit import AuditRow

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.builds(
    AuditRow,
    principal=st.none() | TEXT,
    product=TEXT,
    entity_type=TEXT,
    plan_hash=TEXT,
    purpose=st.none() | TEXT,
    fields=st.lists(TEXT, max_size=4).map(tuple),
    denied_fields=st.lists(TEXT, max_size=4).map(tuple),
    subject_tokens=st.lists(TEXT, max_size=4).map(tuple),
    subject_count=st.integers(4, 2**53 - 1),
    success=st.booleans(),
    error_code=st.none() | TEXT,
    trace_id=st.none() | TEXT,
    duration_ms=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    occurrences=st.integers(1, 2**53 - 1),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
)


def row(product: str = "customers", **changes: object) -> AuditRow:
    return AuditRow("desk", product, "Customer", "plan", **changes)


@given(ROWS)
def test_the_canonical_form_is_the_references(made: AuditRow) -> None:
    tips = {made.product: untouched(made.product)}
    (entry,) = linked([made], tips, NOON)
    plain = {key: value for key, value in entry.items() if key != "hash"}
    assert canonical(entry) == rfc8785.dumps(plain)
    assert entry["hash"] == hash_of(plain) == tips[made.product].hash


def test_each_row_names_the_one_before_and_each_product_has_a_chain() -> None:
    tips = {name: untouched(name) for name in ("customers", "invoices")}
    entries = linked([row(), row("invoices"), row()], tips, NOON)
    first, other, second = entries
    assert first["previous_hash"] == genesis("customers") != genesis("invoices") == other["previous_hash"]
    assert second["previous_hash"] == first["hash"]
    assert [(each["product"], each["day"], each["sequence"]) for each in entries] == [
        ("customers", "2026-01-31", 1),
        ("invoices", "2026-01-31", 1),
        ("customers", "2026-01-31", 2),
    ]
    assert (tips["customers"].rows, tips["customers"].hash) == (2, second["hash"])


def test_a_new_day_begins_at_one_behind_the_last_row_of_the_day_before() -> None:
    tips = {"customers": untouched("customers")}
    before = linked([row(), row()], tips, NOON)
    (after,) = linked([row()], tips, NOON + timedelta(days=3))
    assert (after["day"], after["sequence"], after["previous_hash"]) == ("2026-02-03", 1, before[-1]["hash"])
    assert tips["customers"].rows == 3


def test_a_day_never_goes_back() -> None:
    tips = {"customers": untouched("customers")}
    linked([row()], tips, NOON)
    (late,) = linked([row()], tips, NOON - timedelta(days=1))
    assert (late["day"], late["sequence"]) == ("2026-01-31", 2)
    assert late["recorded_at"] == "2026-01-30T12:00:00.000000Z"


def test_times_are_hashed_in_utc() -> None:
    there = NOON.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    (entry,) = linked([row(occurred_at=there)], {"customers": untouched("customers")}, there)
    assert entry["occurred_at"] == entry["recorded_at"] == "2026-01-31T12:00:00.000000Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": "\ud800"},
        {"duration_ms": math.nan},
        {"duration_ms": math.inf},
        {"subject_count": 2**53},
        {"occurrences": 2**70},
    ],
    ids=str,
)
def test_what_json_cannot_hold_is_refused(changes: dict[str, object]) -> None:
    made = row(**{key: value for key, value in changes.items() if key != "principal"})
    if "principal" in changes:
        made = AuditRow("\ud800", "customers", "Customer", "plan")
    with pytest.raises(Unhashable):
        linked([made], {"customers": untouched("customers")}, NOON)
