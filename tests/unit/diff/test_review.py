# SPDX-License-Identifier: Apache-2.0
"""A review by script: thirty edits of the example, ten of each class, several of them disguised."""

from dataclasses import dataclass

import pytest

from dictamesh.runtime.diff.change import Class, Comparison
from dictamesh.runtime.diff.compare import compare
from tests.support.example import (
    CUSTOMERS,
    FINANCE,
    INVOICES,
    MESH,
    PRIVACY,
    PRODUCTS,
    TAXONOMY,
    Edit,
    edited,
    files,
    side,
)

BASE = files()
OLD = side(BASE)
REDACT_ELSE = "{name: everyone-else, effect: mask, mask: {kind: redact}}"
SUPPORT = "{name: support-in-service, roles: [support], purposes: [service], effect: allow}"
CATEGORY = "{name: category, logicalType: string, classification: public}"
NUMBER = "{name: number, physicalName: invoice_no, logicalType: string, required: true, classification: internal}"
SUPPLIERS = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: suppliers
name: suppliers
version: 1.0.0
status: active
domain: suppliers
schema:
  - name: Supplier
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: title, logicalType: string, classification: internal}
source: {server: erp}
"""
COPY = """\
  - name: InvoiceCopy
    physicalName: invoices
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: worth, logicalType: integer, transformLogic: total_cents, classification: internal}
slaProperties:
"""
PRODUCT_OF_ITEM = "from: InvoiceItem.productId, to: products#Product.id"
ON_USE = "onUse: {filter: deny, sort: deny}\n"
TEST = "tests:\n  - {as: {}, field: customers#Customer.email, value: a, expect: {effect: mask}}\n"


@dataclass(frozen=True)
class Case:
    """`says` are (kind, address) of changes that must be among those found."""

    edits: tuple[Edit, ...]
    says: tuple[tuple[str, str], ...] = ()


def case(*edits: Edit, says: tuple[tuple[str, str], ...] = ()) -> Case:
    return Case(edits, says)


SAFE = {
    "another description": case((PRODUCTS, "What the shop sells.", "All that the shop sells.")),
    "a comment and another layout": case(
        (CUSTOMERS, "version: 1.2.0\nstatus: active\n", "status: active # yes\nversion:   1.2.0\n")
    ),
    "a field more": case(
        (PRODUCTS, CATEGORY, f"{CATEGORY}\n      - {{name: colour, logicalType: string, classification: public}}"),
        says=(("field-added", "products#Product.colour"),),
    ),
    "a product more": case(("products/suppliers.yaml", "", SUPPLIERS), says=(("product-added", "suppliers"),)),
    "a better service level": case(
        (PRODUCTS, "availability, value: 99.5", "availability, value: 99.9"), says=(("sla-availability", "products"),)
    ),
    "a relation more": case(
        (
            INVOICES,
            "relations: # one",
            "relations:\n  - {name: same, from: Invoice.id, to: Invoice.number, cardinality: one-to-one}\n  # one",
        ),
        says=(("relation-added", "invoices#Invoice.same"),),
    ),
    "a test more": case((PRIVACY, ON_USE, f"{ON_USE}{TEST}")),
    "a rule by another name": case((PRIVACY, "name: analysts-pseudonym", "name: pseudonyms-of-analysts")),
    "roles in another order": case((FINANCE, "roles: [support, analyst]", "roles: [analyst, support]")),
    "a tag more in the taxonomy": case(
        (TAXONOMY, "  finance:", "  health: {description: of body and mind}\n  finance:")
    ),
}
BREAKING = {
    "a field less": case(
        (PRODUCTS, f"      - {CATEGORY}\n", ""),
        (PRODUCTS, "      filters: {category: {eq: category}}\n", ""),
        says=(("field-removed", "products#Product.category"),),
    ),
    "a field by another name": case(
        (INVOICES, NUMBER, NUMBER.replace("name: number", "name: invoiceNumber")),
        says=(("field-removed", "invoices#Invoice.number"), ("field-added", "invoices#Invoice.invoiceNumber")),
    ),
    "another type": case(
        (INVOICES, "name: quantity, logicalType: integer", "name: quantity, logicalType: number"),
        says=(("field-type", "invoices#InvoiceItem.quantity"),),
    ),
    "no longer required": case(
        (PRODUCTS, "{name: sku, logicalType: string, required: true,", "{name: sku, logicalType: string,"),
        says=(("no-longer-required", "products#Product.sku"),),
    ),
    "a value less": case(
        (CUSTOMERS, "validValues: [active, archived]", "validValues: [active]"),
        says=(("enum-values", "customers#Customer.status"),),
    ),
    "a relation less": case(
        (
            INVOICES,
            f"  - {{name: product, {PRODUCT_OF_ITEM}, cardinality: many-to-one, inverse: soldIn}}\n",
            "",
        ),
        says=(("relation-removed", "invoices#InvoiceItem.product"), ("relation-removed", "products#Product.soldIn")),
    ),
    "a worse service level, in another unit": case(
        (INVOICES, "latency, value: 5, unit: s", "latency, value: 1, unit: m"), says=(("sla-freshness", "invoices"),)
    ),
    "another topic, by way of the domain": case(
        (CUSTOMERS, "domain: customers", "domain: crm"), says=(("topic-renamed", "customers#Customer"),)
    ),
    "root fields by another name": case(
        (PRODUCTS, "slaProperties:", "graphql: {Product: {plural: articles}}\nslaProperties:"),
        says=(("graphql field removed", "Query.products"),),
    ),
    "a lower limit": case((MESH, "runtime: {port", "gateway: {limits: {depth: 4}}\nruntime: {port")),
}
PRIVACY_WEAKENING = {
    "a tier lowered": case(
        (
            CUSTOMERS,
            "{name: phone, logicalType: string, classification: restricted",
            "{name: phone, logicalType: string, classification: confidential",
        ),
        says=(("tier-lowered", "customers#Customer.phone"),),
    ),
    "a tag moved to another field": case(
        (CUSTOMERS, "classification: restricted, tags: [pii.direct.phone]", "classification: restricted"),
        (
            CUSTOMERS,
            "{name: country, logicalType: string, required: true, classification: public}",
            "{name: country, logicalType: string, required: true, classification: public, tags: [pii.direct.phone]}",
        ),
        says=(("tag-removed", "customers#Customer.phone"),),
    ),
    "a mask weakened": case(
        (PRIVACY, REDACT_ELSE, REDACT_ELSE.replace("redact", "partial")), says=(("access", "customers#Customer.email"),)
    ),
    "a policy narrowed by an exception": case(
        (PRIVACY, "match: {tags: [pii.direct]}", "match: {tags: [pii.direct], except: {fields: [name]}}"),
        says=(("policy-narrowed", "customers#Customer.name"),),
    ),
    "a role renamed in one place": case(
        (MESH, "roles: [support, analyst, steward]", "roles: [support, analyst, steward, staff]"),
        (PRIVACY, SUPPORT, SUPPORT.replace("[support]", "[staff, support]")),
        says=(("access", "customers#Customer.email"),),
    ),
    "a purpose no longer asked for": case(
        (PRIVACY, SUPPORT, SUPPORT.replace(" purposes: [service],", "")), says=(("access", "customers#Customer.phone"),)
    ),
    "a row filter widened": case(
        (
            PRIVACY,
            'keep: "country = ANY(principal.countries)"',
            "keep: \"country = ANY(principal.countries) OR status = 'active'\"",
        ),
        says=(("access-rows", "customers#Customer"),),
    ),
    "kept longer, in another unit": case(
        (CUSTOMERS, "retention, value: 365, unit: d", "retention, value: 2, unit: y"),
        says=(("retention-lengthened", "customers"),),
    ),
    "the same column in another entity": case(
        (INVOICES, "slaProperties:\n", COPY),
        (INVOICES, "  Invoice: {columns", "  InvoiceCopy: {columns: {total_cents: integer}}\n  Invoice: {columns"),
        says=(("moved-field", "invoices#InvoiceCopy.worth"),),
    ),
    "a rule of some rows before the others": case(
        (
            PRIVACY,
            f"  - {REDACT_ELSE}",
            f"  - {{name: archived, effect: allow, where: \"status = 'archived'\"}}\n  - {REDACT_ELSE}",
        ),
        (PRIVACY, "match: {tags: [pii.direct]}", "match: {tags: [pii.direct], entities: [Customer]}"),
        says=(("access", "customers#Customer.email"),),
    ),
}
CLASSES = {Class.SAFE: SAFE, Class.BREAKING: BREAKING, Class.PRIVACY: PRIVACY_WEAKENING}
ALL = [
    pytest.param(cls, each, id=f"{cls.value}: {name}") for cls, found in CLASSES.items() for name, each in found.items()
]


def reviewed(found: Case) -> Comparison:
    return compare(OLD, side(edited(BASE, *found.edits)))


def test_there_are_ten_of_each() -> None:
    assert [len(found) for found in CLASSES.values()] == [10, 10, 10]


@pytest.mark.parametrize(("cls", "found"), ALL)
def test_each_edit_is_classed_right(cls: Class, found: Case) -> None:
    comparison = reviewed(found)
    told = [(each.cls.value, each.kind, each.address) for each in comparison.changes]
    assert comparison.cls is cls, told
    for kind, address in found.says:
        assert any((kind, address) == each[1:] for each in told), told


@pytest.mark.parametrize(("cls", "found"), ALL)
def test_every_change_has_a_place(cls: Class, found: Case) -> None:
    for each in reviewed(found).changes:
        assert each.place is not None or each.kind.startswith("graphql"), each


def test_nothing_differs_from_itself() -> None:
    assert compare(OLD, OLD) == Comparison()
    assert compare(OLD, side(files())) == Comparison()
