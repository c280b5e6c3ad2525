# SPDX-License-Identifier: Apache-2.0
"""Calls to sources and answered operations, summed until somebody takes them: what the hot path pays is a few sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dictamesh.runtime.catalog.data_lineage.activity import Flowed

JOBS = 1000  # different operations of one window; more are counted together
OTHERS = ("and-others",)  # no name of a root field
FAULTS: Mapping[str, str] = {
    "timeout": "The source did not answer in time.",
    "connection_failed": "The source cannot be reached.",
    "circuit_open": "The source failed repeatedly and is not asked for a moment.",
    "rate_limited": "The source refused calls for their number.",
    "unauthorized": "The source did not accept the credentials of the mesh.",
    "forbidden": "The source refused the mesh.",
    "invalid_response": "The answers of the source could not be read.",
    "too_large": "The answers of the source were too large.",
    "saturated": "Too many calls to the source were under way.",
}
"""What a failed run says, by how calls ended (S26)."""
OTHER_FAULT = "Calls to the source failed."
_FINE = frozenset({"ok", "not_found", "cancelled"})  # the source did what it should, or nobody waited


@dataclass(slots=True)
class Reads:
    """Calls for one entity."""

    calls: int = 0
    seconds: float = 0.0
    failed: int = 0
    rows: int = 0
    fault: str | None = None  # how the last failed call ended

    @property
    def message(self) -> str:
        return FAULTS.get(self.fault or "", OTHER_FAULT)


@dataclass(slots=True)
class Answers:
    """Operations of one job: fields shown by entity address, how many there were, how many failed."""

    touched: dict[str, set[str]] = field(default_factory=dict)
    operations: int = 0
    failed: int = 0


Roots = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What was collected between two instants."""

    start: datetime
    end: datetime
    reads: Mapping[str, Reads]
    answers: Mapping[Roots, Answers]


class Collected:
    """Sums of one plan's calls and operations; a telemetry of the adapters, as well."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._reads: dict[str, Reads] = {}
        self._answers: dict[Roots, Answers] = {}
        self._flows: dict[str, tuple[int, float]] = {}

    def called(self, address: str, _operation: str, outcome: str, seconds: float, rows: int, _keys: int | None) -> None:
        """A call ended."""
        reads = self._reads.setdefault(address, Reads())
        reads.calls += 1
        reads.seconds += seconds
        reads.rows += rows
        if outcome not in _FINE:
            reads.failed += 1
            reads.fault = outcome
        elif outcome == "ok":
            calls, spent = self._flows.get(address, (0, 0.0))
            self._flows[address] = calls + 1, spent + seconds

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        """Rows came from the cache: nothing flowed."""

    def answered(self, roots: Roots, touched: Mapping[str, Iterable[str]], *, failed: bool) -> None:
        """An operation was answered."""
        answers = self._answers.get(roots)
        if answers is None:
            roots = roots if len(self._answers) < JOBS else OTHERS
            answers = self._answers.setdefault(roots, Answers())
        answers.operations += 1
        answers.failed += failed
        for address, fields in touched.items():
            answers.touched.setdefault(address, set()).update(fields)

    def take_flows(self) -> list[Flowed]:
        """Return the calls that brought something since it was asked last."""
        taken, self._flows = self._flows, {}
        now = datetime.now(UTC)
        return [Flowed(address, calls, seconds, now) for address, (calls, seconds) in sorted(taken.items())]

    def take_window(self) -> Window:
        """Return all that was collected since it was asked last."""
        start, self._start = self._start, datetime.now(UTC)
        reads, self._reads = self._reads, {}
        answers, self._answers = self._answers, {}
        return Window(start, self._start, reads, answers)
