# SPDX-License-Identifier: Apache-2.0
"""From an event as it was sent to what it tells (OpenLineage in). Facets that are not known here are passed over."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from dictamesh.runtime.compile.canonical import digest
from dictamesh.runtime.lineage.model import Type
from dictamesh.runtime.lineage.openlineage.observation import (
    Named,
    Observation,
    SeenDataset,
    SeenEdge,
    SeenJob,
    SeenRun,
)
from dictamesh.runtime.lineage.openlineage.validation import Finding, findings, identifier, kind_of, moment

LONGEST = 2048  # characters of a name
DATASETS = 1000  # of one event
FIELDS = 5000  # of one dataset
EDGES = 20_000  # of one event
_WORD = 64  # characters of a type or subtype
_CONTROL = {chr(code) for code in range(32)}


class NotAnEvent(Exception):  # noqa: N818 - the name says what is the case
    """An event that cannot be taken in; `findings` say why, without a value of it."""

    def __init__(self, found: Iterable[Finding]) -> None:
        self.findings = tuple(found)
        super().__init__("; ".join(f"{each.path or '/'}: {each.message}" for each in self.findings))


def read_event(event: Any, received: datetime, *, strict: bool = False) -> Observation:
    """Read an event; raises NotAnEvent.

    `received` stands in for a time that is missing. `strict` refuses events with gaps, too (`Finding.gap`).
    """
    kind = kind_of(event)
    if kind is None:
        raise NotAnEvent([Finding("", "an event has a run and a job, a job, or a dataset", gap=False)])
    found = findings(event, kind)
    faults = [each for each in found if strict or not each.gap]
    if faults:
        raise NotAnEvent(faults)
    return _Reading(event, received, tuple(f"{each.path}: {each.message}" for each in found)).observation()


class _Reading:
    """One valid event being read."""

    def __init__(self, event: dict[str, Any], received: datetime, gaps: tuple[str, ...]) -> None:
        self.event = event
        self.at = moment(event.get("eventTime")) or received
        self.gaps = gaps

    def observation(self) -> Observation:
        event = self.event
        if "job" not in event:
            dataset = self._datasets([event["dataset"]], "/dataset")
            edges = self._edges((), dataset)
            return Observation("dataset", digest(event), self.at, None, None, None, (), dataset, edges, self.gaps)
        inputs = self._datasets(event.get("inputs") or (), "/inputs")
        outputs = self._datasets(event.get("outputs") or (), "/outputs")
        run = _run(event["run"]) if "run" in event else None
        return Observation(
            kind="run" if run is not None else "job",
            key=digest(event),
            at=self.at,
            state=event.get("eventType"),
            job=_job(event["job"]),
            run=run,
            inputs=inputs,
            outputs=outputs,
            edges=self._edges(inputs, outputs),
            gaps=self.gaps,
        )

    def _datasets(self, given: Iterable[Any], path: str) -> tuple[SeenDataset, ...]:
        found = [_dataset(each, f"{path}/{index}") for index, each in enumerate(given)]
        if len(found) > DATASETS:
            raise NotAnEvent([Finding(path, f"more than {DATASETS} datasets", gap=False)])
        return tuple(found)

    def _edges(self, inputs: tuple[SeenDataset, ...], outputs: tuple[SeenDataset, ...]) -> tuple[SeenEdge, ...]:
        event = self.event
        given = event.get("outputs") or () if "job" in event else [event["dataset"]]
        found = [edge for each in given for edge in _explained(each)]
        found += _by_job(event.get("job"))
        targets = {edge.target for edge in found}
        found += [
            SeenEdge(source.named, "", target.named, "", Type.DIRECT, "TRANSFORMATION")
            for target in outputs
            for source in inputs
            if target.named not in targets and source.named != target.named
        ]
        # with columns known, the datasets are known to be connected as well
        found += [
            SeenEdge(source, "", target, "", Type.DIRECT, "TRANSFORMATION")
            for source, target in {(edge.source, edge.target) for edge in found if edge.source != edge.target}
        ]
        unique = sorted(set(found))
        if len(unique) > EDGES:
            raise NotAnEvent([Finding("", f"more than {EDGES} edges", gap=False)])
        return tuple(unique)


def _name(text: Any, path: str) -> str:
    if not isinstance(text, str) or len(text) > LONGEST or not _CONTROL.isdisjoint(text):
        raise NotAnEvent([Finding(path, f"a name has {LONGEST} characters at most, no control characters", gap=False)])
    return text


def _named(given: Mapping[str, Any], path: str) -> Named:
    return Named(_name(given.get("namespace"), f"{path}/namespace"), _name(given.get("name"), f"{path}/name"))


def _word(text: Any, longest: int = _WORD) -> str | None:
    """A short word of a facet; None for anything else."""
    return text if isinstance(text, str) and 0 < len(text) <= longest and _CONTROL.isdisjoint(text) else None


def _facet(given: Any, *path: str) -> Any:
    """What lies at a path of objects; an empty object where there is nothing."""
    for part in path:
        given = given.get(part) if isinstance(given, dict) else None
    return given if given is not None else {}


def _job(given: Mapping[str, Any]) -> SeenJob:
    kind = _facet(given, "facets", "jobType")
    said = (kind if isinstance(kind, dict) else {}).get
    named = _named(given, "/job")
    return SeenJob(named, _word(said("processingType")), _word(said("integration")), _word(said("jobType")))


def _run(given: Mapping[str, Any]) -> SeenRun | None:
    own = identifier(given.get("runId"))
    if own is None:
        return None
    nominal = _facet(given, "facets", "nominalTime")
    said = (nominal if isinstance(nominal, dict) else {}).get
    parent = identifier(_facet(given, "facets", "parent", "run", "runId"))
    return SeenRun(own, parent, moment(said("nominalStartTime")), moment(said("nominalEndTime")))


def _dataset(given: Mapping[str, Any], path: str) -> SeenDataset:
    columns = tuple(_columns(_facet(given, "facets", "schema", "fields"), ""))
    if len(columns) > FIELDS:
        raise NotAnEvent([Finding(f"{path}/facets/schema", f"more than {FIELDS} fields", gap=False)])
    links = _facet(given, "facets", "symlinks", "identifiers")
    others = tuple(dict.fromkeys(_others(links if isinstance(links, list) else [])))
    explains = isinstance(_facet(given, "facets", "columnLineage", "fields"), dict) and bool(
        _facet(given, "facets", "columnLineage", "fields")
    )
    return SeenDataset(_named(given, path), columns, others, explains)


def _others(links: list[Any]) -> Iterator[Named]:
    for link in links[:DATASETS]:
        namespace, name = (_word(_facet(link, part), LONGEST) for part in ("namespace", "name"))
        if namespace is not None and name is not None:
            yield Named(namespace, name)


def _columns(fields: Any, above: str, depth: int = 0) -> Iterator[tuple[str, str | None]]:
    if not isinstance(fields, list) or depth > 20:
        return
    for each in fields:
        name = _word(_facet(each, "name"), LONGEST)
        if name is not None:
            yield f"{above}{name}"[:LONGEST], _word(_facet(each, "type"), 256)
            yield from _columns(_facet(each, "fields"), f"{above}{name}.", depth + 1)


def _explained(output: Mapping[str, Any]) -> Iterator[SeenEdge]:
    """The edges of a dataset's own facets: `columnLineage`, and `lineage` between datasets."""
    target = _named(output, "")
    facet = _facet(output, "facets", "columnLineage")
    for name, entry in _items(_facet(facet, "fields")):
        for source in _inputs(_facet(entry, "inputFields")):
            yield from _from(source, target, name, _facet(entry, "transformationType"))
    for source in _inputs(_facet(facet, "dataset")):
        yield from _from(source, target, "", {}, rows=True)
    yield from _entry(_facet(output, "facets", "lineage"), target)


def _by_job(job: Any) -> list[SeenEdge]:
    """The edges between datasets that the job's `lineage` facet says."""
    found: list[SeenEdge] = []
    entries = _facet(job, "facets", "lineage", "entries")
    for entry in entries if isinstance(entries, list) else []:
        namespace, name = (_word(_facet(entry, part), LONGEST) for part in ("namespace", "name"))
        if _facet(entry, "type") == "DATASET" and namespace is not None and name is not None:
            found += _entry(entry, Named(namespace, name))
    return found


def _entry(entry: Any, target: Named) -> Iterator[SeenEdge]:
    for source in _inputs(_facet(entry, "inputs")):
        if _facet(source, "type") == "DATASET":
            yield from _from(source, target, "", {}, rows=bool(source.get("field")))
    for name, field in _items(_facet(entry, "fields")):
        for source in _inputs(_facet(field, "inputs")):
            if _facet(source, "type") == "DATASET":
                yield from _from(source, target, name, {})


def _inputs(given: Any) -> Iterator[dict[str, Any]]:
    yield from (each for each in given if isinstance(each, dict)) if isinstance(given, list) else ()


def _items(given: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(given, dict):
        yield from ((name, value) for name, value in given.items() if _word(name, LONGEST) is not None)


def _from(
    source: dict[str, Any], target: Named, field: str, old_type: Any, *, rows: bool = False
) -> Iterator[SeenEdge]:
    namespace, name = (_word(source.get(part), LONGEST) for part in ("namespace", "name"))
    if namespace is None or name is None:
        return
    read = _word(source.get("field"), LONGEST) or ""
    ways = [each for each in _inputs(source.get("transformations")) if _word(each.get("type")) is not None]
    if not ways:
        masked = old_type == "MASKED"
        ways = [{"type": "INDIRECT" if rows else "DIRECT", "masking": masked, "subtype": None}]
        if old_type == "IDENTITY":
            ways[0]["subtype"] = "IDENTITY"
    for way in ways:
        kind = Type.INDIRECT if str(way["type"]).upper() == "INDIRECT" else Type.DIRECT
        subtype = (_word(way.get("subtype")) or ("TRANSFORMATION" if kind is Type.DIRECT else "CONDITIONAL")).upper()
        at = "" if read == "*" else read
        yield SeenEdge(Named(namespace, name), at, target, field, kind, subtype, way.get("masking") is True)
