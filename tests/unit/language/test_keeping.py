# SPDX-License-Identifier: Apache-2.0
"""What an import or export keeps is put back where it was, unless somebody edited it since."""

import copy
from typing import Any

from dictamesh.specs.odcs.exporting import to_contract
from dictamesh.specs.odcs.importing import slug, to_product
from dictamesh.specs.odcs.keeping import ABSENT, Edit, at, keep, replaced, restore, same

CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.2.0",
    "kind": "DataContract",
    "id": "orders",
    "name": "Orders of the shop",
    "version": "1.0.0",
    "status": "in development",
    "schema": [
        {
            "name": "orders",
            "properties": [
                {"name": "state", "logicalType": "string", "enum": [{"value": "open"}]},
                {"name": "notes", "logicalType": "map", "map": {"key": {}, "value": {"logicalType": "string"}}},
            ],
        }
    ],
}


def imported() -> dict[str, Any]:
    return to_product(CONTRACT, "orders").product


def test_an_edited_word_goes_before_the_one_that_was_kept() -> None:
    product = imported()
    assert (product["name"], product["status"]) == ("orders-of-the-shop", "draft")
    product["status"] = "active"
    contract = to_contract(product).contract
    assert (contract["name"], contract["status"]) == ("Orders of the shop", "active")


def test_a_word_stays_with_its_property_when_others_come_and_go() -> None:
    product = imported()
    product["schema"][0]["properties"].insert(0, {"name": "id", "logicalType": "string"})
    product["schema"][0]["properties"].pop()
    states = to_contract(product).contract["schema"][0]["properties"]
    kept = {each["name"]: each.get("customProperties") for each in states}
    assert kept == {
        "id": None,
        "state": [{"property": "dictamesh", "value": {"enum": [{"value": "open"}]}}],
    }


def test_a_key_that_was_added_since_goes_before_the_one_that_was_kept() -> None:
    product = imported()
    product["schema"][0]["properties"][1]["logicalType"] = "object"
    notes = to_contract(product).contract["schema"][0]["properties"][1]
    assert notes["logicalType"] == "object"


def test_the_next_version_comes_back_from_this_one() -> None:
    product = imported()
    again = to_product(to_contract(product).contract, "other").product
    assert same(again, product)


def test_export_and_import_leave_what_they_are_given_alone() -> None:
    before = copy.deepcopy(CONTRACT)
    product = to_product(CONTRACT, "orders").product
    kept = copy.deepcopy(product)
    to_contract(product)
    assert same(CONTRACT, before)
    assert same(product, kept)


def test_a_place_that_is_no_more_is_told() -> None:
    data: dict[str, Any] = {"price": {"priceUnit": "GB"}}
    keep(data, [replaced(data, ("price", "priceUnit"), ABSENT)], "odcs")
    assert data == {
        "price": {},
        "customProperties": [{"property": "odcs", "value": {"spelled": [{"at": "/price/priceUnit", "there": "GB"}]}}],
    }
    again = copy.deepcopy(data)
    assert restore(again, "odcs") == []
    assert again == {"price": {"priceUnit": "GB"}}
    del data["price"]
    assert restore(data, "odcs") == ["/price/priceUnit"]
    assert data == {}


def test_the_properties_of_others_are_left_alone() -> None:
    for value in (None, {}, "text", {"spelled": 1}, {"spelled": [{"at": "no pointer"}]}, {"spelled": [{"to": "/a"}]}):
        data = {"customProperties": [{"property": "odcs", "value": value}]}
        before = copy.deepcopy(data)
        assert restore(data, "odcs") == []
        assert data == before


def test_odd_keys_have_pointers() -> None:
    data: dict[str, Any] = {"description": {"a/b~c": {"1": 2}}}
    edit = replaced(data, ("description", "a/b~c", "1"), 3)
    assert edit == Edit(("description", "a/b~c", "1"), 3, 2)
    keep(data, [edit], "odcs")
    restore(data, "odcs")
    assert at(data, ("description", "a/b~c", "1")) == 2


def test_names_are_made_of_any_text() -> None:
    made = {text: slug(text) for text in ("Orders: Größe", "  ", "日本", "a" * 300, "..x", "A--B")}
    assert made == {
        "Orders: Größe": "orders-grosse",
        "  ": "contract",
        "日本": "contract",
        "a" * 300: "a" * 100,
        "..x": "x",
        "A--B": "a-b",
    }


def test_equal_data_is_of_one_type() -> None:
    assert same([1, {"a": None}], [1, {"a": None}])
    assert not any(same(1, other) for other in (1.0, True, "1", None))
