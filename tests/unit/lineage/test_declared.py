# SPDX-License-Identifier: Apache-2.0
"""Lineage that products declare: in the graph, in events, in the rows of the catalog and in reviews (GL-6)."""

from datetime import UTC, datetime

import pytest

from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from dictamesh.runtime.diff.usage import dependants
from dictamesh.runtime.lineage.derive import derive, derive_product
from dictamesh.runtime.lineage.model import Graph
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.lineage.openlineage.describe import Described
from dictamesh.runtime.lineage.openlineage.events import dataset_event, job_event
from tests.support.example import edited, side
from tests.support.golden import CASES, read
from tests.support.openlineage import faults, registry
from tests.support.testsets import folder_of

FILES = {name: data.decode() for name, data in read(CASES / "declared-lineage.md")[0].files.items()}
OLD = side(FILES)
PLAN: Plan = OLD.plan
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SCORES = "scores.yaml"
WHO = "  - {to: Score.who, from: {table: customers, field: mail}}\n"


def said(graph: Graph, source: str, target: str) -> list[tuple[str, bool, str]]:
    found = (edge for edge in graph.edges if (edge.source.id, edge.target.id) == (source, target))
    return [(edge.subtype.value, edge.masking, edge.provenance.value) for edge in found]


def test_every_kind_has_its_word_of_openlineage() -> None:
    graph = derive(PLAN)
    lake, scores = "s3://lake/raw/invoices", "sqlite://a.sqlite/scores"
    assert said(graph, f"{lake}#amount", f"{scores}#cents") == [("AGGREGATION", False, "declared")]
    assert said(graph, lake, scores) == [("AGGREGATION", False, "declared")]
    assert said(graph, "sqlite://a.sqlite/customers#mail", "scores#Score.who") == [("IDENTITY", False, "declared")]
    assert said(graph, "sqlite://a.sqlite/rates", "scores#Score.worth") == [("JOIN", False, "declared")]
    assert said(graph, "crm#Customer", "scores#Score") == [
        ("AGGREGATION", True, "declared"),
        ("TRANSFORMATION", False, "declared"),
    ]
    assert said(graph, "crm#Customer.email", "scores#Score.people") == [("AGGREGATION", True, "declared")]
    assert not [edge for edge in graph.edges if edge.source == edge.target]


def test_a_join_into_one_field_decides_about_no_other() -> None:
    graph = derive(PLAN)
    assert said(graph, "sqlite://a.sqlite/rates", "scores#Score") == [("TRANSFORMATION", False, "declared")]


def test_a_product_has_all_that_it_declares() -> None:
    whole, own = derive(PLAN), derive_product(PLAN, "scores")
    about = {edge for edge in whole.edges if edge.target.id.startswith(("scores#", "sqlite://a.sqlite/scores"))}
    assert about == {edge for edge in own.edges if edge in about}
    assert "s3://lake/raw/invoices#amount" not in {each.id for each in derive_product(PLAN, "crm").nodes}


def test_events_tell_it_without_constants() -> None:
    described = Described(PLAN, Naming(PLAN))
    score = PLAN.entities["scores#Score"]
    columns = described.entity(score)["facets"]["columnLineage"]["fields"]
    (table,) = (each for each in described.sources(score) if each["name"] == "scores")
    filled = table["facets"]["columnLineage"]["fields"]
    assert filled["cents"]["inputFields"] == [
        {
            "namespace": "s3://lake",
            "name": "raw/invoices",
            "field": "amount",
            "transformations": [
                {
                    "type": "DIRECT",
                    "subtype": "AGGREGATION",
                    "masking": False,
                    "description": "SUM(amount) FILTER(WHERE state = ?)",
                }
            ],
        }
    ]
    (people,) = (each for each in columns["people"]["inputFields"] if each["name"] == "crm#Customer")
    assert people["transformations"] == [{"type": "DIRECT", "subtype": "AGGREGATION", "masking": True}]
    lake = next(each for each in described.sources(score) if each["name"] == "raw/invoices")
    assert lake["facets"]["dataSource"]["name"] == "s3://lake"
    known = registry(folder_of("openlineage-spec"))
    product = job_event(described.product(PLAN.products["scores"]), NOW)
    entity = dataset_event(described.entity(score), [score.address], NOW)
    assert [faults(each.body, known) for each in (product, entity)] == [[], []]


def test_the_catalog_knows_systems_and_who_may_see_them() -> None:
    rows = lineage_rows(PLAN, derive(PLAN))
    nodes = {each["address"]: each for each in rows.nodes}
    systems = {(nodes_of(rows, each["upstream"]), each["upstream_system"]) for each in rows.edges}
    assert ("s3://lake/raw/invoices#amount", "s3://lake") in systems
    assert ("sqlite://a.sqlite/customers#mail", "db") in systems
    for address in ("s3://lake/raw/invoices", "s3://lake/raw/invoices#amount", "sqlite://a.sqlite/rates"):
        assert nodes[address]["reader_types"] == ["Score"]
    assert nodes["sqlite://a.sqlite/customers"]["reader_types"] == ["Customer", "Score"]


def nodes_of(rows, key: str) -> str:
    return next(each["address"] for each in rows.nodes if each["node_key"] == key)


def test_what_rests_on_a_field_is_told() -> None:
    assert dependants(PLAN)["crm#Customer.email"] == ("scores (lineage of Score.people)",)


def test_words_of_odcs_describe_what_its_sources_go_through() -> None:
    field = "{name: people, logicalType: integer, classification: public}"
    told = "transformSourceObjects: [crm#Customer.id], transformDescription: Counted by the loader."
    plan = side(edited(FILES, (SCORES, field, f"{field[:-1]}, {told}}}"))).plan
    (edge,) = (
        each
        for each in derive(plan).into[next(n for n in derive(plan).nodes if n.id == "scores#Score.people")]
        if each.source.id == "crm#Customer.id"
    )
    assert edge.description == "Counted by the loader."


@pytest.mark.parametrize(
    ("before", "after", "cls", "kind"),
    [
        (WHO, "", Class.REVIEW, "lineage"),
        (WHO, f"{WHO}  - {{to: Score.id, from: {{namespace: n, name: m}}}}\n", Class.REVIEW, "lineage"),
        ("field: mail}}", "field: mail}, kind: enrichment, expression: lower(mail)}", Class.REVIEW, "lineage"),
        ("kind: aggregation, through: count", "through: count", Class.REVIEW, "lineage"),
        ("The nightly loader sums", "The loader sums", Class.SAFE, "words"),
        (
            "table: customers, field: mail}}",
            "table: customers, field: mail}, declassify: {reason: it is no mail at all, approver: ana}}",
            Class.PRIVACY,
            "declassified",
        ),
        (
            WHO,
            f"{WHO}  - {{to: Score.id, from: crm#Customer.email, through: count}}\n",
            Class.PRIVACY,
            "lineage",
        ),
    ],
)
def test_changes_are_for_review(before: str, after: str, cls: Class, kind: str) -> None:
    new = side(edited(FILES, (SCORES, before, after)))
    found = compare(OLD, new).changes
    assert {(each.cls, each.kind) for each in found} == {(cls, kind)}
    assert all(each.address.startswith("scores:lineage[") for each in found)
