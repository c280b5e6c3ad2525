# SPDX-License-Identifier: Apache-2.0
"""The facets of our events, each by its published schema (OpenLineage `spec/facets`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dictamesh.runtime.lineage.openlineage.identity import CORE, FACETS, instant, producer, runtime_version

Facet = dict[str, Any]
INTEGRATION = "DICTAMESH"


def facet(schema: str, **values: Any) -> Facet:
    """Return a facet of a published schema, given as `1-2-0/SchemaDatasetFacet`; values that are None are left out."""
    name = schema.rpartition("/")[2]
    given = {key: value for key, value in values.items() if value is not None}
    return {"_producer": producer(), "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}", **given}


def own_facet(kind: str, **values: Any) -> Facet:
    """Return a facet of our own, of one of the core's kinds: RunFacet, JobFacet, DatasetFacet."""
    return {"_producer": producer(), "_schemaURL": f"{CORE}#/$defs/{kind}", **values}


def schema(fields: Iterable[Mapping[str, Any]]) -> Facet:
    """Return the fields of a dataset: `name`, `type`, `description`, `fields` below an object."""
    return facet("1-2-0/SchemaDatasetFacet", fields=list(fields))


def column_lineage(fields: Mapping[str, list[Facet]], dataset: list[Facet]) -> Facet:
    """Return the input fields by output field, and those that decide about whole rows."""
    by_field = {name: {"inputFields": inputs} for name, inputs in fields.items()}
    return facet("1-2-0/ColumnLineageDatasetFacet", fields=by_field, dataset=dataset or None)


def input_field(namespace: str, name: str, field: str, transformations: Iterable[Facet]) -> Facet:
    return {"namespace": namespace, "name": name, "field": field, "transformations": list(transformations)}


def dataset_owners(names: Iterable[str]) -> Facet:
    return facet("1-0-1/OwnershipDatasetFacet", owners=[{"name": name, "type": "OWNER"} for name in names])


def job_owners(names: Iterable[str]) -> Facet:
    return facet("1-0-1/OwnershipJobFacet", owners=[{"name": name, "type": "OWNER"} for name in names])


def data_source(name: str, uri: str) -> Facet:
    return facet("1-0-1/DatasourceDatasetFacet", name=name, uri=uri)


def dataset_documentation(description: str) -> Facet:
    return facet("1-1-0/DocumentationDatasetFacet", description=description)


def job_documentation(description: str) -> Facet:
    return facet("1-1-0/DocumentationJobFacet", description=description)


def sql(query: str, dialect: str) -> Facet:
    """Return the statement of a job; constants must have been taken out of it."""
    return facet("1-1-0/SQLJobFacet", query=query, dialect=dialect)


def job_type(processing: str, kind: str, *, every: int | None = None) -> Facet:
    """Return what kind of job it is; `every`: its events each stand for so many seconds."""
    pattern = {"eventTrigger": "EVENT_BASED", "eventContentMode": "ACCUMULATIVE"}
    if every is not None:
        pattern = {"eventTrigger": "PERIODIC", "eventContentMode": "COMPLETE_SNAPSHOT"}
    emission: dict[str, Any] = {**pattern, **({"windowDuration": every} if every is not None else {})}
    return facet(
        "2-0-4/JobTypeJobFacet",
        processingType=processing,
        integration=INTEGRATION,
        jobType=kind,
        emissionPattern=emission,
    )


def engine() -> Facet:
    known = runtime_version()
    return facet("1-1-1/ProcessingEngineRunFacet", version=known, name="DictaMesh", openlineageAdapterVersion=known)


def error_message(message: str) -> Facet:
    """Return why a run failed; the text must be one of our own, which holds no value (S26)."""
    return facet("1-0-1/ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")


def nominal_time(start: datetime, end: datetime) -> Facet:
    return facet("1-0-1/NominalTimeRunFacet", nominalStartTime=instant(start), nominalEndTime=instant(end))


def parent(run: str, namespace: str, job: str) -> Facet:
    return facet("1-2-0/ParentRunFacet", run={"runId": run}, job={"namespace": namespace, "name": job})


@dataclass(frozen=True, slots=True)
class Assertion:
    """How one quality rule ended: its kind, as `not_null`, whether it held, and its severity."""

    assertion: str
    success: bool
    column: str | None = None
    severity: str = "error"
    name: str | None = None


def quality_assertions(assertions: Iterable[Assertion]) -> Facet:
    """Return results of quality rules; counts and values stay out."""
    found = [
        {
            key: value
            for key, value in (
                ("assertion", each.assertion),
                ("success", each.success),
                ("column", each.column),
                ("severity", each.severity),
                ("name", each.name),
            )
            if value is not None
        }
        for each in assertions
    ]
    return facet("1-1-0/DataQualityAssertionsDatasetFacet", assertions=found)


def quality_metrics(rows: int, columns: Mapping[str, Mapping[str, int]]) -> Facet:
    """Return counts by column, `nullCount` and `distinctCount`; smallest and largest values would be values."""
    metrics = {name: dict(counts) for name, counts in columns.items()}
    return facet("1-0-3/DataQualityMetricsInputDatasetFacet", rowCount=rows, columnMetrics=metrics)
