# SPDX-License-Identifier: Apache-2.0
"""Edits of what is kept, who reads the audit, and whom an erasure reaches."""

import pytest

from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from tests.support.example import CUSTOMERS, INVOICES, MESH, Edit, edited, files, side

BASE = files()
OLD = side(BASE)


@pytest.mark.parametrize(
    ("edit", "cls", "kind", "address"),
    [
        ((MESH, "readers: [steward]", "readers: [steward, support]"), Class.PRIVACY, "audit-readers", "audit.readers"),
        ((MESH, "readers: [steward]", "readers: []"), Class.REVIEW, "audit-readers", "audit.readers"),
        (
            (MESH, "runtime: {", "retention: {enabled: false}\nruntime: {"),
            Class.PRIVACY,
            "retention",
            "retention.enabled",
        ),
        ((MESH, "runtime: {", "retention: {every: 1h}\nruntime: {"), Class.REVIEW, "retention", "retention.every"),
        (
            (INVOICES, "subjects: {customer: Invoice.customerId}\n", ""),
            Class.PRIVACY,
            "subject",
            "invoices:subjects.customer",
        ),
        (
            (CUSTOMERS, "subjects: {customer: Customer.id}", "subjects: {customer: Customer.email}"),
            Class.PRIVACY,
            "subject",
            "customers:subjects.customer",
        ),
        (
            (CUSTOMERS, "subjects: {customer: Customer.id}", "subjects: {customer: Customer.id, cms: Customer.id}"),
            Class.REVIEW,
            "subject",
            "customers:subjects.cms",
        ),
    ],
)
def test_an_edit(edit: Edit, cls: Class, kind: str, address: str) -> None:
    found = compare(OLD, side(edited(BASE, edit)))
    assert (cls, kind, address) in {(each.cls, each.kind, each.address) for each in found.changes}
    assert found.cls is cls
