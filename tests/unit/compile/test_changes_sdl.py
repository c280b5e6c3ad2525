# SPDX-License-Identifier: Apache-2.0
"""The root `Subscription`: there for entities whose changes are noticed, the same for every caller."""

from dataclasses import replace

from graphql import build_schema, print_type, validate_schema
from graphql.utilities import find_breaking_changes

from dictamesh.runtime.compile.graphql import sdl, shared_names, type_names
from dictamesh.specs.model.events import Changes
from tests.support.plans import entity, field

WATCHED = Changes.model_validate({"snapshot": {}})


def watched(name: str, *fields, **more):
    return replace(entity(name, *fields, **more), changes=WATCHED)


def test_only_what_is_noticed_can_be_heard_of():
    one, other = watched("Thing", field("id"), field("name")), entity("Other", field("id"))
    schema = build_schema(sdl({each.address: each for each in (one, other)}))
    assert validate_schema(schema) == []
    assert print_type(schema.subscription_type) == (
        '"""Changes as they happen, of records that exist for the caller."""\n'
        "type Subscription {\n  thingChanged(id: ID, filter: ThingFilter, after: String): ThingChange\n}"
    )
    assert list(schema.type_map["ThingChange"].fields) == ["event", "node"]
    names = {each for each in schema.type_map if not each.startswith("__")}
    assert names <= {*type_names(one), *type_names(other), *shared_names()}


def test_a_key_whose_name_has_a_meaning_there_is_no_argument():
    one = replace(watched("Thing", field("after"), field("name")), key=("after",))
    schema = build_schema(sdl({one.address: one}))
    assert list(schema.subscription_type.fields["thingChanged"].args) == ["filter", "after"]


def test_a_product_that_is_no_longer_noticed_breaks_subscribers():
    one = watched("Thing", field("id"))
    before = build_schema(sdl({one.address: one}))
    after = build_schema(sdl({one.address: replace(one, changes=None)}))
    assert {each.type.name for each in find_breaking_changes(before, after)} == {"TYPE_REMOVED"}
