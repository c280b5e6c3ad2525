# SPDX-License-Identifier: Apache-2.0
"""The default engine: order, nullability, errors, and what must never leave (S7, S19, S26)."""

import dataclasses
import logging

import pytest

from dictamesh.runtime.gateway.contract import FieldError, Node, Outcome
from dictamesh.runtime.gateway.errors import MESSAGES, GatewayError, message
from dictamesh.runtime.gateway.serving import Gateway, serving
from dictamesh.runtime.governance.principal import ANONYMOUS
from tests.support.gateway import INFO, anyone, gateway, running
from tests.support.plans import every_type, plan, shop

PLAN = plan(*shop(), every_type())


async def answered(text, by_field=None, variables=None):
    return await gateway(PLAN, running(by_field)).handle(text, variables, None, ANONYMOUS, INFO)


async def rooted(text, root):
    async def run(_operation, _principal, _info):
        return Outcome(root)

    return (await gateway(PLAN, run).handle(text, None, None, ANONYMOUS, INFO)).body


async def test_values_of_every_type():
    response = await answered(
        "{ sample(shard: 1, serial: 2) { shard serial text raw ratio price flag day clock at extra words grid } }"
    )
    assert response.status == 200
    assert response.body == {
        "data": {
            "sample": {
                "shard": 7,
                "serial": "9007199254740993",
                "text": "text",
                "raw": "AP8=",
                "ratio": 0.5,
                "price": "19.90",
                "flag": True,
                "day": "2026-01-31",
                "clock": "13:45:00.5",
                "at": "2026-01-31T13:45:00Z",
                "extra": {"deep": [1, None, "x"]},
                "words": ["text", None],
                "grid": [[7, None], None],
            }
        }
    }


async def test_response_keys_are_read_and_the_order_is_that_of_the_query():
    root = Node({"b": 2, "a": 1, "customersCount": 9})
    body = await rooted("{ a: customersCount b: customersCount }", root)
    assert list(body["data"].items()) == [("a", "1"), ("b", "2")]


async def test_enumerations_go_out_by_name():
    body = (await answered("{ invoices(limit: 1) { status } }")).body
    assert body["data"]["invoices"][0]["status"] == "written_off"


async def test_a_field_error_nulls_its_field_and_stands_at_its_path():
    body = (
        await answered("{ customers(limit: 1) { id who: name } }", {"Customer.name": FieldError("EXPRESSION_FAILED")})
    ).body
    assert body["data"] == {"customers": [{"id": "text", "who": None}]}
    assert body["errors"] == [
        {
            "message": message("EXPRESSION_FAILED"),
            "locations": [{"line": 1, "column": 28}],
            "path": ["customers", 0, "who"],
            "extensions": {"code": "EXPRESSION_FAILED", "traceId": INFO.trace_id},
        }
    ]


async def test_partial_failure_leaves_the_siblings():
    text = "{ customers(limit: 2) { id invoices { id } } n: customersCount }"
    body = (
        await answered(
            text, {"Customer.invoices": FieldError("SOURCE_UNAVAILABLE", message("SOURCE_UNAVAILABLE", server="erp"))}
        )
    ).body
    assert [row["invoices"] for row in body["data"]["customers"]] == [None, None]
    assert body["data"]["n"] == "9007199254740993"
    assert {e["extensions"]["code"] for e in body["errors"]} == {"SOURCE_UNAVAILABLE"}
    assert body["errors"][0]["message"] == "The source cannot be reached (server erp)."
    failed_root = (
        await answered("{ customers { id } invoicesCount }", {"Query.customers": FieldError("SOURCE_TIMEOUT")})
    ).body
    assert failed_root["data"] == {"customers": None, "invoicesCount": "9007199254740993"}


async def test_an_error_in_a_list_and_a_null_in_a_list():
    rows = {"Sample.words": ["a", FieldError("SOURCE_DATA_INVALID"), None]}
    body = (await answered('{ sample(shard: 1, serial: "1") { words } }', rows)).body
    assert body["data"]["sample"]["words"] == ["a", None, None]
    assert body["errors"][0]["path"] == ["sample", "words", 1]


async def test_a_null_key_nulls_the_row_and_the_list_of_rows():
    body = (await answered("{ customer(id: 1) { id name } }", {"Customer.id": None})).body
    assert body["data"] == {"customer": None}
    assert body["errors"][0]["extensions"]["code"] == "CONTRACT_VIOLATION"
    assert body["errors"][0]["path"] == ["customer", "id"]


async def test_a_forbidden_entity_is_null_with_its_code():
    body = (
        await answered("{ invoices(limit: 1) { id customer { id } } }", {"Invoice.customer": FieldError("FORBIDDEN")})
    ).body
    assert body["data"] == {"invoices": [{"id": "text", "customer": None}]}
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


class Loud:
    """A value that shouts whatever is done to it."""

    def __repr__(self):
        return "SECRET"

    __str__ = __repr__

    def __iter__(self):
        raise RuntimeError("SECRET")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ratio", "SECRET"),
        ("ratio", float("nan")),
        ("shard", 2**40),
        ("shard", "SECRET"),
        ("flag", "SECRET"),
        ("price", "SECRET"),
        ("day", "SECRET"),
        ("raw", "SECRET"),
        ("serial", 2**70),
        ("text", {"a": "SECRET"}),
        ("words", Loud()),
        ("words", "SECRET"),
        ("grid", ["SECRET"]),
    ],
)
async def test_a_value_of_the_wrong_type_is_an_error_that_does_not_show_it(field, value, caplog):
    text = f"{{ sample(shard: 1, serial: 1) {{ {field} }} }}"
    response = await answered(text, {f"Sample.{field}": value})
    assert response.body["errors"]
    assert all(e["extensions"]["code"] in {"SOURCE_DATA_INVALID", "INTERNAL_ERROR"} for e in response.body["errors"])
    assert "SECRET" not in str(response.body)
    assert "SECRET" not in "".join(str(vars(record)) for record in caplog.records)


async def test_an_unknown_enumeration_value_is_not_shown():
    body = (await answered("{ invoices(limit: 1) { id status } }", {"Invoice.status": "SECRET"})).body
    assert body["data"] == {"invoices": [{"id": "text", "status": None}]}
    assert body["errors"][0]["extensions"]["code"] == "SOURCE_DATA_INVALID"
    assert "SECRET" not in str(body)


async def test_what_execution_raises_unforeseen_is_internal_and_not_shown(caplog):
    async def run(_operation, _principal, _info):
        raise ValueError("SECRET")

    with caplog.at_level(logging.ERROR):
        response = await gateway(PLAN, run).handle("{ customersCount }", None, None, ANONYMOUS, INFO)
    assert response.status == 500
    assert response.refused
    assert response.body == {
        "errors": [
            {"message": message("INTERNAL_ERROR"), "extensions": {"code": "INTERNAL_ERROR", "traceId": INFO.trace_id}}
        ]
    }
    logged = "".join(str(vars(record)) for record in caplog.records)
    assert "ValueError" in logged
    assert "SECRET" not in logged


async def test_what_execution_refuses_refuses_the_whole_operation():
    async def run(_operation, _principal, _info):
        raise GatewayError("FORBIDDEN", "Customer.email may not be used in a filter.")

    response = await gateway(PLAN, run).handle("{ customersCount }", None, None, ANONYMOUS, INFO)
    assert response.status == 403
    assert "data" not in response.body
    assert response.body["errors"][0]["message"] == "Customer.email may not be used in a filter."


async def test_extensions_of_execution_are_sent():
    said = {"policy": [{"field": "Customer.email", "effect": "redact", "rule": "tier"}]}
    response = await gateway(PLAN, running(extensions=said)).handle("{ customersCount }", None, None, ANONYMOUS, INFO)
    assert response.body["extensions"] == said
    assert "errors" not in response.body


async def test_introspection_asks_no_execution_and_is_kept():
    async def run(_operation, _principal, _info):
        raise AssertionError("introspection reads no source")

    served = gateway(PLAN, run)
    text = '{ __schema { queryType { name } } __type(name: "Customer") { fields { name } } }'
    first = await served.handle(text, None, None, ANONYMOUS, INFO)
    assert first.body["data"]["__schema"] == {"queryType": {"name": "Query"}}
    second = await served.handle(text, None, None, ANONYMOUS, INFO)
    assert second.body["data"] is first.body["data"]
    for i in range(20):
        await served.handle(f"{{ __typename }} # {i}", None, None, ANONYMOUS, INFO)
    assert len(served.current.introspections) <= 8


async def test_introspection_beside_data():
    body = (await answered('{ __typename customers(limit: 1) { __typename id } __type(name: "Long") { kind } }')).body
    assert body["data"] == {
        "__typename": "Query",
        "customers": [{"__typename": "Customer", "id": "text"}],
        "__type": {"kind": "SCALAR"},
    }


async def test_the_source_texts_of_enumerations_do_not_show_in_introspection():
    body = (await answered('{ __type(name: "InvoiceStatus") { enumValues { name } } }')).body
    assert body["data"]["__type"]["enumValues"] == [{"name": "open"}, {"name": "paid"}, {"name": "written_off"}]


async def test_an_exchanged_plan_answers_the_next_operation():
    served = gateway(PLAN)
    other = gateway(plan(every_type()))
    old = served.exchange(other.current)
    assert old.plan is PLAN
    response = await served.handle("{ customersCount }", None, None, ANONYMOUS, INFO)
    assert response.body["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"


async def test_a_mesh_without_products_answers():
    response = await gateway(plan(), running({"Query.catalog": None})).handle(
        "{ catalog { productsCount } __typename }", None, None, ANONYMOUS, INFO
    )
    assert response.body == {"data": {"catalog": None, "__typename": "Query"}}


def test_every_code_has_a_message_and_messages_name_safe_things_only():
    for code, text in MESSAGES.items():
        assert message(code) == text + "."
    assert (
        message("SOURCE_TIMEOUT", server="erp", attempts=3)
        == "The source did not answer in time (server erp, attempts 3)."
    )
    with pytest.raises(KeyError):
        message("NOPE")


async def test_an_empty_root_is_null_for_everything_nullable():
    body = await rooted("{ customers { id } customersCount }", Node())
    assert body == {"data": {"customers": None, "customersCount": None}}


async def test_settings_of_the_plan_hold():
    tight = dataclasses.replace(PLAN, mesh=plan(gateway={"limits": {"depth": 2}}).mesh)
    response = await gateway(tight).handle("{ customers { invoices { id } } }", None, None, ANONYMOUS, INFO)
    assert response.body["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_who_counts_is_told_how_operations_end():
    seen = []

    async def run(operation, _principal, _info):
        if operation.operation_name == "Bad":
            raise ValueError
        return Outcome(Node({"customersCount": FieldError("SOURCE_TIMEOUT"), "invoicesCount": 1}))

    def observed(outcome, seconds, codes):
        assert seconds >= 0
        seen.append((outcome, list(codes)))

    served = Gateway(serving(PLAN, run, anyone, observed))
    for text in ("{ invoicesCount }", "{ customersCount }", "{ nope }", "query Bad { invoicesCount }"):
        await served.handle(text, None, None, ANONYMOUS, INFO)
    assert seen == [
        ("ok", []),
        ("partial", ["SOURCE_TIMEOUT"]),
        ("refused", ["VALIDATION_ERROR"]),
        ("failed", ["INTERNAL_ERROR"]),
    ]
