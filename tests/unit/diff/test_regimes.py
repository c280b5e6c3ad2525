# SPDX-License-Identifier: Apache-2.0
"""Regimes: carried from tags and contracts to fields, and named where a change weakens privacy (GV-12)."""

import pytest

from dictamesh.runtime.catalog.search.documents import documents
from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.report import Report, as_json, as_markdown, as_sarif, as_text
from tests.support.example import CUSTOMERS, PRIVACY, TAXONOMY, edited, files, side
from tests.support.golden import CASES, read

BASE = files()
OLD = side(BASE)
REGIMES = {name: data.decode() for name, data in read(CASES / "regimes.md")[0].files.items()}
OBJECT = """\
      - name: card
        logicalType: object
        classification: restricted
        customProperties: [{property: regimes, value: [PCI]}]
        properties:
          - {name: holder, logicalType: string, tags: [pii.email]}
          - {name: number, logicalType: string}
source:"""


def test_tags_and_contracts_carry_regimes_to_fields() -> None:
    plan = side(edited(REGIMES, ("crm.yaml", "source:", OBJECT), ("crm.yaml", "value: PCI}", "value: CCPA}"))).plan
    assert plan.regimes == {
        "crm": ("CCPA", "GDPR", "LGPD", "PCI", "SOC2"),
        "crm#Customer": ("CCPA", "GDPR", "LGPD", "PCI", "SOC2"),
        "crm#Customer.id": ("CCPA", "SOC2"),
        "crm#Customer.email": ("CCPA", "GDPR", "LGPD", "SOC2"),
        "crm#Customer.card": ("CCPA", "GDPR", "LGPD", "PCI", "SOC2"),
        "crm#Customer.card.holder": ("CCPA", "GDPR", "LGPD", "PCI", "SOC2"),
        "crm#Customer.card.number": ("CCPA", "PCI", "SOC2"),
    }


def test_the_example_says_what_it_falls_under() -> None:
    regimes = OLD.plan.regimes
    assert regimes["customers#Customer.email"] == ("CCPA", "GDPR")
    assert regimes["invoices#Invoice.total"] == ("SOC2",)
    assert "customers#Customer.id" not in regimes
    found = {each.address: each.regimes for each in documents(OLD.plan) if each.kind != "relation"}
    assert found["customers#Customer"] == ("CCPA", "GDPR")
    assert found["customers#Customer.email"] == ("CCPA", "GDPR")
    assert found["customers"] == (), "its entities may be hidden one by one"


@pytest.mark.parametrize(
    ("edit", "kind", "regimes"),
    [
        (
            (PRIVACY, "roles: [support], purposes: [service], effect: allow", "roles: [support], effect: allow"),
            "policy-rules",
            ("CCPA", "GDPR"),
        ),
        ((TAXONOMY, "pii.direct: {pii: true, ", "pii.direct: {"), "tag-personal", ("CCPA", "GDPR")),
        ((CUSTOMERS, "subjects:", "subjects:"), None, ()),
    ],
)
def test_a_weakening_names_what_it_touches(edit, kind: str | None, regimes: tuple[str, ...]) -> None:
    found = compare(OLD, side(edited(BASE, edit)))
    assert found.regimes == regimes
    if kind is None:
        assert not found.changes
        return
    weak = [each for each in found.changes if each.cls is Class.PRIVACY]
    assert {each.regimes for each in weak if each.kind == kind} == {regimes}
    report = Report(found)
    assert as_json(report)["regimes"] == list(regimes)
    assert all(set(each["regimes"]) <= set(regimes) for each in as_json(report)["access"])
    told = ", ".join(regimes)
    assert f"  = touches {told}" in as_text(report)
    assert f"**Touches** {told}" in as_markdown(report)
    assert any(told in each["message"]["text"] for each in as_sarif(report, "1")["runs"][0]["results"])


def test_a_regime_less_is_for_review() -> None:
    for old, new, cls in (("[GDPR, CCPA]", "[GDPR]", Class.REVIEW), ("[SOC2]", "[SOC2, PCI]", Class.SAFE)):
        tree = BASE | {TAXONOMY: BASE[TAXONOMY].replace(old, new)}
        assert {(each.kind, each.cls) for each in compare(OLD, side(tree)).changes} == {("regime", cls)}
    before, after = side(REGIMES), side(edited(REGIMES, ("crm.yaml", "value: [SOC2]", "value: []")))
    assert {(each.kind, each.cls) for each in compare(before, after).changes} == {("regime", Class.REVIEW)}
