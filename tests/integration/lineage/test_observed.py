# SPDX-License-Identifier: Apache-2.0
"""Events of others in the catalog: jobs, runs, datasets, edges; once each, in any order, with history."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dictamesh.runtime.catalog.data_lineage import ingest
from dictamesh.runtime.catalog.data_lineage.ingest import Taken, take_in
from dictamesh.runtime.catalog.data_lineage.registration import lineage_rows, register_lineage
from dictamesh.runtime.catalog.data_lineage.walking import lineage
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lineage.model import Graph
from dictamesh.runtime.lineage.openlineage.reading import read_event
from tests.support.testsets import folder_of

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
RUN = "01941f29-7c00-7000-8000-000000000001"
LAKE = {"namespace": "s3://lake", "name": "raw/orders"}


def column_lineage(**fields: list[str]) -> dict[str, Any]:
    """A `columnLineage` facet: by output field the fields of the lake's table that go into it unchanged."""
    said = {
        name: {"inputFields": [{**LAKE, "field": each, "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}]}
        for name, sources in fields.items()
        for each in sources
    }
    return {"columnLineage": {"fields": said}}


def event(state: str | None, minutes: int = 0, outputs: list[Any] | None = None, run: str = RUN) -> dict[str, Any]:
    found: dict[str, Any] = {
        "eventTime": (START + timedelta(minutes=minutes)).isoformat(),
        "producer": "https://example.com/loader",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "job": {"namespace": "nightly", "name": "load"},
        "inputs": [LAKE],
        "outputs": outputs or [],
    }
    return found | ({"eventType": state, "run": {"runId": run}} if state else {})


def table(name: str = "orders", **facets: Any) -> dict[str, Any]:
    return {"namespace": "postgres://dwh:5432", "name": f"dwh.public.{name}", "facets": facets}


async def taken(pool: Pool, *events: dict[str, Any]) -> Taken:
    return await take_in(pool, "acme", [read_event(each, datetime.now(UTC)) for each in events])


async def open_edges(pool: Pool) -> list[tuple[str, str, str]]:
    rows = await pool.rows(b"""
        SELECT u.address AS up, d.address AS down, e.transformation_subtype AS how FROM dictamesh_data_lineage e
          JOIN dictamesh_lineage_nodes u ON u.id = e.upstream_node
          JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node
         WHERE e.valid_to IS NULL AND d.field <> '' ORDER BY 1, 2, 3
    """)
    return [(row["up"].rpartition("#")[2], row["down"].rpartition("#")[2], row["how"]) for row in rows]


async def test_jobs_runs_and_datasets(catalog: Pool) -> None:
    schema = {"fields": [{"name": "id", "type": "BIGINT"}, {"name": "place", "fields": [{"name": "zip"}]}]}
    done = event("COMPLETE", 5, [table(schema=schema)])
    done["run"]["facets"] = {
        "nominalTime": {"nominalStartTime": START.isoformat()},
        "parent": {"run": {"runId": RUN.replace("1", "2")}, "job": LAKE},
    }
    done["job"]["facets"] = {"jobType": {"processingType": "BATCH", "integration": "SPARK", "jobType": "JOB"}}
    assert await taken(catalog, event("START"), done) == Taken(2, 0)
    run = (await catalog.rows(b"SELECT * FROM dictamesh_lineage_runs"))[0]
    assert (str(run["run_id"]), run["state"], run["started_at"], run["ended_at"]) == (
        RUN,
        "COMPLETE",
        START,
        START + timedelta(minutes=5),
    )
    assert run["nominal_start"] == START
    assert str(run["parent_run_id"]) == RUN.replace("1", "2")
    job = (await catalog.rows(b"SELECT * FROM dictamesh_lineage_jobs"))[0]
    assert (job["namespace"], job["name"], job["integration"]) == ("nightly", "load", "SPARK")
    dataset = (await catalog.rows(b"SELECT fields FROM dictamesh_lineage_datasets WHERE fields <> '[]'"))[0]
    assert dataset["fields"] == [
        {"name": "id", "type": "BIGINT"},
        {"name": "place", "type": None},
        {"name": "place.zip", "type": None},
    ]
    ends = await catalog.rows(b"SELECT direction FROM dictamesh_lineage_job_datasets ORDER BY direction")
    assert [row["direction"] for row in ends] == ["input", "output"]
    found = await lineage(catalog, "postgres://dwh:5432/dwh.public.orders", "upstream")
    assert [(edge["from"], edge["provenance"], edge["job"]) for edge in found.edges] == [
        ("s3://lake/raw/orders", "observed", "nightly/load")
    ]


async def test_the_same_event_twice_changes_nothing(catalog: Pool) -> None:
    done = event("COMPLETE", outputs=[table(**column_lineage(id=["key"]))])
    assert await taken(catalog, done) == Taken(1, 0)
    before = await catalog.rows(b"SELECT * FROM dictamesh_data_lineage ORDER BY id")
    turned = dict(reversed(done.items()))
    assert await taken(catalog, done, turned) == Taken(0, 2)
    assert await catalog.rows(b"SELECT * FROM dictamesh_data_lineage ORDER BY id") == before


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_state_of_a_run_does_not_hang_on_the_order_of_events(catalog: Pool, order: tuple[int, ...]) -> None:
    told = [event("START"), event("RUNNING", 1), event("FAIL", 2)]
    for index in order:
        await taken(catalog, told[index])
    run = (await catalog.rows(b"SELECT state, started_at, ended_at FROM dictamesh_lineage_runs"))[0]
    assert (run["state"], run["started_at"], run["ended_at"]) == ("FAIL", START, START + timedelta(minutes=2))


async def test_what_a_job_makes_anew_replaces_what_it_made(catalog: Pool) -> None:
    first = event("COMPLETE", outputs=[table(**column_lineage(id=["key"], v=["old"]))])
    second = event("COMPLETE", 60, [table(**column_lineage(id=["key"], v=["new"]))], RUN.replace("1", "3"))
    failed = event("FAIL", 90, [table(**column_lineage(v=["never"]))], RUN.replace("1", "4"))
    await taken(catalog, first, second)
    wanted = [("key", "id", "IDENTITY"), ("new", "v", "IDENTITY")]
    assert await open_edges(catalog) == wanted
    late = event("COMPLETE", 30, [table(**column_lineage(v=["older"]))], RUN.replace("1", "5"))
    await taken(catalog, late)
    assert await open_edges(catalog) == wanted, "an older event comes too late to replace anything"
    await taken(catalog, failed)
    assert ("new", "v", "IDENTITY") in await open_edges(catalog), "a run that failed replaces nothing"
    then = await lineage(
        catalog, "postgres://dwh:5432/dwh.public.orders#v", "upstream", as_of=START + timedelta(minutes=10)
    )
    assert [edge["from"] for edge in then.edges] == ["s3://lake/raw/orders#old"]


async def test_another_job_is_left_alone(catalog: Pool) -> None:
    await taken(catalog, event("COMPLETE", outputs=[table(**column_lineage(v=["a"]))]))
    other = event("COMPLETE", 1, [table(**column_lineage(v=["b"]))], RUN.replace("1", "6"))
    other["job"]["name"] = "other"
    await taken(catalog, other)
    assert await open_edges(catalog) == [("a", "v", "IDENTITY"), ("b", "v", "IDENTITY")]


async def test_jobs_and_datasets_are_told_of_without_runs(catalog: Pool) -> None:
    dataset = {
        "eventTime": START.isoformat(),
        "dataset": table(**column_lineage(v=["a"])),
        "producer": "p:",
        "schemaURL": "s:",
    }
    job = event(None, 1, [table("other")])
    assert await taken(catalog, dataset, job) == Taken(2, 0)
    assert await open_edges(catalog) == [("a", "v", "IDENTITY")]
    assert await catalog.rows(b"SELECT 1 FROM dictamesh_lineage_runs") == []
    found = await lineage(catalog, "postgres://dwh:5432/dwh.public.other", "upstream")
    assert [edge["from"] for edge in found.edges] == ["s3://lake/raw/orders"]


async def test_a_late_dataset_event_undoes_nothing(catalog: Pool) -> None:
    told = {"dataset": table(**column_lineage(v=["new"])), "producer": "p:", "schemaURL": "s:"}
    older = {**told, "dataset": table(**column_lineage(v=["old"])), "eventTime": START.isoformat()}
    await taken(catalog, {**told, "eventTime": (START + timedelta(hours=1)).isoformat()}, older)
    assert await open_edges(catalog) == [("new", "v", "IDENTITY")]


async def test_runs_are_kept_for_90_days(catalog: Pool) -> None:
    old, new = event("COMPLETE"), event("COMPLETE", run=RUN.replace("1", "7"))
    old["eventTime"] = (datetime.now(UTC) - timedelta(days=91)).isoformat()
    new["eventTime"] = (datetime.now(UTC) - timedelta(days=89)).isoformat()
    await taken(catalog, old, new)
    runs = await catalog.rows(b"SELECT run_id::text AS id FROM dictamesh_lineage_runs")
    assert [row["id"] for row in runs] == [RUN.replace("1", "7")]


async def test_explicit_lineage_of_a_job(catalog: Pool) -> None:
    facet = {
        "entries": [
            {
                **{key: value for key, value in table().items() if key != "facets"},
                "type": "DATASET",
                "inputs": [
                    {
                        **LAKE,
                        "type": "DATASET",
                        "field": "day",
                        "transformations": [{"type": "INDIRECT", "subtype": "FILTER"}],
                    }
                ],
                "fields": {"v": {"inputs": [{**LAKE, "type": "DATASET", "field": "w"}, {"type": "JOB"}]}},
            }
        ]
    }
    told = event(None)
    told["job"]["facets"] = {"lineage": facet}
    await taken(catalog, told)
    found = await lineage(catalog, "postgres://dwh:5432/dwh.public.orders#v", "upstream")
    assert [(edge["from"].rpartition("#")[2], edge["type"], edge["subtype"]) for edge in found.edges] == [
        ("day", "INDIRECT", "FILTER"),
        ("w", "DIRECT", "TRANSFORMATION"),
    ]


async def test_old_and_strange_facets(catalog: Pool) -> None:
    """Masks of the first versions of the facet, and facets of the wrong shape, which are passed over."""
    fields = {
        "masked": {"inputFields": [{**LAKE, "field": "m"}], "transformationType": "MASKED"},
        "same": {"inputFields": [{**LAKE, "field": "s"}], "transformationType": "IDENTITY"},
        "odd": {
            "inputFields": [{**LAKE, "field": "o", "transformations": [{"type": "weird"}]}, {"field": "no dataset"}, 7]
        },
        "empty": {"inputFields": []},
    }
    done = event("COMPLETE", outputs=[table(columnLineage={"fields": fields}, symlinks=7, schema={"fields": "x"})])
    done["outputs"][0]["facets"].pop("symlinks")
    assert await taken(catalog, done) == Taken(1, 0)
    rows = await catalog.rows(b"""
        SELECT d.field, e.masking, e.transformation_subtype AS how FROM dictamesh_data_lineage e
          JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node WHERE d.field <> '' ORDER BY 1
    """)
    assert [tuple(row.values()) for row in rows] == [
        ("masked", True, "TRANSFORMATION"),
        ("odd", False, "TRANSFORMATION"),
        ("same", False, "IDENTITY"),
    ]


async def test_what_lies_behind_a_hidden_entity_stays_hidden(catalog: Pool, plan: Plan, drawn: Graph) -> None:
    await register_lineage(catalog, lineage_rows(plan, drawn))
    cms = {"namespace": "http://127.0.0.1:8055", "name": "/items/customers"}
    facets = column_lineage(email=["mail"], added=["extra"])
    await taken(catalog, event("COMPLETE", outputs=[{**cms, "facets": facets}]))
    open_ = await lineage(catalog, "s3://lake/raw/orders#mail", "downstream", 3)
    assert {node["address"] for node in open_.nodes} >= {"customers#Customer.email", "graphql:Customer.email"}
    for address in ("#mail", "#extra"):
        shut = await lineage(catalog, f"s3://lake/raw/orders{address}", "downstream", 3, hidden=["Customer"])
        assert [node["address"] for node in shut.nodes] == [f"s3://lake/raw/orders{address}"]
    with pytest.raises(EntityNotFound):
        await lineage(catalog, "http://127.0.0.1:8055/items/customers#added", hidden=["Customer"])


async def test_only_so_many_keys_are_kept(catalog: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "KEPT", 3)
    for minute in range(6):
        await taken(catalog, event("RUNNING", minute))
    assert len(await catalog.rows(b"SELECT 1 FROM dictamesh_lineage_events")) == 3
    kept = await catalog.rows(b"SELECT event FROM dictamesh_lineage_events")
    assert all(row["event"] is None for row in kept), "the text of an event is not kept"


async def test_every_event_of_other_producers(catalog: Pool) -> None:
    found = sorted(folder_of("openlineage-compat").rglob("*.json"))
    events = [json.loads(path.read_text()) for path in found]
    different = len({json.dumps(each, sort_keys=True) for each in events})
    assert await taken(catalog, *events) == Taken(different, len(found) - different)
    assert await taken(catalog, *events) == Taken(0, len(found))
    told = {edge for each in events for edge in read_event(each, datetime.now(UTC)).edges if edge.target_field}
    columns = await catalog.rows(b"""
        SELECT DISTINCT u.field AS up, d.field AS down FROM dictamesh_data_lineage e
          JOIN dictamesh_lineage_nodes u ON u.id = e.upstream_node
          JOIN dictamesh_lineage_nodes d ON d.id = e.downstream_node WHERE d.field <> ''
    """)
    assert {(row["up"], row["down"]) for row in columns} == {(edge.source_field, edge.target_field) for edge in told}
