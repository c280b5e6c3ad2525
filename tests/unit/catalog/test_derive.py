# SPDX-License-Identifier: Apache-2.0
"""Rows and links of a plan as relations of the graph (GL-2, GL-3)."""

from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.catalog.graph.derive import declared_relation, edges_of
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.specs.documents import Folder
from tests.integration.catalog.graph.conftest import NOON
from tests.integration.execution.harness import compiled

IDS = RecordIds(Surrogates("acme", {"pepper": b"pepper"}))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compiled(Folder(Path(__file__).parents[3] / "examples"))


def told(entity: EntityPlan, row: dict[str, Any], plan: Plan) -> list[tuple[str, ...]]:
    return [
        (*edge.subject, edge.relation, *edge.object, edge.cardinality)
        for edge in edges_of(entity, row, plan.entities, IDS, NOON, "e-1")
    ]


def test_a_row_tells_what_it_points_to_by_key(plan: Plan) -> None:
    item = plan.entity_of_type("InvoiceItem")
    assert told(item, {"id": "t1", "invoiceId": "i1", "productId": "p1"}, plan) == [
        ("Invoice", "i1", "items", "InvoiceItem", "t1", "one-to-many"),
        ("InvoiceItem", "t1", "product", "Product", "p1", "many-to-one"),
    ]
    assert told(item, {"id": "t1", "invoiceId": "i1", "productId": None}, plan) == [
        ("Invoice", "i1", "items", "InvoiceItem", "t1", "one-to-many"),
    ]
    assert told(plan.entity_of_type("Customer"), {"id": "c1"}, plan) == [], "its invoices tell"


def test_both_directions_of_a_link_are_one_relation(plan: Plan) -> None:
    for entity in plan.entities.values():
        for link in entity.links:
            target = plan.entities[link.target]
            relation = declared_relation(entity, link, target)
            back = target.link(link.inverse or "")
            assert back is not None
            other = declared_relation(target, back, entity)
            assert (relation.subject, relation.name, relation.object) == (other.subject, other.name, other.object)
            assert relation.cardinality == other.cardinality
            assert relation.turned is not other.turned is link.declared
