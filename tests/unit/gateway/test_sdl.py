# SPDX-License-Identifier: Apache-2.0
"""The schema as text and as graphql-core sees it (S3, S7..S9, GW-1)."""

import dataclasses

import pytest
from graphql import GraphQLEnumType, build_schema, print_type, validate_schema

from dictamesh.runtime.compile.graphql import sdl, shared_names, type_names
from dictamesh.runtime.gateway.schema import build_schema as executable
from dictamesh.runtime.gateway.schema import entity_address, is_count, pages
from dictamesh.specs.manifest import Capabilities
from dictamesh.specs.types import JSON
from tests.support.plans import address, entity, every_type, field, link, listed, plan, shop


def printed(*entities, name):
    return print_type(build_schema(sdl({one.address: one for one in entities})).type_map[name])


@pytest.mark.parametrize("entities", [(), shop(), (every_type(),), (*shop(), every_type())])
def test_every_schema_is_valid(entities):
    assert validate_schema(build_schema(plan(*entities).sdl)) == []


def test_the_order_of_entities_changes_nothing():
    entities = (*shop(), every_type())
    assert sdl({e.address: e for e in entities}) == sdl({e.address: e for e in reversed(entities)})


def test_root_fields():
    assert printed(*shop(), name="Query").splitlines()[1:4] == [
        "  customer(id: ID!): Customer",
        "  customers(filter: CustomerFilter, orderBy: [CustomerOrder!], limit: Int, offset: Int): [Customer!]",
        "  customersCount(filter: CustomerFilter): Long",
    ]


def test_a_key_of_two_fields_takes_an_argument_for_each_in_its_own_type():
    assert "  sample(shard: Int!, serial: Long!): Sample" in printed(every_type(), name="Query")


def test_a_single_key_that_is_no_string_keeps_its_type():
    one = entity("Thing", field("id", every_type().field("serial").type))
    assert "thing(id: Long!): Thing" in printed(one, name="Query")


def test_without_list_there_is_no_root_list_and_no_count():
    one = entity("Thing", field("id"), capabilities=Capabilities(list=False))
    assert printed(one, name="Query").splitlines()[1] == "  thing(id: ID!): Thing"
    assert "things" not in printed(one, name="Query")


def test_only_key_fields_are_non_null_and_relations_have_their_shape():
    assert printed(*shop(), name="Invoice") == "\n".join(
        [
            "type Invoice {",
            "  id: String!",
            "  customerId: String",
            "  status: InvoiceStatus",
            "  total: Decimal",
            "  overdue: Boolean",
            "  customer: Customer",
            "  items(filter: InvoiceItemFilter, orderBy: [InvoiceItemOrder!], limit: Int, offset: Int): [InvoiceItem!]",
            "}",
        ]
    )


def test_lists_in_lists_objects_and_json():
    lines = printed(every_type(), name="Sample").splitlines()
    assert "  grid: [[Int]]" in lines
    assert "  words: [String]" in lines
    assert printed(*shop(), name="CustomerAddress").count("floors: [Int]") == 1
    open_list = entity("Thing", field("id"), field("free", listed(JSON), "JSON"))
    assert "  free: JSON" in printed(open_list, name="Thing").splitlines()


def test_the_key_directive_stands_on_every_entity():
    text = plan(*shop(), every_type()).sdl
    assert 'type Customer @key(fields: "id") {' in text
    assert 'type Sample @key(fields: "shard serial") {' in text
    assert "directive @key(fields: String!) repeatable on OBJECT" in text


def test_operators_by_type():
    entities = (*shop(), every_type())
    assert "like: String" in printed(*entities, name="StringFilter")
    assert "like" not in printed(*entities, name="DecimalFilter")
    for name in ("BooleanFilter", "BytesFilter", "InvoiceStatusFilter"):
        assert [line.split(":")[0].strip() for line in printed(*entities, name=name).splitlines()[1:-1]] == [
            "eq",
            "ne",
            "in",
            "isNull",
        ]
    assert "in: [InvoiceStatus!]" in printed(*entities, name="InvoiceStatusFilter")


def test_filters_reach_one_step_over_to_one_relations_and_no_further():
    schema = build_schema(plan(*shop()).sdl)
    assert "customer: CustomerRelationFilter" in print_type(schema.type_map["InvoiceFilter"])
    assert "items" not in print_type(schema.type_map["InvoiceFilter"])
    assert "invoices" not in print_type(schema.type_map["CustomerRelationFilter"])
    assert "InvoiceItemRelationFilter" not in schema.type_map


def test_objects_lists_and_json_are_neither_filtered_nor_sorted():
    for name in ("SampleFilter", "SampleOrder"):
        text = printed(every_type(), name=name)
        assert not any(word in text for word in ("extra", "words", "grid"))
    assert "address" not in printed(*shop(), name="CustomerOrder")


def test_fields_called_like_the_logic_of_filters_keep_it_working():
    one = entity("Thing", field("id"), field("not"), links=(link("or", address("Thing"), "not", "id", many=False),))
    text = printed(one, name="ThingFilter")
    assert "  not: ThingFilter" in text.splitlines()
    assert "  or: [ThingFilter!]" in text.splitlines()
    assert "  not: StringFilter" in printed(one, name="ThingRelationFilter").splitlines()
    assert validate_schema(build_schema(plan(one).sdl)) == []


def test_descriptions_survive_every_character():
    nasty = 'a "quoted" \\ text\nwith """ and 🏃 and \t tab'
    one = entity("Thing", field("id", description=nasty), description=nasty)
    schema = build_schema(plan(one).sdl)
    assert schema.type_map["Thing"].description == nasty
    assert schema.type_map["Thing"].fields["id"].description == nasty


def test_an_empty_mesh_has_its_catalog():
    assert list(build_schema(plan().sdl).query_type.fields) == ["catalog"]


def test_there_are_no_mutations():
    schema = build_schema(plan(*shop()).sdl)
    assert schema.mutation_type is None
    assert schema.subscription_type is None


def test_the_names_an_entity_takes_are_those_in_the_schema():
    entities = (*shop(), every_type())
    schema = build_schema(plan(*entities).sdl)
    taken = {name for one in entities for name in type_names(one)} | shared_names()
    assert {name for name in schema.type_map if not name.startswith("__")} <= taken


def test_the_executable_schema_knows_entities_enumerations_and_lists():
    schema = executable(plan(*shop(), every_type()))
    assert entity_address(schema.type_map["Invoice"]) == address("Invoice")
    assert entity_address(schema.type_map["CustomerAddress"]) is None
    status = schema.type_map["InvoiceStatus"]
    assert isinstance(status, GraphQLEnumType)
    assert status.serialize("written off") == "written_off"
    assert status.parse_value("written_off") == "written off"
    fields = schema.query_type.fields
    assert pages(fields["customers"])
    assert not pages(fields["customer"])
    assert is_count(fields["customersCount"])
    assert not is_count(fields["customer"])
    assert not pages(schema.type_map["CustomerAddress"].fields["floors"])


def test_a_key_field_called_limit_is_no_page():
    one = entity("Thing", field("limit"), field("filter"), key=("limit", "filter"))
    fields = executable(plan(one)).query_type.fields
    assert not pages(fields["thing"])
    assert not is_count(fields["thing"])


def test_an_enumeration_inside_an_object_carries_source_texts_too():
    inner = dataclasses.replace(shop()[1].field("status"), graphql="ThingPlaceKind", name="kind")
    place = field("place", shop()[0].field("address").type, "ThingPlace", members=(inner,))
    schema = executable(plan(entity("Thing", field("id"), place)))
    assert schema.type_map["ThingPlaceKind"].serialize("written off") == "written_off"
