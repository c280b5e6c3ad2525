# SPDX-License-Identifier: Apache-2.0
"""What counts as weaker (S29): changes of the example, each with what the comparison says of it."""

from pathlib import Path

import pytest

from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.classes import situations
from dictamesh.runtime.diff.weakening import Weaker, weaker
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import render
from dictamesh.specs.documents import Memory
from dictamesh.specs.rules import Audience, Term

EXAMPLES = Path(__file__).parents[3] / "examples"
CUSTOMERS, PRIVACY, FINANCE, MESH = (
    "products/customers.yaml",
    "policies/privacy.yaml",
    "policies/finance.yaml",
    "mesh.yaml",
)
TESTS = "\ntests:\n"


def tree() -> dict[str, str]:
    found = {str(path.relative_to(EXAMPLES)): path.read_text("utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))}
    found = {name: text for name, text in found.items() if not name.startswith("extra/")}
    # Inline tests would refuse most of the changes below before anything is compared.
    for name in (PRIVACY, FINANCE):
        documents = [each.partition(TESTS)[0] for each in found[name].split("\n---\n")]
        found[name] = "\n---\n".join(documents) + "\n"
    return found


def plan(files: dict[str, str]) -> Plan:
    found = build(Memory(files), "mesh.yaml")
    assert found.plan is not None, render(found.diagnostics, found.sources)
    return found.plan


def changed(files: dict[str, str], name: str, before: str, after: str) -> dict[str, str]:
    assert files[name].count(before) >= 1, f"{name} holds no {before!r}"
    return {**files, name: files[name].replace(before, after)}


def compared(before: dict[str, str], after: dict[str, str]) -> tuple[Weaker, ...]:
    return weaker(plan(before), plan(after))


BASE = tree()
REDACT_ELSE = "{name: everyone-else, effect: mask, mask: {kind: redact}}"
EMAIL = "required: true, classification: restricted, tags: [pii.direct.email]"
ROWS = 'keep: "country = ANY(principal.countries)"'

LOOSENED = {
    "mask to allow": (PRIVACY, REDACT_ELSE, "{name: everyone-else, effect: allow}", {"field"}),
    "redact to partial": (PRIVACY, REDACT_ELSE, REDACT_ELSE.replace("redact", "partial"), {"field"}),
    "another role allowed": (PRIVACY, "roles: [support], purposes", "roles: [support, steward], purposes", {"field"}),
    "a purpose no longer asked for": (PRIVACY, "roles: [support], purposes: [service]", "roles: [support]", {"field"}),
    "rule order": (
        FINANCE,
        "rules:\n",
        "rules:\n  - {name: first, roles: [steward], effect: allow}\n",
        {"field"},
    ),
    "a filter on rows removed": (PRIVACY, ROWS, "keep: all", {"rows"}),
    "a filter on rows changed": (
        PRIVACY,
        ROWS,
        "keep: \"country = ANY(principal.countries) OR country = 'DE'\"",
        {"rows"},
    ),
    "sorting allowed": (PRIVACY, "sort: deny", "sort: allow", {"use"}),
    "a tag removed": (CUSTOMERS, EMAIL, "required: true, classification: restricted", {"tag"}),
    "a tier lowered": (CUSTOMERS, EMAIL, EMAIL.replace("restricted", "internal"), {"tier"}),
    "strangers see internal": (MESH, "{sees: public}", "{sees: internal}", {"field"}),
    "a caller gains a role": (MESH, "roles: [analyst]\n", "roles: [analyst, support]\n", {"caller"}),
    "a caller gets other claims": (MESH, "countries: [DE, FR]", "countries: [DE, FR, US]", {"caller"}),
    "no longer personal data": ("taxonomy.yaml", "pii.direct: {pii: true, ", "pii.direct: {", {"tag"}),
}


@pytest.mark.parametrize("case", LOOSENED)
def test_weaker(case: str) -> None:
    name, before, after, what = LOOSENED[case]
    found = compared(BASE, changed(BASE, name, before, after))
    assert what <= {each.what for each in found}, found
    assert all(str(each) for each in found)


# Both ways are weaker where nothing tells which condition keeps less, or where a policy comes after its tag.
BOTH_WAYS = {"a filter on rows changed", "a caller gets other claims", "a tag removed"}


@pytest.mark.parametrize("case", sorted(LOOSENED.keys() - BOTH_WAYS))
def test_the_way_back_is_no_weakening(case: str) -> None:
    name, before, after, _ = LOOSENED[case]
    assert compared(changed(BASE, name, before, after), BASE) == ()


HARMLESS = {
    "a description": (CUSTOMERS, "A person or company that buys.", "Who buys."),
    "a version": (CUSTOMERS, "version: 1.2.0", "version: 1.3.0"),
    "a rule renamed": (PRIVACY, "name: support-in-service", "name: the-desk"),
    "one more condition on rows": (PRIVACY, ROWS, "keep: \"country = ANY(principal.countries) AND status = 'active'\""),
    "a stricter mask": (PRIVACY, REDACT_ELSE, REDACT_ELSE.replace("redact", "nullify")),
    "a caller loses a role": (MESH, "roles: [analyst]\n", "roles: []\n"),
    "freshness": (CUSTOMERS, "property: latency, value: 5", "property: latency, value: 50"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless(case: str) -> None:
    assert compared(BASE, changed(BASE, *HARMLESS[case])) == ()


def test_partial_that_keeps_more_is_weaker_and_one_that_keeps_less_is_not() -> None:
    def kept(last: int) -> dict[str, str]:
        mask = f"{{kind: partial, keepLast: {last}}}"
        return changed(BASE, PRIVACY, "mask: {kind: redact}", f"mask: {mask}")

    assert {each.what for each in compared(kept(2), kept(3))} == {"field"}
    assert compared(kept(3), kept(2)) == ()


def test_a_removed_policy_is_named() -> None:
    first, _, rest = BASE[PRIVACY].partition("\n---\n")
    assert "name: direct-identifiers" in first
    found = compared(BASE, {**BASE, PRIVACY: rest})
    assert Weaker("policy", "direct-identifiers", "", "present", "removed") in found


def test_a_product_that_goes_shows_nobody_more() -> None:
    without = {name: text for name, text in BASE.items() if name != "products/products.yaml"}
    kept = [line for line in without["products/invoices.yaml"].splitlines() if "products#Product" not in line]
    assert compared(BASE, {**without, "products/invoices.yaml": "\n".join(kept) + "\n"}) == ()


def test_a_product_that_comes_shows_nobody_more() -> None:
    new = (
        BASE["products/products.yaml"]
        .replace("products", "wares")
        .replace("Product", "Ware")
        .replace("DataWare", "DataProduct")
    )
    assert compared(BASE, {**BASE, "products/wares.yaml": new.replace("/api/wares", "/api/other")}) == ()


def test_the_same_rows_under_another_name_keep_their_rules() -> None:
    """A renamed product leaves the policies that named it: nobody may see its rows and fields unmasked (S29)."""
    renamed = {
        **changed(BASE, "products/invoices.yaml", "customers#Customer", "clients#Client"),
        CUSTOMERS: BASE[CUSTOMERS]
        .replace("id: customers\nname: customers", "id: clients\nname: clients")
        .replace("name: Customer #", "name: Client #")
        .replace("  Customer:", "  Client:")
        .replace("Customer.id}", "Client.id}")
        .replace(EMAIL, "required: true, classification: public"),
        PRIVACY: BASE[PRIVACY].replace("{products: [customers]}", "{products: [products]}").replace(ROWS, "keep: all"),
    }
    found = compared(BASE, renamed)
    assert {("field", "clients#Client.email"), ("rows", "clients#Client")} <= {
        (each.what, each.address) for each in found
    }


def test_a_field_that_reads_another_column_is_held_against_its_readers() -> None:
    products = "products/products.yaml"
    provider = "{name: provider, logicalType: string, classification: "
    base = changed(BASE, products, provider + "public}", provider + "internal}")
    moved = changed(base, products, "{name: provider, ", "{name: provider, physicalName: vendor, ")
    swapped = changed(moved, products, "{name: sku, ", "{name: sku, physicalName: provider, ")
    assert compared(base, moved) == ()
    found = compared(base, swapped)
    assert {(each.what, each.address, each.principal) for each in found} == {
        ("field", "products#Product.sku", "anonymous")
    }


def test_three_roles_that_only_together_see_more() -> None:
    """No single role and no pair is shown more; all three together are."""
    two = """\
apiVersion: dictamesh/v1
kind: Policy
name: p
owner: o
match: {fields: [invoices#Invoice.total]}
rules:
%s
---
apiVersion: dictamesh/v1
kind: Policy
name: q
owner: o
match: {fields: [invoices#Invoice.total]}
rules:
  - {name: third, roles: [steward], effect: allow}
  - {name: others, effect: deny}
"""
    strict = "  - {name: first, roles: [support], effect: deny}\n  - {name: others, effect: allow}"
    loose = "  - {name: second, roles: [analyst], effect: allow}\n" + strict
    before, after = {**BASE, FINANCE: two % strict}, {**BASE, FINANCE: two % loose}
    found = [each for each in compared(before, after) if each.what == "field"]
    assert {each.principal for each in found} == {"analyst+steward+support"}


def test_one_situation_for_each_class_of_callers() -> None:
    term = Term("yearly", Audience(frozenset({"c"})))
    one, other = Audience(frozenset({"a"}), frozenset({"p"}), (("c", (1, 2)),)), Audience(frozenset({"b"}))
    found = situations([one, other, Audience(agreements=(term,))])
    assert not found.left_out
    assert len(found.all) == (2**3 * 2 * 4 + 1) * 2
    assert len(set(map(str, found.all))) < len(found.all) == len({(e.who.fingerprint, e.agreements) for e in found.all})
    assert str(found.all[0]) == "anonymous"
    assert "a+b for p with c under yearly" in set(map(str, found.all))


def test_roles_that_no_rule_tells_apart_are_one() -> None:
    found = situations([Audience(frozenset({"a", "b"})), Audience(frozenset({"a", "b", "c"}))])
    assert [str(each) for each in found.all] == ["anonymous", "authenticated without roles", "a", "c", "a+c"]


def test_a_claim_that_is_no_list_has_one_value() -> None:
    audience = [Audience(claims=(("level", (1, 2)),))]
    assert len(situations(audience, {"level": "integer"}).all) == 4
    assert len(situations(audience, {"level": ("integer",)}).all) == 5


def test_beyond_the_bound_the_smallest_classes_are_kept() -> None:
    audience = [Audience(frozenset({f"r{n}"})) for n in range(14)]
    found = situations(audience)
    assert len(found.all) == 4097
    assert found.left_out == 2**14 - 4096
    assert max(len(each.who.roles) for each in found.all) == 6
