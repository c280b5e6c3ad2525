# SPDX-License-Identifier: Apache-2.0
"""What an event of somebody else tells, in the parts that the catalog keeps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from dictamesh.runtime.lineage.model import Type


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A dataset or job, by OpenLineage's two names."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class SeenDataset:
    """A dataset of an event: names and types of its fields as far as they are told, and other names it goes by."""

    named: Named
    fields: tuple[tuple[str, str | None], ...] = ()
    symlinks: tuple[Named, ...] = ()
    # the event says how its columns are made; what it said before does not hold any more
    explains: bool = False


@dataclass(frozen=True, slots=True, order=True)
class SeenEdge:
    """A field goes into another; an empty field is the dataset as a whole. `subtype` is the producer's own word."""

    source: Named
    source_field: str
    target: Named
    target_field: str
    type: Type
    subtype: str
    masking: bool = False


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run, as far as the event tells of it."""

    id: UUID
    parent: UUID | None = None
    nominal_start: datetime | None = None
    nominal_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenJob:
    named: Named
    processing: str | None = None
    integration: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One event.

    `key` is the same for the same event sent twice; `gaps` are what the specification wants and the event lacks.
    """

    kind: Literal["run", "job", "dataset"]
    key: str
    at: datetime
    state: str | None
    job: SeenJob | None
    run: SeenRun | None
    inputs: tuple[SeenDataset, ...]
    outputs: tuple[SeenDataset, ...]
    edges: tuple[SeenEdge, ...]
    gaps: tuple[str, ...] = ()
