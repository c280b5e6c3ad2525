# SPDX-License-Identifier: Apache-2.0
"""How a comparison is told: the comment of a pull request, SARIF, who must approve, who uses what."""

import os
from pathlib import Path

import jsonschema
import pytest

from dictamesh.runtime.diff.approvers import MalformedApprovers, approvers_of, read_approvers
from dictamesh.runtime.diff.change import AccessChange, Change, Class, Comparison
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.report import COMMENT_LINES, Report, as_json, as_markdown, as_sarif, as_text
from dictamesh.runtime.diff.usage import UnreadableUsage, read_usage
from tests.support.example import CUSTOMERS, INVOICES, PRIVACY, PRODUCTS, edited, files, side

GOLDEN = Path(__file__).with_name("comment.md")
BASE = files()
REDACT_ELSE = "{name: everyone-else, effect: mask, mask: {kind: redact}}"
NUMBER = "{name: number, physicalName: invoice_no, logicalType: string, required: true, classification: internal}"
ALLOWED = "roles: [support], purposes: [service], effect: allow}\n  - {name: analysts"
PHONE = "classification: restricted, tags: [pii.direct.phone]"
EDITS = (
    (PRIVACY, REDACT_ELSE, REDACT_ELSE.replace("redact", "partial")),
    (PRIVACY, ALLOWED, ALLOWED.replace("[support]", "[support, steward]")),
    (CUSTOMERS, PHONE, PHONE.replace("restricted", "confidential")),
    (CUSTOMERS, "value: 365", "value: 400"),
    (INVOICES, f"      - {NUMBER}\n", ""),
    (INVOICES, "latency, value: 5", "latency, value: 60"),
    (PRODUCTS, "What the shop sells.", "All that the shop sells."),
)
LINES = read_approvers(
    """
# class             where        who
privacy-weakening   *            @privacy-office
privacy-weakening   customers#*  @privacy-office @ana   # the owner, too
breaking            *            @platform
"""
)


def report() -> Report:
    found = compare(side(BASE), side(edited(BASE, *EDITS)))
    return Report(found, approvers_of(found.changes, LINES))


def test_the_comment_of_a_pull_request():
    text = as_markdown(report())
    if os.environ.get("DICTAMESH_REWRITE"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text("utf-8"), "pytest --rewrite accepts what it gives now"
    assert len(text.splitlines()) <= COMMENT_LINES


def test_a_comment_stays_short_whatever_changes():
    changes = tuple(Change(Class.REVIEW, "source", f"p{n}", n, n + 1) for n in range(500))
    access = tuple(AccessChange(f"r{n}", "a#B.c", "redact", "allow", "more") for n in range(500))
    text = as_markdown(Report(Comparison(changes, access, ("a note",)), ("@a", "@b")))
    assert len(text.splitlines()) <= COMMENT_LINES
    assert "and 4" in text
    assert "To be approved by" in text
    assert len(as_markdown(Report(Comparison(changes[:3], access))).splitlines()) <= COMMENT_LINES


def test_a_comment_says_what_specs_say_and_runs_nothing():
    odd = Change(Class.REVIEW, "source", "a|b", "<img src=x>`|\n# x", "\\|")
    text = as_markdown(Report(Comparison((odd,))))
    assert "<img" not in text
    assert "\n# x" not in text
    row = next(line for line in text.splitlines() if "a\\|b" in line)
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == 6


def test_nothing_is_told_of_nothing():
    assert as_text(Report(Comparison())) == "no changes"
    assert as_markdown(Report(Comparison())) == "### DictaMesh: no changes\n"
    assert as_json(Report(Comparison()))["class"] == "safe"


def test_json_has_the_keys_that_checks_rely_on():
    told = as_json(report())
    assert told["class"] == "privacy-weakening"
    for each in told["changes"]:
        assert {"class", "kind", "address", "before", "after", "affects", "file", "line"} <= each.keys()
    for each in told["access"]:
        assert {"principal", "address", "before", "after"} <= each.keys()
    assert told["approvers"] == ["@ana", "@platform", "@privacy-office"]


def test_sarif_points_at_the_lines():
    told = as_sarif(report(), "0.1.0")
    jsonschema.validate(told, SARIF)
    levels = {each["ruleId"].partition("/")[0]: each["level"] for each in told["runs"][0]["results"]}
    assert levels == {"privacy-weakening": "error", "breaking": "warning", "safe": "none"}
    retention = next(e for e in told["runs"][0]["results"] if e["ruleId"].endswith("retention-lengthened"))
    place = retention["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == CUSTOMERS
    line = edited(BASE, *EDITS)[CUSTOMERS].splitlines()[place["region"]["startLine"] - 1]
    assert "retention" in line


SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "items": {
                            "required": ["message", "ruleId"],
                            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
                        }
                    }
                },
            },
        },
    },
}


@pytest.mark.parametrize("text", ["breaking", "worse * @x", "breaking\n"])
def test_a_malformed_line_of_approvers_is_named(text):
    with pytest.raises(MalformedApprovers, match="line 1"):
        read_approvers(text)


def test_of_lines_that_fit_the_last_speaks():
    change = Change(Class.PRIVACY, "tag-removed", "customers#Customer.email")
    assert approvers_of([change], LINES) == ("@ana", "@privacy-office")
    assert approvers_of([Change(Class.SAFE, "words", "x")], LINES) == ()


def usage(*fields: tuple[str, str | None, int]):
    told = [{"address": address, "principal": who, "operations": count} for address, who, count in fields]
    return read_usage({"from": "2026-01-01", "to": "2026-01-31", "fields": told, "entities": []})


def test_a_field_that_nobody_uses_may_go_with_a_review():
    new = side(edited(BASE, (INVOICES, f"      - {NUMBER}\n", "")))
    removed = "invoices#Invoice.number"

    def told(found: Comparison) -> Change:
        return next(each for each in found.changes if (each.kind, each.address) == ("field-removed", removed))

    assert told(compare(side(BASE), new)).cls is Class.BREAKING
    unused = compare(side(BASE), new, usage(("invoices#Invoice.total", "bi-tool", 3)))
    assert told(unused).cls is Class.REVIEW
    assert unused.cls is Class.REVIEW
    used = compare(side(BASE), new, usage((removed, "bi-tool", 12), (removed, None, 1)))
    assert told(used).cls is Class.BREAKING
    assert told(used).affects == ("anonymous (1 operations)", "bi-tool (12 operations)")


def test_a_field_that_a_relation_of_another_product_rests_on_is_in_use():
    code = "{name: code, logicalType: string, required: true, classification: public}\n      "
    loosely = code.replace(" required: true,", "")
    sku = "- {name: sku,"
    apart = edited(BASE, (PRODUCTS, sku, f"- {code}{sku}"))
    joined = edited(apart, (INVOICES, "to: products#Product.id, card", "to: products#Product.code, card"))
    for base, cls, users in (
        (apart, Class.REVIEW, ()),
        (joined, Class.BREAKING, ("invoices (relation InvoiceItem.product)",)),
    ):
        found = compare(side(base), side(edited(base, (PRODUCTS, code, loosely))), usage())
        told = next(each for each in found.changes if each.kind == "no-longer-required")
        assert (told.cls, told.affects) == (cls, users)


@pytest.mark.parametrize("document", [None, [], {}, {"fields": [1]}, {"fields": [{"principal": "x"}]}])
def test_what_is_no_usage_document_is_refused(document):
    with pytest.raises(UnreadableUsage):
        read_usage(document)
