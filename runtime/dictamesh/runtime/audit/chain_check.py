# SPDX-License-Identifier: Apache-2.0
"""One product's chain, row by row, beside what is known of it from elsewhere. Pure.

Each row is looked at beside the one before and the one behind: where two do not fit, what the rest of the chain, the
signed heads and the tip know tells which one is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.audit.chain import Entry, Tip, Unhashable, hash_of
from dictamesh.runtime.audit.findings import Finding
from dictamesh.runtime.audit.statements import Mark, Place

_MOST_FINDINGS = 100  # of one product: behind a real break little is learned


@dataclass(frozen=True, slots=True)
class Row:
    """An entry beside the hash that it ought to have; None where it has no canonical form."""

    entry: Entry
    own: str | None

    @property
    def place(self) -> Place:
        return self.entry["day"], self.entry["sequence"]

    @property
    def previous(self) -> Any:
        return self.entry["previous_hash"]

    @property
    def hash(self) -> Any:
        return self.entry["hash"]

    @property
    def sound(self) -> bool:
        return self.own is not None and self.own == self.hash

    @property
    def hashes(self) -> set[Any]:
        """What a follower may name: the hash that is stored, and the one that its content has."""
        return {self.hash} if self.own is None else {self.hash, self.own}

    def moved(self, by: int) -> bool:
        """Whether the row is what was hashed but for its place: its number was changed by `by` afterwards."""
        return bool(_own({**self.entry, "sequence": self.entry["sequence"] - by}) == self.hash)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one product apart from its rows.

    `start` is where its chain stood before the rows begin, `tip` where the database says that it ends, None where that
    is not looked at.
    """

    start: Tip
    marks: Mapping[Place, Mark] = field(default_factory=dict)
    tip: Tip | None = None


class ChainCheck:
    """The chain of one product, as far as it was looked at."""

    def __init__(self, product: str, known: Known) -> None:
        self.product = product
        self.known = known
        self.findings: list[Finding] = []
        self.days = self.unsigned = 0
        self._at: Place = (known.start.day, known.start.sequence)
        self._expected: set[Any] = {known.start.hash}
        self._count = known.start.rows
        self._begun = known.start.sequence > 0  # rows stand before those that come
        self._before: Row | None = None
        self._proven: Place = self._at
        self._shift = 0
        self._accused_at: Place | None = None
        self._behind_tip = False

    def take(self, group: Sequence[Row], following: Sequence[Row]) -> None:
        """Look at the rows at one place, one in a sound log; `following` holds one from the next place, if any."""
        row = self._genuine(group, following)
        for other in group:
            if other is not row:
                self._accuse("inserted", "a second row at this place, which its follower does not know", other)
        self._count += 1
        if row.place[0] != self._at[0]:
            self.days += 1
            self._shift = 0
        self._judge(row, following)
        known = self._hold_against_mark(row, following)
        self._hold_against_tip(row)
        self._expected, self._before, self._at = row.hashes | known, row, row.place

    def end(self) -> None:
        """Miss what signed heads and the tip of the database know behind the last row."""
        beyond = sorted(place for place in self.known.marks if place > self._at)
        tip = self.known.tip
        if beyond:
            first, mark = beyond[0], self.known.marks[beyond[-1]]
            told = f"signed statement {mark.number} knows {mark.rows} rows, there are {self._count}"
            self._miss(self._next_place(first), first, told)
        elif tip is not None and (tip.day, tip.sequence) > self._at:
            place = tip.day, tip.sequence
            self._miss(self._next_place(place), place, "the database counts them at the tip of the chain")
        elif tip is not None and tip.rows != self._count and not self.findings:
            self._add("miscounted", f"the tip of the chain counts {tip.rows} rows, there are {self._count}", self._at)

    def _judge(self, row: Row, following: Sequence[Row]) -> None:
        linked = row.previous in self._expected
        gap, skipped = self._gap(row), self._skipped_marks(row, linked=linked)
        if not row.sound:
            self._judge_changed(row, gap=gap)
        elif skipped:
            return
        elif not linked:
            self._judge_unlinked(row, following, gap=gap)
        elif gap:
            told = f"it is numbered {row.place[1]}, and follows the row numbered {self._at[1]}"
            self._accuse("unlinked", told, row)

    def _judge_changed(self, row: Row, *, gap: bool) -> None:
        if self._shift and row.moved(self._shift):
            return  # told of where the numbers began to be off
        if row.moved(1) and self._before is not None and not gap:
            self._shift = 1
            self._accuse("inserted", "the rows behind it were numbered anew to make room for it", self._before)
        elif row.moved(-1) and not gap:
            self._shift = -1
            self._add("missing", "a row was taken out here and those behind it numbered anew", row.place)
        else:
            if gap:
                self._miss_gap(row)
            self._accuse("changed", "it is not what was hashed when it was recorded", row)

    def _judge_unlinked(self, row: Row, following: Sequence[Row], *, gap: bool) -> None:
        before = self._before
        if gap:
            self._miss_gap(row)
        elif not self._attested(row, following):
            self._accuse("unlinked", "it does not follow the row before it", row)
        elif before is not None and row.place[0] == before.place[0]:
            self._accuse("replaced", f"row {row.place[1]} was chained to another row than this one", before)
        elif before is not None and not self._marked(before):
            told = (
                "the first row of the next day was chained to another one: this one was replaced, or others behind it"
            )
            self._accuse("replaced", f"{told} were taken away", before)
        elif before is not None or self._begun:
            told = f"the first row of {row.place[0]} was chained to a row that is not there"
            self._add("missing", told, (self._at[0], self._at[1] + 1))
        else:
            self._accuse("unlinked", "rows before it are missing: no chain of this product begins with it", row)

    def _gap(self, row: Row) -> bool:
        day, sequence = row.place
        return sequence > (self._at[1] if day == self._at[0] else 0) + 1

    def _miss_gap(self, row: Row) -> None:
        day, sequence = row.place
        first = self._at[1] + 1 if day == self._at[0] else 1
        self._miss((day, first), (day, sequence - 1), "the numbers leave them out")

    def _skipped_marks(self, row: Row, *, linked: bool) -> bool:
        """Miss what was signed between the last row and the first one of another day."""
        if row.place[0] == self._at[0]:
            return False
        skipped = [place for place in self.known.marks if self._at < place and place[0] < row.place[0]]
        if not skipped:
            return False
        first = min(skipped)
        if linked and first[0] == self._at[0]:  # what is left was chained anew over the gap
            if not self._explained:
                self._accuse_since_proven(first, self.known.marks[first], None)
        else:
            number = self.known.marks[first].number
            self._miss(self._next_place(first), first, f"known to signed statement {number}")
        return True

    def _next_place(self, known: Place) -> Place:
        """The first place that is missing, where `known` is one that is."""
        return (self._at[0], self._at[1] + 1) if known[0] == self._at[0] else (known[0], 1)

    def _hold_against_mark(self, row: Row, following: Sequence[Row]) -> set[Any]:
        """Compare with the signed head of this place; return the hash of the row that ought to stand there."""
        mark = self.known.marks.get(row.place)
        if mark is None:
            self.unsigned += 1
            return set()
        self.unsigned = 0
        if mark.hash in row.hashes:
            if mark.rows != self._count and not self.findings:
                told = f"statement {mark.number} counts {mark.rows} rows up to this one, there are {self._count}"
                self._accuse("miscounted", told, row)
            self._proven = row.place
        elif self._known_behind(row.place, mark.hash, following):
            self._accuse("replaced", f"signed statement {mark.number} and its follower know another row", row)
        elif any(each.hash == mark.hash and each.moved(1) for each in following):
            pass  # it is the next one, which was numbered anew: told of there
        elif not self._explained:
            self._accuse_since_proven(row.place, mark, row.entry["id"])
        return {mark.hash}

    @property
    def _explained(self) -> bool:
        """Whether something was found behind the last row that a signed head proves."""
        return self._accused_at is not None and self._accused_at > self._proven

    def _known_behind(self, place: Place, known: str, following: Sequence[Row]) -> bool:
        """Whether a sound follower, or the tip, knows a row of this hash at a place."""
        tip = self.known.tip
        at_tip = tip is not None and (tip.day, tip.sequence) == place and tip.hash == known
        return at_tip or any(each.sound and each.previous == known for each in following)

    def _accuse_since_proven(self, last: Place, mark: Mark, row_id: str | None) -> None:
        """Accuse all rows behind the last one that a signed head proves: which of them is wrong, nobody can tell."""
        day, sequence = last
        first = self._proven[1] + 1 if self._proven[0] == day else 1
        told = f"they end in another row than the one that statement {mark.number} signs"
        alone = first == sequence
        finding = Finding(
            "rewritten", told, self.product, day, first, row_id if alone else None, None if alone else sequence
        )
        self._keep(finding, last)

    def _hold_against_tip(self, row: Row) -> None:
        tip = self.known.tip
        if tip is None or self._behind_tip:
            return
        place = tip.day, tip.sequence
        if row.place > place:
            self._behind_tip = True
            self._accuse("inserted", "it stands behind the tip of the chain that the database knows", row)
        elif row.place == place and tip.hash not in row.hashes and not self.findings:
            self._accuse("replaced", "the tip of the chain that the database knows is another row", row)

    def _genuine(self, group: Sequence[Row], following: Sequence[Row]) -> Row:
        """Of rows at one place the one that the rest of the chain knows best."""

        def worth(row: Row) -> tuple[bool, bool, bool]:
            linked = row.previous in self._expected
            return self._attested(row, following), row.sound, linked

        return max(group, key=worth)

    def _attested(self, row: Row, following: Sequence[Row]) -> bool:
        """Whether a sound follower, a signed head or the tip knows the row by its hash."""
        return self._marked(row) or self._known_behind(row.place, row.hash, following)

    def _marked(self, row: Row) -> bool:
        mark = self.known.marks.get(row.place)
        return mark is not None and mark.hash == row.hash

    def _miss(self, first: Place, last: Place, told: str) -> None:
        several = last[0] == first[0] and last[1] > first[1]
        finding = Finding("missing", f"missing: {told}", self.product, *first, None, last[1] if several else None)
        self._keep(finding, first)

    def _accuse(self, fault: str, told: str, row: Row) -> None:
        self._keep(Finding(fault, told, self.product, *row.place, row.entry["id"]), row.place)

    def _add(self, fault: str, told: str, place: Place) -> None:
        self._keep(Finding(fault, told, self.product, *place), place)

    def _keep(self, finding: Finding, place: Place) -> None:
        self._accused_at = place if self._accused_at is None else max(place, self._accused_at)
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)


def seen(entry: Entry) -> Row:
    """Return an entry with the hash that it ought to have."""
    return Row(entry, _own(entry))


def _own(entry: Entry) -> str | None:
    try:
        return hash_of(entry)
    except Unhashable:
        return None
