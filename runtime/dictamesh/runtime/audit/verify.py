# SPDX-License-Identifier: Apache-2.0
"""Whether rows are the chains that they claim to be, and those that were signed; names the first that is not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dictamesh.runtime.audit.chain import Entry, untouched
from dictamesh.runtime.audit.chain_check import ChainCheck, Known, Row, seen
from dictamesh.runtime.audit.findings import Finding


@dataclass(slots=True)
class Verifier:
    """Takes entries by product, day and sequence; `finish` returns what is wrong.

    `known` says what is known of a product from elsewhere; of one that it lacks, the chain begins with the first row.
    """

    known: Mapping[str, Known]
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    chains: int = 0
    unsigned: int = 0
    _seen: set[str] = field(default_factory=set)
    _chain: ChainCheck | None = None
    _group: list[Row] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Look at the next entry."""
        self.rows += 1
        row = seen(entry)
        product = entry["product"]
        if self._chain is None or product != self._chain.product:
            self._end()
            self._begin(product)
        elif self._group and row.place < self._group[0].place:
            told = "it stands behind rows that come after it"
            self.findings.append(Finding("misplaced", told, product, *row.place, entry["id"]))
            return
        if self._group and self._group[0].place != row.place:
            self._settle([row])
        self._group.append(row)

    def finish(self) -> list[Finding]:
        """End the last chain, and miss those of which no row came."""
        self._end()
        for product in sorted(self.known.keys() - self._seen):
            self._begin(product)
            self._end()
        return self.findings

    def _begin(self, product: str) -> None:
        self._chain = ChainCheck(product, self.known.get(product) or Known(untouched(product)))
        self._seen.add(product)

    def _settle(self, following: Sequence[Row]) -> None:
        if self._chain is not None and self._group:
            self._chain.take(self._group, following)
        self._group = []

    def _end(self) -> None:
        if self._chain is None:
            return
        self._settle([])
        self._chain.end()
        self.findings += self._chain.findings
        self.chains += self._chain.days
        self.unsigned += self._chain.unsigned
        self._chain = None
