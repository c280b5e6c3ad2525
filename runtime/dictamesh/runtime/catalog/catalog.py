# SPDX-License-Identifier: Apache-2.0
"""The open catalog as its readers use it: the database, what is remembered of it, and the plan being served."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dictamesh.runtime.catalog.directory import Directory
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.audit import AuditSink


@dataclass(frozen=True, slots=True)
class QualityResult:
    """The last check of a quality rule; ``passed`` and ``rate`` are None where it could not be run."""

    address: str
    rule: str
    passed: bool | None
    rate: float | None
    checked_at: datetime


Quality = Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[QualityResult]]]]
"""Who knows the results of quality rules, by the names of products."""


@dataclass(slots=True)
class Catalog:
    """What reads and edits of the catalog work with; ``plan`` gives the plan being served.

    ``lineage_taken`` is told what became of how many lineage events of others: taken, known, refused.
    """

    pool: Pool
    plan: Callable[[], Plan]
    audit: AuditSink
    locations: Locations
    quality: Quality | None = None
    lineage_taken: Callable[[str, int], None] = lambda _outcome, _count: None
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.directory = Directory(self.pool)

    def forget(self) -> None:
        """Ask the database anew: types or relations have been written."""
        self.directory.forget()
        self.locations.clear()
