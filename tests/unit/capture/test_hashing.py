# SPDX-License-Identifier: Apache-2.0
"""Keyed hashes of fields: equal for equal values, whatever driver they came by, and of no use without the key."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.capture.hashing import Hashes, hashing_key, key_name
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.bench.capturing import MESH

FIELDS = """\
      - {name: id, logicalType: string, primaryKey: true, classification: public}
      - {name: free, logicalType: number, physicalType: decimal, classification: public}
      - {name: at, logicalType: timestamp, classification: public}
      - {name: any, logicalType: object, classification: public}
      - {name: raw, logicalType: string, logicalTypeOptions: {format: byte}, classification: public}
"""
PRODUCT = f"""\
apiVersion: dictamesh/v1
kind: DataProduct
id: a
name: a
version: 1.0.0
status: active
schema:
  - name: A
    properties:
{FIELDS}source: {{server: s}}
"""


def hashes(key: bytes = b"k" * 32) -> Hashes:
    plan = build(Memory({"mesh.yaml": MESH, "a.yaml": PRODUCT}), "mesh.yaml").plan
    assert plan is not None
    return Hashes(key, plan.entities["a#A"].fields)


BASE: dict[str, Any] = {
    "id": "1",
    "free": Decimal("1.50"),
    "at": datetime(2025, 1, 1, tzinfo=UTC),
    "any": {},
    "raw": b"x",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("free", Decimal(2)),
        ("free", Decimal("1.5" + "0" * 40 + "1")),
        ("at", None),
        ("any", {"a": 1}),
        ("raw", b"y"),
        ("any", {"big": 2**70}),
        ("any", "\ud800"),
    ],
)
def test_one_field_that_differs_is_named(name: str, value: Any) -> None:
    mine = hashes()
    assert mine.changed(mine.packed("1", BASE), mine.packed("1", {**BASE, name: value})) == (name,)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("free", Decimal("1.50"), Decimal("1.5")),
        ("free", Decimal(0), Decimal("-0.00")),
        ("free", Decimal(100), Decimal("1E+2")),
        ("any", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_equal_values_are_no_change(name: str, one: Any, other: Any) -> None:
    mine = hashes()
    assert mine.packed("1", {**BASE, name: one}) == mine.packed("1", {**BASE, name: other})


def test_the_same_values_differ_by_record_and_by_key() -> None:
    parts = [hashes().packed("1", BASE), hashes().packed("2", BASE), hashes(b"o" * 32).packed("1", BASE)]
    values = [{part[at + 8 : at + 16] for at in range(0, len(part), 16)} for part in parts]
    assert not values[0] & values[1]
    assert not values[0] & values[2]


def test_keys_are_derived_and_named() -> None:
    assert hashing_key(b"audit") != hashing_key(b"other")
    assert len(hashing_key(b"audit")) == 32
    assert key_name(b"a") != key_name(b"b")
