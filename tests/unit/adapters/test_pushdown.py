# SPDX-License-Identifier: Apache-2.0
"""What goes to the source and what stays here, by the manifests of real connectors."""

from dataclasses import replace
from typing import Any

import pytest

from dictamesh.connectors.registry import manifest
from dictamesh.runtime.adapters.ask import Ask, Operation, Shown, Sort, Spent, both, conjuncts
from dictamesh.runtime.adapters.pushdown import Split, bound, orders, split
from dictamesh.runtime.adapters.ways import way_to
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, Parameter
from dictamesh.specs.types import BOOLEAN, INT, STRING, TIMESTAMP, Kind, Type
from tests.support.plans import entity, field, link

SQLITE, REST = manifest("sqlite"), manifest("rest")
STRINGS = Type(Kind.ARRAY, item=STRING)


def of(made: EntityPlan, kind: Any, **options: Any) -> EntityPlan:
    source = replace(made.source, options=kind.entity.model_validate(options))
    return replace(made, source=source, capabilities=kind.capabilities(source))


def owner(kind: Any = SQLITE, **options: Any) -> EntityPlan:
    return of(entity("Owner", field("id", INT), field("name"), field("rank", INT)), kind, **options)


def pet(kind: Any = SQLITE, **options: Any) -> EntityPlan:
    made = entity(
        "Pet",
        field("id", INT),
        field("name", column="pet_name", expr=Column(("pet_name",), STRING)),
        field("ownerId", INT, column="owner_id", expr=Column(("owner_id",), INT)),
        field("born", TIMESTAMP),
        links=(link("owner", "owners#Owner", "ownerId", "id", many=False, restrict=True),),
    )
    return of(made, kind, **options)


def operation(**shown: Shown) -> Operation:
    everything = Shown()
    return Operation(
        lambda address: shown.get(address.partition("#")[0], everything),
        {"principal.names": ["a", "b"], "principal.none": None, "principal.empty": []},
        Spent(100),
        50,
    )


def parts(made: EntityPlan, kind: Any, where: Expr | None, *must: str, **shown: Shown) -> Split:
    entities = {"pets#Pet": made, "owners#Owner": owner(kind)}
    return split(made, kind, entities, Ask(frozenset(), where, must), operation(**shown))


NAME = Column(("name",), STRING)
OWNER_NAME = Column(("owner", "name"), STRING)


def eq(column: Column, value: Any) -> Expr:
    return call("eq", column, Literal(value, column.type))


def test_conditions_are_sent_over_columns() -> None:
    found = parts(pet(), SQLITE, both(eq(NAME, "x"), eq(Column(("ownerId",), INT), 1)))
    assert found.complete
    assert found.where == call("and", eq(Column(("pet_name",), STRING), "x"), eq(Column(("owner_id",), INT), 1))


def test_conditions_that_a_source_does_not_know_stay_here() -> None:
    listing = {"path": "/pets", "filters": {"pet_name": {"eq": "name"}}}
    found = parts(pet(REST, list=listing), REST, both(eq(NAME, "x"), eq(Column(("ownerId",), INT), 1), eq(NAME, "x")))
    assert found.where == call("and", *[eq(Column(("pet_name",), STRING), "x")] * 2)
    assert found.local == eq(Column(("ownerId",), INT), 1)


def test_relations_on_the_same_server_are_joined_there() -> None:
    found = parts(
        pet(), SQLITE, eq(OWNER_NAME, "x"), owners=Shown(keep=call("gt", Column(("rank",), INT), Literal(3, INT)))
    )
    assert found.complete
    (related,) = found.related
    assert (related.name, related.on, related.required) == ("owner", (("owner_id", "id"),), False)
    assert related.where == call("gt", Column(("rank",), INT), Literal(3, INT))
    assert found.where == eq(OWNER_NAME, "x")


def test_a_relation_that_has_to_lead_to_a_row() -> None:
    found = parts(pet(), SQLITE, None, "owner", owners=Shown(nothing=True))
    assert found.complete
    assert found.related[0].required
    assert found.related[0].where == Literal(False, BOOLEAN)


def test_what_hides_related_rows_has_to_go_along() -> None:
    """A filter of the related entity that cannot be sent keeps the whole condition here, and the demand too."""
    hidden = Shown(keep=call("eq", Column(("owner", "name"), STRING), Literal("x", STRING)))
    found = parts(pet(), SQLITE, eq(OWNER_NAME, "x"), "owner", owners=hidden)
    assert (found.related, found.where, found.must) == ((), None, ("owner",))
    assert found.local == eq(OWNER_NAME, "x")
    other_server = replace(pet(), links=(replace(pet().links[0], same_server=False),))
    assert parts(other_server, SQLITE, eq(OWNER_NAME, "x")).local == eq(OWNER_NAME, "x")


def test_naive_timestamps_of_another_zone_are_compared_here() -> None:
    condition = call("is_null", Column(("born",), TIMESTAMP))
    assert parts(pet(), SQLITE, condition).complete
    berlin = replace(pet(), timezone="Europe/Berlin")
    assert parts(berlin, SQLITE, condition).local == condition
    assert orders(berlin, SQLITE, Ask(frozenset(), order=(Sort("born"),)), "") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("principal.names", call("in", NAME, Literal("a", STRING), Literal("b", STRING))),
        ("principal.none", Literal(None, BOOLEAN)),
        ("principal.empty", Literal(False, BOOLEAN)),
    ],
)
def test_lists_are_bound_before_a_source_sees_them(name: str, expected: Expr) -> None:
    given = Call("any_eq", (NAME, Parameter(name, STRINGS)), BOOLEAN)
    assert bound(given, operation().parameters) == expected


def test_orders_end_with_the_key() -> None:
    found = orders(pet(), SQLITE, Ask(frozenset(), order=(Sort("name", True),)), "")
    assert [(key.expr.path, key.descending) for key in found] == [(("pet_name",), True), (("id",), False)]
    assert [key.expr.path for key in orders(pet(), SQLITE, Ask(frozenset()), "")] == [("id",)]
    assert [key.expr.path for key in orders(pet(), SQLITE, Ask(frozenset(), order=(Sort("id", True),)), "")] == [
        ("id",)
    ]


def test_a_source_without_an_order_of_its_own_is_left_alone() -> None:
    web = pet(REST, list={"path": "/pets", "sort": {"param": "sort", "columns": ["pet_name"]}})
    assert orders(web, REST, Ask(frozenset()), "") == ()
    assert orders(web, REST, Ask(frozenset(), order=(Sort("name"),)), "") is None  # the key cannot be appended there


@pytest.mark.parametrize(
    ("options", "names", "count", "way"),
    [
        ({"batch": {"path": "/p", "query": {"ids": "{ids}"}, "size": 30}}, ("id",), 1, ("keys", 30)),
        ({"get": {"path": "/p/{id}"}}, ("id",), 1, ("keys", 1)),
        ({"lookup": {"owner_id": {"path": "/p", "query": {"by": "{values}"}}}}, ("ownerId",), 1, ("keys", 100)),
        ({"list": {"path": "/p", "filters": {"owner_id": {"in": "o"}}}}, ("ownerId",), 9, ("in", 100)),
        ({"list": {"path": "/p", "filters": {"owner_id": {"eq": "o"}}}}, ("ownerId",), 9, ("each", 1)),
        ({"list": {"path": "/p", "filters": {"id": {"eq": "o"}}}}, ("id",), 9, ("each", 1)),
        ({"list": {"path": "/p", "filters": {"id": {"eq": "o"}}}}, ("id",), 21, ("scan", 100)),
        ({"list": {"path": "/p"}}, ("ownerId",), 9, ("scan", 100)),
    ],
)
def test_ways_to_rows(options: dict[str, Any], names: tuple[str, ...], count: int, way: tuple[str, int]) -> None:
    found = way_to(pet(REST, **options), REST, names, [(n,) for n in range(count)])
    assert (found.kind, found.size) == way


def test_conjunctions_are_flat() -> None:
    a, b, c = (eq(NAME, text) for text in "abc")
    assert both(None) is None
    assert both(a, None) == a
    joined = both(call("and", a, b), c)
    assert joined is not None
    assert conjuncts(joined) == (a, b, c)
