# SPDX-License-Identifier: Apache-2.0
"""What stands after FROM: tables, sub-selects, common table expressions, each with the flows of its columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dictamesh.runtime.lineage.model import Subtype
from dictamesh.runtime.lineage.statements.flows import NOTHING, Flow, Flows, Table, doubtful


class Relation(Protocol):
    """Rows with named columns; names are folded as the engine compares them."""

    def has(self, name: str) -> bool | None:
        """Whether there is a column of a name; None where that is not known."""

    def read(self, name: str, written: str) -> Flows:
        """Return the flows into a column; `written` is how a table that is not known may spell it."""

    def every(self) -> Flows:
        """Return the flows into all columns together."""

    @property
    def width(self) -> Sequence[str] | None:
        """The names of the columns in order; None where they are not all known."""

    @property
    def rows(self) -> Flows:
        """What decides which rows there are."""

    @property
    def whole(self) -> Flows:
        """The tables that the rows come from."""


@dataclass(frozen=True, slots=True)
class Base:
    """A table of the source; `columns` are those that are known of it, by folded name. It may have others."""

    table: Table
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: Flows = NOTHING

    def has(self, name: str) -> bool | None:
        return True if name in self.columns else None

    def read(self, name: str, written: str) -> Flows:
        return frozenset({Flow(self.table, self.columns.get(name, written))})

    def every(self) -> Flows:
        return frozenset({Flow(self.table, "", Subtype.TRANSFORMATION)})

    @property
    def width(self) -> None:
        return None

    @property
    def whole(self) -> Flows:
        return frozenset({Flow(self.table, "")})


@dataclass(frozen=True, slots=True)
class Made:
    """A function's rows, or VALUES: every column comes from the same flows."""

    flows: Flows
    width: tuple[str, ...] = ()
    rows: Flows = NOTHING

    def has(self, name: str) -> bool | None:
        return name in self.width

    def read(self, _name: str, _written: str) -> Flows:
        return self.flows

    def every(self) -> Flows:
        return self.flows

    @property
    def whole(self) -> Flows:
        return self.flows


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a SELECT; `name` is empty where it has none."""

    name: str
    flows: Flows


@dataclass(frozen=True, slots=True)
class Star:
    """All columns of a relation, but those that another one gives already (USING)."""

    relation: Relation
    without: frozenset[str] = frozenset()

    def has(self, name: str) -> bool | None:
        return False if name in self.without else self.relation.has(name)


@dataclass(frozen=True, slots=True)
class Derived:
    """The result of a query; `renamed` is an alias's list of columns."""

    outputs: tuple[Output | Star, ...]
    rows: Flows
    whole: Flows = NOTHING
    renamed: tuple[str, ...] = ()

    def has(self, name: str) -> bool | None:
        if self.renamed:
            return name in self.renamed
        found = [_has(output, name) for output in self.outputs]
        if True in found:
            return True
        return None if None in found else False

    def read(self, name: str, written: str) -> Flows:
        if self.renamed:
            return self.at(self.renamed.index(name)) if name in self.renamed else NOTHING
        sure = [output for output in self.outputs if _has(output, name)]
        maybe = [output for output in self.outputs if _has(output, name) is None]
        flows = union(_read(output, name, written) for output in sure or maybe)
        return doubtful(flows) if not sure and len(maybe) > 1 else flows

    def every(self) -> Flows:
        return union(each.flows if isinstance(each, Output) else each.relation.every() for each in self.outputs)

    @property
    def width(self) -> Sequence[str] | None:
        if self.renamed:
            return self.renamed
        names: list[str] = []
        for output in self.outputs:
            inner = _width(output)
            if inner is None:
                return None
            names += inner
        return names

    def at(self, index: int) -> Flows:
        """Return the flows into the column at a position, from 0; into all where positions are not known."""
        place = 0
        for output in self.outputs:
            inner = _width(output)
            if inner is None:
                return doubtful(self.every())
            if index < place + len(inner):
                name = inner[index - place]
                return _read(output, name, name)
            place += len(inner)
        return NOTHING


def union(parts: Iterable[Flows]) -> Flows:
    """Return all flows of some columns."""
    return frozenset().union(*parts)


def _has(output: Output | Star, name: str) -> bool | None:
    return output.name == name if isinstance(output, Output) else output.has(name)


def _read(output: Output | Star, name: str, written: str) -> Flows:
    return output.flows if isinstance(output, Output) else output.relation.read(name, written)


def _width(output: Output | Star) -> Sequence[str] | None:
    if isinstance(output, Output):
        return [output.name]
    inner = output.relation.width
    return None if inner is None else [name for name in inner if name not in output.without]
