# SPDX-License-Identifier: Apache-2.0
"""Both engines answer alike, and neither parser sees what the guard refuses.

tartiflette is an extra that is built from source. Where it is missing these tests are skipped; with
DICTAMESH_TEST_TARTIFLETTE=1 they fail.
"""

import importlib.util
import os
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.gateway.contract import FieldError
from dictamesh.runtime.gateway.engines.core import CoreEngine
from dictamesh.runtime.gateway.engines.select import select_engine
from dictamesh.runtime.gateway.engines.tartiflette import CURE, EngineUnavailable, TartifletteEngine
from dictamesh.runtime.gateway.schema import build_schema
from dictamesh.runtime.governance.principal import ANONYMOUS
from tests.support.gateway import INFO, gateway, running
from tests.support.plans import every_type, plan, shop

INSTALLED = importlib.util.find_spec("tartiflette") is not None
FAULTS = {
    "Customer.name": FieldError("EXPRESSION_FAILED"),
    "Invoice.total": "no decimal",
    "InvoiceItem.quantity": 2**40,
    "InvoiceItem.id": None,
    "Sample.words": ["a", FieldError("SOURCE_DATA_INVALID"), None],
}
EVERY_FIELD = "shard serial text raw ratio price flag day clock at extra words grid"
FILTERED = """query($f: InvoiceFilter, $n: Int = 1) {
  invoices(filter: $f, limit: $n, orderBy: [{total: DESC}]) { id status } }"""
FRAGMENTS = """query($yes: Boolean!, $id: ID!) { a: customer(id: $id) { ...F } b: customer(id: "2") { ...F who: name } }
fragment F on Customer { id name @include(if: $yes) email @skip(if: $yes) ... on Customer { createdAt } }"""
MERGED = """{ customers(limit: 1) { id } customers(limit: 1) { email } ...Q }
fragment Q on Query { customers(limit: 1) { name } }"""
LITERALS = """{ samples(filter: {at: {gte: "2026-01-01T00:00:00Z"}, serial: {in: [1, "2"]}, raw: {eq: "AP8="}}) { at }
n: samplesCount(filter: {not: {flag: {eq: true}}, or: [], price: {lt: 1.50}}) }"""
CONDITION = {"status": {"in": ["written_off"]}, "total": {"gt": "1.5"}, "or": [{"overdue": {"eq": True}}]}
QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("{ customers(limit: 2) { id name email createdAt address { city zip floors } } }", {}),
    ("{ customers(limit: 1) { id invoices(limit: 2) { total status items { quantity } } } customersCount }", {}),
    (f"{{ sample(shard: 1, serial: 2) {{ {EVERY_FIELD} }} }}", {}),
    (FILTERED, {"f": CONDITION}),
    (FRAGMENTS, {"yes": False, "id": "c1", "unused": {"x": 1}}),
    ("{ __typename invoices(limit: 1) { __typename k: id customer { __typename invoices(limit: 1) { id } } } }", {}),
    (LITERALS, {}),
    (MERGED, {}),
    ('{ __schema { queryType { name } } invoicesCount __type(name: "Invoice") { kind name fields { name } } }', {}),
    ("{ customers(limit: 0) { id } customer(id: 7) { address { floors } } }", {}),
]


@pytest.fixture
def tartiflette():
    if INSTALLED:
        return
    if os.environ.get("DICTAMESH_TEST_TARTIFLETTE") == "1":
        pytest.fail("tartiflette is not installed, and DICTAMESH_TEST_TARTIFLETTE=1 asks for it")
    pytest.skip("tartiflette is not installed (extra dictamesh[tartiflette]; built from source)")


def served(engine, values=None):
    return gateway(plan(*shop(), every_type(), gateway={"engine": engine}), running(values))


async def both(text, variables, values=None):
    answers = [
        await served(engine, values).handle(text, variables, None, ANONYMOUS, INFO)
        for engine in ("graphql-core", "tartiflette")
    ]
    return answers[0], answers[1]


@pytest.mark.usefixtures("tartiflette")
@pytest.mark.parametrize(("text", "variables"), QUERIES, ids=range(len(QUERIES)))
async def test_ten_queries_are_answered_alike(text, variables):
    one, other = await both(text, variables)
    assert one.status == 200
    assert "errors" not in one.body
    assert other.body == one.body
    assert str(other.body) == str(one.body), "the order of the keys differs"


@pytest.mark.usefixtures("tartiflette")
@pytest.mark.parametrize(("text", "variables"), QUERIES, ids=range(len(QUERIES)))
async def test_faults_in_the_values_are_answered_alike(text, variables):
    one, other = await both(text, variables, FAULTS)
    assert other.body == one.body
    assert "no decimal" not in str(other.body)


@pytest.mark.usefixtures("tartiflette")
@pytest.mark.parametrize("engine", ["graphql-core", "tartiflette"])
@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "{ a(b: " + "[" * 100_000,
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ a: customersCount a: invoicesCount }",
        "{ customers(limit: 1001) { id } }",
        '{ customer(id: "\\u0000") { id } customersCount',
    ],
)
async def test_what_the_guard_refuses_reaches_no_engine(engine, text):
    response = await served(engine).handle(text, None, None, ANONYMOUS, INFO)
    assert response.refused
    assert response.status == 400


@pytest.mark.usefixtures("tartiflette")
async def test_text_that_two_parsers_might_read_differently_is_printed_anew():
    text = 'query { # } { "\n a: customer(id: """x \\""" { \n } """) { id } b: customer(id: "\\u0000\\"}") { id } }'
    one, other = await both(text, {})
    assert one.status == 200
    assert other.body == one.body


@pytest.mark.usefixtures("tartiflette")
async def test_several_engines_live_side_by_side():
    first, second = served("tartiflette", {"Invoice.total": Decimal("1.00")}), served("tartiflette")
    for _ in range(2):
        one = await first.handle("{ invoices(limit: 1) { total } }", None, None, ANONYMOUS, INFO)
        two = await second.handle("{ invoices(limit: 1) { total } }", None, None, ANONYMOUS, INFO)
        assert one.body["data"]["invoices"][0]["total"] == "1.00"
        assert two.body["data"]["invoices"][0]["total"] == "19.90"


def test_graphql_core_is_the_default():
    one = plan(*shop())
    assert one.mesh.gateway.engine == "graphql-core"
    assert isinstance(select_engine(one.mesh.gateway.engine, build_schema(one)), CoreEngine)


@pytest.mark.skipif(INSTALLED, reason="tartiflette is installed")
def test_without_the_extra_the_cure_is_told():
    with pytest.raises(EngineUnavailable) as caught:
        TartifletteEngine(build_schema(plan(*shop())))
    assert str(caught.value) == CURE
