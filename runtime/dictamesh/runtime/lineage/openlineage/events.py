# SPDX-License-Identifier: Apache-2.0
"""Events of the mesh in the form of OpenLineage 2-0-2: what is running, over which datasets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dictamesh.runtime.lineage.openlineage.facets import Facet, engine, error_message
from dictamesh.runtime.lineage.openlineage.identity import CORE, instant, producer, run_id

State = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is sent. `entities` are the addresses that it tells of: who may not know of one may not see it."""

    body: Body
    entities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Job:
    """A job: something that runs again and again. `inputs` and `outputs` are datasets with their facets."""

    namespace: str
    name: str
    facets: Mapping[str, Facet] = field(default_factory=dict)
    inputs: tuple[Body, ...] = ()
    outputs: tuple[Body, ...] = ()
    entities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, to be told by `started` and then by one of `completed`, `failed`, `aborted`."""

    job: Job
    id: str = field(default_factory=run_id)
    facets: Mapping[str, Facet] = field(default_factory=dict)

    def started(self, at: datetime) -> Event:
        return self._event("START", at, {})

    def completed(self, at: datetime, **more: Facet) -> Event:
        """The run did what it should; `more` are further facets of the run, by their OpenLineage names."""
        return self._event("COMPLETE", at, more)

    def failed(self, at: datetime, message: str, **more: Facet) -> Event:
        """The run failed; `message` is a text of our own table (S26)."""
        return self._event("FAIL", at, {"errorMessage": error_message(message), **more})

    def aborted(self, at: datetime) -> Event:
        return self._event("ABORT", at, {})

    def _event(self, state: State, at: datetime, more: Mapping[str, Facet]) -> Event:
        told = {"processing_engine": engine(), **self.facets, **more}
        body = {
            "eventType": state,
            "eventTime": instant(at),
            "run": {"runId": self.id, "facets": told},
            "job": _job(self.job),
            "inputs": list(self.job.inputs),
            "outputs": list(self.job.outputs),
        }
        return Event(_signed(body, "RunEvent"), self.job.entities)


def job_event(job: Job, at: datetime) -> Event:
    """Tell of a job apart from its runs: what it reads and makes by its definition."""
    body = {
        "eventTime": instant(at),
        "job": _job(job),
        "inputs": list(job.inputs),
        "outputs": list(job.outputs),
    }
    return Event(_signed(body, "JobEvent"), job.entities)


def dataset_event(dataset: Body, entities: Iterable[str], at: datetime) -> Event:
    """Tell of a dataset apart from what makes it."""
    return Event(_signed({"eventTime": instant(at), "dataset": dataset}, "DatasetEvent"), frozenset(entities))


def _job(job: Job) -> Body:
    return {"namespace": job.namespace, "name": job.name, "facets": dict(job.facets)}


def _signed(body: Body, kind: str) -> Body:
    return {**body, "producer": producer(), "schemaURL": f"{CORE}#/$defs/{kind}"}
