# SPDX-License-Identifier: Apache-2.0
"""How a column of a table goes into a value, and what becomes of that on the way through a statement."""

from dataclasses import dataclass, replace

from dictamesh.runtime.lineage.model import DIRECT, Subtype

Table = tuple[str, ...]
"""The parts of a table's name: schema and table, or the table alone."""


@dataclass(frozen=True, slots=True)
class Way:
    """What is done to a value. `text` is the SQL that does it; `masking` says that the value cannot be told from it."""

    subtype: Subtype
    text: str = ""
    masking: bool = False

    def then(self, inner: "Flow") -> "Flow":
        """Return the flow of a value that came by `inner` and then goes this way."""
        masking = self.masking or inner.masking
        if self.subtype not in DIRECT:
            return replace(inner, subtype=self.subtype, text=self.text, masking=masking)
        if inner.subtype not in DIRECT or self.subtype is Subtype.IDENTITY:
            return replace(inner, masking=masking)
        subtype = Subtype.AGGREGATION if inner.subtype is Subtype.AGGREGATION else self.subtype
        return replace(inner, subtype=subtype, text=self.text, masking=masking)

    def below(self, subtype: Subtype, *, masking: bool = False) -> "Way":
        """Return the way of an operand, which is used as `subtype` says; what decides or aggregates stays that."""
        if self.subtype not in DIRECT:
            return self
        if self.subtype is Subtype.AGGREGATION and subtype in DIRECT:
            subtype = Subtype.AGGREGATION
        return Way(subtype, self.text, self.masking or masking)


IDENTITY = Way(Subtype.IDENTITY)


@dataclass(frozen=True, slots=True)
class Flow:
    """A column of a table as part of a value; an empty `column` is the table as a whole.

    `certain` is false where the statement does not tell which of several tables has the column.
    """

    table: Table
    column: str
    subtype: Subtype = Subtype.IDENTITY
    text: str = ""
    masking: bool = False
    certain: bool = True


Flows = frozenset[Flow]
NOTHING: Flows = frozenset()


def through(way: Way, flows: Flows) -> Flows:
    """Return flows that go one way further."""
    return flows if way == IDENTITY else frozenset(way.then(flow) for flow in flows)


def doubtful(flows: Flows) -> Flows:
    """Return flows of which only some are there."""
    return frozenset(replace(flow, certain=False) for flow in flows)
