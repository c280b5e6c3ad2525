# SPDX-License-Identifier: Apache-2.0
"""Events of the mesh are valid, and events of others are read with the place of what is wrong."""

import contextlib
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.lineage.constants import without_constants
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.lineage.openlineage import facets
from dictamesh.runtime.lineage.openlineage.describe import Described
from dictamesh.runtime.lineage.openlineage.events import Event, Run, dataset_event, job_event
from dictamesh.runtime.lineage.openlineage.identity import instant, producer, run_id
from dictamesh.runtime.lineage.openlineage.reading import NotAnEvent, read_event
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.support.golden import CASES, read
from tests.support.openlineage import faults, registry
from tests.support.testsets import folder_of

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PLAN = build(Memory(read(CASES / "lineage.md")[0].files), "mesh.yaml").plan
DESCRIBED = Described(PLAN, Naming(PLAN))
GOOD: dict[str, Any] = {
    "eventTime": "2026-01-02T03:04:05Z",
    "producer": "https://p.example",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "eventType": "START",
    "run": {"runId": "01941f29-7c00-7000-8000-000000000001"},
    "job": {"namespace": "n", "name": "j"},
}


def every_kind() -> list[Event]:
    """An event of each kind that the mesh, or a later part of it, sends."""
    found = [job_event(DESCRIBED.product(each), NOW) for each in PLAN.products.values()]
    jobs = [DESCRIBED.registration(), DESCRIBED.query(["people"], {"people#Person": {"email", "address"}}, 60)]
    for entity in PLAN.entities.values():
        held = [
            facets.Assertion("not_null", success=False, column="id", name="ids"),
            facets.Assertion("row_count", True),
        ]
        jobs += [DESCRIBED.reading(entity, 60), DESCRIBED.capture(entity), DESCRIBED.quality(entity, held)]
        found.append(dataset_event(DESCRIBED.entity(entity), [entity.address], NOW))
    for job in jobs:
        run = Run(
            job, facets={"nominalTime": facets.nominal_time(NOW, NOW), "parent": facets.parent(run_id(), "n", "j")}
        )
        found += [run.started(NOW), run.completed(NOW), run.failed(NOW, "The source failed."), run.aborted(NOW)]
    return found


def test_every_event_is_valid() -> None:
    known = registry(folder_of("openlineage-spec"))
    for event in every_kind():
        assert faults(event.body, known) == []


def test_quality_metrics_are_valid() -> None:
    known = registry(folder_of("openlineage-spec"))
    metrics = {"dataQualityMetrics": facets.quality_metrics(10, {"id": {"nullCount": 1, "distinctCount": 9}})}
    body = {**DESCRIBED.entity(PLAN.entities["sales#Store"]), "inputFacets": metrics}
    job = DESCRIBED.quality(PLAN.entities["sales#Store"], [])
    event = Run(type(job)(job.namespace, job.name, job.facets, (body,))).completed(NOW)
    assert faults(event.body, known) == []


def test_what_we_send_we_would_take_in() -> None:
    for event in every_kind():
        seen = read_event(event.body, NOW, strict=True)
        assert seen.gaps == ()
        assert seen.at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_events_carry_the_lineage_of_the_plan() -> None:
    told = DESCRIBED.entity(PLAN.entities["sales#Turnover"])["facets"]["columnLineage"]
    buyers = told["fields"]["buyers"]["inputFields"]
    assert buyers == [
        {
            "namespace": "postgres://erp",
            "name": "sales.orders",
            "field": "email",
            "transformations": [{"type": "DIRECT", "subtype": "AGGREGATION", "masking": True}],
        }
    ]
    assert {(each["field"], each["transformations"][0]["subtype"]) for each in told["dataset"]} == {
        ("placed", "FILTER"),
        ("store_id", "JOIN"),
        ("id", "GROUP_BY"),
    }
    gross = DESCRIBED.entity(PLAN.entities["sales#Order"])["facets"]["columnLineage"]["fields"]["gross"]
    assert {each["field"] for each in gross["inputFields"]} == {"amount", "discount", "exempt"}, "through self.net"


def test_no_constant_of_a_statement_is_sent() -> None:
    assert without_constants("SELECT a FROM t WHERE mail = 'ana@example.com' AND n > 42 -- Ana", "postgres") == (
        "SELECT a FROM t WHERE mail = ? AND n > ?"
    )
    sql = DESCRIBED.reading(PLAN.entities["sales#Turnover"]).facets["sql"]
    assert "30" not in sql["query"]
    assert sql["dialect"] == "postgres"
    assert without_constants("SELECT (", "postgres") is None


def test_run_ids_are_uuids_of_version_7() -> None:
    before = int(time.time() * 1000)
    found = [UUID(run_id()) for _ in range(200)]
    assert len(set(found)) == 200
    assert {each.version for each in found} == {7}
    assert {each.variant for each in found} == {"specified in RFC 4122"}
    assert all(before <= each.int >> 80 <= before + 60_000 for each in found)
    assert run_id(0.001).startswith("00000000-0001-7")


def test_times_and_producer() -> None:
    assert instant(NOW) == "2026-01-02T03:04:05.678Z"
    assert producer().startswith("urn:dictamesh:runtime:")


TABLE = {"namespace": "n", "name": "t"}
LONG = "a name has 2048 characters at most, no control characters"


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"job": {"namespace": "n"}}, "/job", "'name' is missing"),
        ({"job": 7}, "/job", "this is not of type object"),
        ({"eventType": "DONE"}, "/eventType", "this is none of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER"),
        ({"inputs": {}}, "/inputs", "this is not of type array"),
        ({"outputs": [{"name": "x"}]}, "/outputs/0", "'namespace' is missing"),
        (
            {"outputs": [{"namespace": "n", "name": "x", "facets": 1}]},
            "/outputs/0/facets",
            "this is not of type object",
        ),
        ({"run": "x"}, "/run", "this is not of type object"),
        (
            {"job": {"namespace": "n", "name": "a" * 3000}},
            "/job/name",
            "a name has 2048 characters at most, no control characters",
        ),
        ({"eventTime": 7}, "/eventTime", "this is not of type string"),
    ],
)
def test_a_fault_names_its_place(change: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(NotAnEvent) as refused:
        read_event({**GOOD, **change}, NOW)
    assert (path, message) in [(each.path, each.message) for each in refused.value.findings]


@pytest.mark.parametrize(
    ("without", "gaps"),
    [
        (["eventTime"], ["'eventTime' is missing"]),
        (["producer", "schemaURL"], ["'producer' is missing", "'schemaURL' is missing"]),
        (["run"], []),
    ],
)
def test_a_gap_is_told_and_refused_only_where_that_is_wanted(without: list[str], gaps: list[str]) -> None:
    event = {key: value for key, value in GOOD.items() if key not in without}
    seen = read_event(event, NOW)
    assert [gap.rpartition(": ")[2] for gap in seen.gaps] == gaps
    if "eventTime" in without:
        assert seen.at == NOW
    if gaps:
        with pytest.raises(NotAnEvent):
            read_event(event, NOW, strict=True)


def test_a_run_without_a_usable_id_is_a_job() -> None:
    for run in ({}, {"runId": "{{ uuid }}"}):
        seen = read_event({**GOOD, "run": run}, NOW)
        assert (seen.kind, seen.run) == ("job", None)
        assert seen.job is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("eventTime", "eventType", "run", "job", "inputs", "outputs", "dataset", "producer", "schemaURL")


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6) | JSON, st.booleans())
def test_whatever_is_sent_is_read_or_refused(event: Any, whole: bool) -> None:
    with contextlib.suppress(NotAnEvent):
        read_event({**GOOD, **event} if whole and isinstance(event, dict) else event, NOW)


@given(JSON)
def test_no_facet_of_whatever_shape_does_harm(odd: Any) -> None:
    known = ("schema", "symlinks", "columnLineage", "lineage", "jobType", "nominalTime", "parent")
    facets_of = {
        name: odd if isinstance(odd, dict) else {"fields": odd, "identifiers": odd, "entries": odd} for name in known
    }
    dataset = {"namespace": "n", "name": "d", "facets": facets_of}
    event = {
        **GOOD,
        "run": {**GOOD["run"], "facets": facets_of},
        "job": {**GOOD["job"], "facets": facets_of},
        "inputs": [dataset],
        "outputs": [dataset],
    }
    assert read_event(event, NOW).job is not None
