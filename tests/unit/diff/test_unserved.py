# SPDX-License-Identifier: Apache-2.0
"""Contracts without a source, compared: what breaks for those who rely on their words (ADR 8)."""

import pytest

from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from tests.support.example import files, side

NAME = "products/payments.yaml"
PAYMENTS = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: payments
name: payments
version: 2.1.0
status: active
description: {purpose: Payments that the bank has settled.}
schema:
  - name: settled payment
    properties:
      - {name: payment-id, logicalType: string, primaryKey: true, required: true}
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)", required: true}
      - {name: iban, logicalType: string, classification: restricted}
      - {name: address, logicalType: object, properties: [{name: zip code, logicalType: string}]}
slaProperties:
  - {property: latency, value: 1, unit: d}
"""
AMOUNT = "payments#settled payment.amount"
IBAN = "payments#settled payment.iban"
SOURCE = "source: {server: erp}\n"
EDITS = {
    "a description": ("Payments that", "All payments that", "safe", ()),
    "another field": ("      - {name: iban", "      - {name: bic, logicalType: string}\n      - {name: iban", "safe",
                      (("field-added", "payments#settled payment.bic"),)),
    "a field gone": ("      - {name: iban, logicalType: string, classification: restricted}\n", "", "breaking",
                     (("field-removed", IBAN), ("major-version-kept", "payments"))),
    "a field below gone": ("zip code", "postcode", "breaking",
                           (("field-removed", "payments#settled payment.address.zip code"),)),
    "another type": ("decimal(12,2)", "decimal(14,2)", "breaking", (("field-type", AMOUNT),)),
    "no longer required": ('"decimal(12,2)", required: true', '"decimal(12,2)"', "breaking",
                           (("no-longer-required", AMOUNT),)),
    "a tier lowered": ("restricted", "internal", "privacy-weakening", (("tier-lowered", IBAN),)),
    "an entity renamed": ("settled payment", "payment", "breaking",
                          (("entity-removed", "payments#settled payment"), ("entity-added", "payments#payment"))),
    "fresh later": ("value: 1,", "value: 2,", "breaking", (("sla-freshness", "payments"),)),
    "a promise more": ("slaProperties:\n", "slaProperties:\n  - {property: retention, value: 9}\n", "safe", ()),
    "a promise less": ("  - {property: latency, value: 1, unit: d}\n", "  []\n", "review", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_a_contract(name: str) -> None:
    before, after, worst, says = EDITS[name]
    assert PAYMENTS.count(before) == 1
    base = files()
    found = compare(side({**base, NAME: PAYMENTS}), side({**base, NAME: PAYMENTS.replace(before, after)}))
    assert found.cls == Class(worst), found.changes
    told = {(each.kind, each.address) for each in found.changes}
    assert set(says) <= told
    assert all(each.place is not None for each in found.changes)


def test_a_contract_that_stays_is_silent() -> None:
    base = side({**files(), NAME: PAYMENTS})
    assert compare(base, base).changes == ()


@pytest.mark.parametrize("gone", [True, False])
def test_a_contract_that_comes_or_goes(gone: bool) -> None:
    there, absent = side({**files(), NAME: PAYMENTS}), side(files())
    found = compare(there, absent) if gone else compare(absent, there)
    kind = "product-removed" if gone else "product-added"
    assert [(each.kind, each.address) for each in found.changes] == [(kind, "payments")]
    assert found.cls is (Class.BREAKING if gone else Class.SAFE)


def test_a_contract_that_gets_a_source_shows_new_data_and_one_that_loses_it_shows_none() -> None:
    fits = PAYMENTS.replace("settled payment", "Payment").replace("payment-id", "id").replace("zip code", "zip")
    contract, served = side({**files(), NAME: fits}), side({**files(), NAME: fits + SOURCE})
    got = {(each.kind, each.cls) for each in compare(contract, served).changes}
    assert ("entity-added", Class.REVIEW) in got
    lost = {(each.kind, each.cls) for each in compare(served, contract).changes}
    assert ("entity-removed", Class.BREAKING) in lost
