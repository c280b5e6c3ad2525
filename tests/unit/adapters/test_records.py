# SPDX-License-Identifier: Apache-2.0
"""Ids of records: canonical texts that lead back to their keys, and no personal data among them (S6)."""

import dataclasses
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.adapters.cells import DATA_INVALID
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.adapters.records import RecordIds, key_of
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.specs.types import BOOLEAN, DATE, INT, LONG, STRING, TIME, TIMESTAMP
from tests.support.plans import MONEY, entity, field

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES = {
    "text": (STRING, TEXT),
    "number": (INT, st.integers(-(2**31), 2**31 - 1)),
    "long": (LONG, st.integers(-(2**63), 2**63 - 1)),
    "flag": (BOOLEAN, st.booleans()),
    "day": (DATE, st.dates()),
    "clock": (TIME, st.times()),
    "at": (TIMESTAMP, st.datetimes(timezones=st.just(UTC))),
    "price": (MONEY, st.decimals(-(10**7), 10**7, places=2)),
}
ALL = entity("Thing", *(field(name, type_) for name, (type_, _) in VALUES.items()), key=tuple(VALUES))
IDS = RecordIds(Surrogates("mesh", {"pepper": b"pepper"}))


@given(st.data())
def test_ids_lead_back_to_keys(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    key = tuple(data.draw(VALUES[name][1]) for name in names)
    one = dataclasses.replace(ALL, key=tuple(names))
    record = IDS.of(one, key)
    assert record == canonical(key)
    assert key_of(one, record) == key


@pytest.mark.parametrize("record", ["", "x", "1.5", "[1]", "01", " 1", "1 ", "2147483648", "null", "true"])
def test_what_is_no_key_leads_nowhere(record: str) -> None:
    assert key_of(dataclasses.replace(ALL, key=("number",)), record) is None


@pytest.mark.parametrize(
    "record", ["x", "[]", '["a"]', '["a",1,2]', '["a","1"]', '{"text":"a"}', '["a", 1]', "[null,1]"]
)
def test_what_is_no_composite_key_leads_nowhere(record: str) -> None:
    two = dataclasses.replace(ALL, key=("text", "number"))
    assert key_of(two, '["a",1]') == ("a", 1)
    assert key_of(two, record) is None


def test_a_personal_key_never_stands_in_clear() -> None:
    person = entity("Person", field("email", pii=True), key=("email",))
    assert IDS.of(person, ("ana@example.com",)) is None
    assert key_of(person, "ana@example.com") is None
    pseudonymous = dataclasses.replace(person, surrogate="pepper")
    record = IDS.of(pseudonymous, ("ana@example.com",))
    assert record is not None
    assert len(record) == 32
    assert record == IDS.of(pseudonymous, ("ana@example.com",)) != IDS.of(pseudonymous, ("bob@example.com",))
    assert key_of(pseudonymous, record) is None


@pytest.mark.parametrize("part", [None, DATA_INVALID])
def test_without_a_value_there_is_no_id(part: object) -> None:
    assert IDS.of(ALL, (part,)) is None
