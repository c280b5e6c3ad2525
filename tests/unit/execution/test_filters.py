# SPDX-License-Identifier: Apache-2.0
"""Filters of callers as conditions: SQL's three values, empty combinations, relations one step away (S9)."""

from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.gateway.execution.filters import condition, used
from dictamesh.specs.expressions import compile_filter
from dictamesh.specs.types import BOOLEAN, INT, Kind, Type
from tests.support.plans import MONEY, entity, field, link

OWNER = entity("Owner", field("id", INT), field("name"))
PET = entity(
    "Pet",
    field("id", INT),
    field("name"),
    field("price", MONEY),
    field(
        "kind", Type(Kind.STRING, values=("cat", "old dog")), "PetKind", enum=(("cat", "cat"), ("old_dog", "old dog"))
    ),
    field("tame", BOOLEAN),
    field("ownerId", INT),
    links=(link("owner", "owners#Owner", "ownerId", "id", many=False),),
)
ENTITIES = {one.address: one for one in (OWNER, PET)}
TOM = {"id": 1, "name": "Tom", "price": Decimal("2.50"), "kind": "old dog", "tame": True, "owner": {"name": "Ana"}}
BLANK = {"id": 2, "name": None, "price": None, "kind": None, "tame": None, "owner": None}


def holds(given: dict[str, Any], row: dict[str, Any]) -> bool:
    return compile_filter(condition(PET, given, ENTITIES))(row, {})


@pytest.mark.parametrize(
    ("given", "tom", "blank"),
    [
        ({}, True, True),
        ({"and": []}, True, True),
        ({"or": []}, False, False),
        ({"not": {"or": []}}, True, True),
        ({"name": {}}, True, True),
        ({"name": {"eq": "Tom"}}, True, False),
        ({"name": {"ne": "Ana"}}, True, False),
        ({"not": {"name": {"eq": "Ana"}}}, True, False),
        ({"name": {"in": []}}, False, False),
        ({"not": {"name": {"in": []}}}, True, True),
        ({"name": {"in": ["Tom", "Ana"]}}, True, False),
        ({"name": {"isNull": True}}, False, True),
        ({"name": {"isNull": False}}, True, False),
        ({"name": {"like": "T_m"}}, True, False),
        ({"name": {"like": "t%"}}, False, False),
        ({"name": {"gte": "Tom", "lt": "Ton"}}, True, False),
        ({"price": {"eq": Decimal("2.5")}}, True, False),
        ({"price": {"gt": Decimal("2.499")}}, True, False),
        ({"price": {"in": [Decimal(1), Decimal("2.500")]}}, True, False),
        ({"kind": {"eq": "old dog"}}, True, False),
        ({"tame": {"eq": True}}, True, False),
        ({"or": [{"name": {"isNull": True}}, {"id": {"lte": 1}}]}, True, True),
        ({"or": [{"name": {"eq": "x"}}], "id": {"gt": 0}}, False, False),
        ({"owner": {"name": {"eq": "Ana"}}}, True, False),
        ({"owner": {"name": {"isNull": True}, "id": {"isNull": True}}}, False, True),
        ({"owner": {}}, True, True),
    ],
)
def test_filters(given: dict[str, Any], tom: bool, blank: bool) -> None:
    assert (holds(given, TOM), holds(given, BLANK)) == (tom, blank)


def test_every_field_that_a_filter_reads() -> None:
    given = {"and": [{"not": {"name": {"eq": "x"}}}], "or": [{"price": {}}], "owner": {"name": {"in": []}}}
    assert [each.address for each in used(PET, given, ENTITIES)] == [
        "pets#Pet.name",
        "pets#Pet.price",
        "owners#Owner.name",
    ]
