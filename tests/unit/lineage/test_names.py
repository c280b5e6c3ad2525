# SPDX-License-Identifier: Apache-2.0
"""Datasets are named as OpenLineage has it, and no name holds a credential."""

from pathlib import Path, PurePath
from typing import Any

import pytest

from dictamesh.connectors.registry import manifest
from dictamesh.connectors.sql.naming import postgres_dataset
from dictamesh.runtime.lineage.model import Kind, Node
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.lineage.datasets import naming
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.manifest import Dataset, Source

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.mark.parametrize(
    ("dsn", "table", "namespace", "name"),
    [
        ("postgresql://u:geheim@db.example:6432/shop", "orders", "postgres://db.example:6432", "shop.public.orders"),
        ("postgres://db/shop?sslmode=require", "sales.orders", "postgres://db:5432", "shop.sales.orders"),
        ("postgresql://db", '"My.Schema"."T"', "postgres://db:5432", "postgres.My.Schema.T"),
        ("postgresql://ana@db", "t", "postgres://db:5432", "ana.public.t"),
        ("postgresql:///shop?host=/var/run/postgresql", "t", "postgres://localhost:5432", "shop.public.t"),
        ("postgresql://one:1,two:2/shop", "t", "postgres://one:1", "shop.public.t"),
        ("postgresql://[2001:db8::1]:5433/shop", "t", "postgres://[2001:db8::1]:5433", "shop.public.t"),
        ("host=db port=6432 dbname=shop user=u password=geheim", "t", "postgres://db:6432", "shop.public.t"),
        ("host = '/tmp/a b' dbname='it\\'s'", "t", "postgres://localhost:5432", "it's.public.t"),
        ("hostaddr=10.0.0.1 user=ana", "t", "postgres://10.0.0.1:5432", "ana.public.t"),
    ],
)
def test_postgres(dsn: str, table: str, namespace: str, name: str) -> None:
    found = postgres_dataset(dsn, table)
    assert found == Dataset(namespace, name)
    assert "geheim" not in repr(found)


@pytest.mark.parametrize("dsn", ["mysql://db/shop", "just words", "postgresql://[broken/", "=x", ""])
def test_a_text_that_is_no_address_gives_no_name(dsn: str) -> None:
    assert postgres_dataset(dsn, "t") is None


@pytest.mark.parametrize(
    ("connector", "server", "physical", "options", "expected"),
    [
        ("sqlite", {"path": "a/../erp.sqlite"}, "orders", {}, Dataset("sqlite:///mesh/erp.sqlite", "orders")),
        ("file", {"path": "lake"}, "2024/*.csv", {}, Dataset("file", "/mesh/lake/2024/*.csv")),
        (
            "rest",
            {"url": "https://api.example:8443/v2/"},
            "x",
            {"list": {"path": "/people"}},
            Dataset("https://api.example:8443", "/v2/people"),
        ),
        (
            "rest",
            {"url": "http://u:geheim@api.example"},
            "x",
            {"get": {"path": "/people/{id}"}},
            Dataset("http://api.example", "/people/{id}"),
        ),
        ("rest", {"url": "http://api.example"}, "people", {}, Dataset("http://api.example", "/people")),
    ],
)
def test_other_connectors(
    connector: str, server: dict[str, Any], physical: str, options: dict[str, Any], expected: Dataset
) -> None:
    about = manifest(connector)
    source = Source("p#E", physical, (), ("id",), about.entity.model_validate(options))
    assert about.dataset(about.server.model_validate(server), source, PurePath("/mesh")) == expected


def test_addresses_are_those_that_references_stand_for() -> None:
    plan = build_file(EXAMPLES / "mesh.yaml").plan
    assert plan is not None
    customer = plan.entities["customers#Customer"]
    assert Naming(plan).source(customer) == Dataset("rest://cms", "customers"), "nothing is resolved"
    found = naming(plan, Resolver(EXAMPLES, {"CMS_URL": "https://cms.example/api"}))
    assert found.source(customer) == Dataset("https://cms.example", "/api/items/customers")
    assert naming(plan, Resolver(EXAMPLES / "nowhere", {})).source(customer).namespace == "rest://cms"
    assert found.topic(customer) == Dataset("dictamesh://acme", "topic:customers.cms.entity_changed")
    kafka = Naming(plan, topics="kafka://broker:9092").topic(customer)
    assert kafka == Dataset("kafka://broker:9092", "customers.cms.entity_changed")


@pytest.mark.parametrize(
    ("node", "address"),
    [
        (Node("postgres://db:5432", "d.s.t", "c", Kind.COLUMN), "postgres://db:5432/d.s.t#c"),
        (Node("http://x", "/items/a", "", Kind.COLUMN), "http://x/items/a"),
        (Node("dictamesh://m", "p#E", "a.b", Kind.FIELD, "p#E"), "p#E.a.b"),
        (Node("dictamesh://m", "graphql:E", "", Kind.GRAPHQL, "p#E"), "graphql:E"),
        (Node("kafka://b:9092", "t.x", "payload.f", Kind.TOPIC, "p#E"), "topic:t.x.payload.f"),
        (Node("dictamesh://m", "topic:t.x", "", Kind.TOPIC, "p#E"), "topic:t.x"),
    ],
)
def test_addresses_of_nodes(node: Node, address: str) -> None:
    assert node.id == address
    assert node.dataset.field == ""
