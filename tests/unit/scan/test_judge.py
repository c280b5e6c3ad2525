# SPDX-License-Identifier: Apache-2.0
"""Columns of forty kinds: which are taken for personal data, by name and values and by values alone."""

import random
from collections.abc import Iterable, Iterator

import pytest

from dictamesh.runtime.scan.column import Column
from dictamesh.runtime.scan.formats import FORMATS
from dictamesh.runtime.scan.judge import Detection, decades, judge
from dictamesh.specs.pii import KindName, Names, compile_pattern
from tests.support.columns import KINDS, LOOKALIKES, PERSONAL, TODAY, Kind

SEEDS = range(4)
ROWS = 200
UNNAMED = {"date of birth", "postcode"}
"""Kinds that values alone cannot tell from others: they are found by their names."""


def verdicts(kind: Kind, name: str, seed: int, rows: int = ROWS) -> set[KindName | None]:
    values = kind.values(random.Random(f"{kind.title} {seed}"), rows)
    return {each.kind for each in judge(Column(name, tuple(values)), Detection(), TODAY)}


def trials(kinds: Iterable[Kind], name: str | None) -> Iterator[tuple[Kind, str, set[KindName | None]]]:
    for kind in kinds:
        for seed in SEEDS:
            for own in kind.names if name is None else (name,):
                yield kind, own, verdicts(kind, own, seed)


def test_twenty_are_personal_and_twenty_look_like_it() -> None:
    assert (len(PERSONAL), len(LOOKALIKES), len(KINDS)) == (20, 20, 40)


@pytest.mark.parametrize("name", [None, "c17"], ids=["under their names", "without a name"])
def test_precision_and_recall_of_proposals(name: str | None) -> None:
    found = [(kind, own, told) for kind, own, told in trials(PERSONAL, name)]
    false = [(kind.title, own, told) for kind, own, told in trials(LOOKALIKES, name) if told]
    missed = [(kind.title, own) for kind, own, told in found if kind.personal not in told]
    if name is not None:
        missed = [each for each in missed if each[0] not in UNNAMED]
    right = sum(kind.personal in told for kind, _, told in found)
    proposed = sum(bool(told) for _, _, told in found) + len(false)
    print(f"\n{name or 'named'}: recall {right / len(found):.3f}, precision {right / proposed:.3f} of {proposed}")
    assert missed == []
    assert false == []


@pytest.mark.parametrize("kind", LOOKALIKES, ids=lambda kind: kind.title)
def test_few_rows_prove_nothing(kind: Kind) -> None:
    """With eight rows a chance is not small, and must not become a proposal."""
    found = [verdicts(kind, "c17", seed, rows=8) for seed in range(40)]
    assert sum(map(bool, found)) <= 1


def test_a_misnamed_column_is_not_taken_for_what_it_says() -> None:
    words = KINDS["stock keeping unit"].values(random.Random(1), 100)
    for name in ("email", "phone", "iban", "first_name", "card_number"):
        assert judge(Column(name, tuple(words)), Detection(), TODAY) == []


def test_an_empty_column_is_judged_by_its_name() -> None:
    for values in ((), (None,) * 50, ("",) * 50):
        assert [each.kind for each in judge(Column("email", values), Detection(), TODAY)] == ["email"]
        assert judge(Column("contact", values), Detection(), TODAY) == []


def test_values_outweigh_a_name() -> None:
    values = tuple(KINDS["e-mail address"].values(random.Random(1), 100))
    assert [each.kind for each in judge(Column("phone", values), Detection(), TODAY)] == ["email"]


def test_a_few_values_again_and_again_are_not_those_of_persons() -> None:
    values = ("+49 30 901820", "+49 30 901821") * 100
    once = judge(Column("phone", values[:2]), Detection(), TODAY)[0].confidence
    assert judge(Column("phone", values), Detection(), TODAY)[0].confidence < once


def test_numbers_lose_no_leading_zero_silently() -> None:
    values = tuple(int(text) for text in KINDS["Aadhaar"].values(random.Random(2), 200) if text)
    assert [each.kind for each in judge(Column("aadhaar", values), Detection(), TODAY)] == ["national-id"]


def test_evidence_holds_no_value() -> None:
    for kind in KINDS.values():
        values = kind.values(random.Random(3), ROWS)
        for verdict in judge(Column(kind.names[0], tuple(values)), Detection(), TODAY):
            told = " ".join(map(str, verdict.evidence)) + repr(verdict.evidence) + repr(Column("x", tuple(values)))
            assert not [value for value in values if isinstance(value, str) and len(value) > 3 and value in told]


def test_a_check_that_many_pass_needs_many_values() -> None:
    luhn_like = next(each for each in FORMATS if each.name == "ca-sin")
    rare = next(each for each in FORMATS if each.name == "iban")
    assert decades(luhn_like, 3, 1.0) < 4 < decades(luhn_like, 6, 1.0)
    assert decades(rare, 3, 1.0) > 4
    assert decades(luhn_like, 100, 0.1) < 0
    common = next(each for each in FORMATS if each.name == "us-ssn")
    assert decades(common, 20, 1.0) < 4 < decades(common, 150, 1.0)


def test_names_and_patterns_of_the_taxonomy() -> None:
    own = Detection(Names({"clinic.case": ["case no"]}), {"clinic.patient": (compile_pattern(r"PAT-\d{6}"),)})
    patients = tuple(f"PAT-{n:06}" for n in range(50))
    found = judge(Column("ref", patients), own, TODAY)
    assert [(each.tag, each.kind) for each in found] == [("clinic.patient", None)]
    assert [each.tag for each in judge(Column("caseNo", ("a", "b", "c")), own, TODAY)] == ["clinic.case"]
    assert judge(Column("ref", ("PAT-000001", *("x" * n for n in range(1, 9)))), own, TODAY) == []
    assert judge(Column("ref", patients), Detection(), TODAY) == []
