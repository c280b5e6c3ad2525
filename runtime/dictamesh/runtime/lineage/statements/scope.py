# SPDX-License-Identifier: Apache-2.0
"""The names that stand for columns at one place of a statement."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from dictamesh.runtime.lineage.statements.flows import NOTHING, Flows, doubtful
from dictamesh.runtime.lineage.statements.relations import Relation

Fold = Callable[[exp.Expr], str]
"""Turns an identifier into the form in which names are compared."""


def fold_of(dialect: str) -> Fold:
    """Return how an engine compares names: PostgreSQL keeps the case of quoted ones, SQLite that of none."""
    if keeps_case(dialect):
        return lambda node: node.name.lower()
    return lambda node: node.name if isinstance(node, exp.Identifier) and node.quoted else node.name.lower()


def keeps_case(dialect: str) -> bool:
    """Whether an engine stores names as they were declared, and ignores their case: SQLite."""
    return dialect != "postgres"


@dataclass(slots=True)
class Scope:
    """The relations of one SELECT under their aliases, and what lies around it.

    `tables` are the common table expressions that are visible here; `joined` are columns that USING merges; `outputs`
    are the columns of the SELECT, which ORDER BY and GROUP BY may name or number.
    """

    fold: Fold
    tables: dict[str, Relation]
    outer: "Scope | None" = None
    relations: dict[str, Relation] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    outputs: dict[str, Flows] = field(default_factory=dict)
    numbered: list[Flows] = field(default_factory=list)
    windows: dict[str, exp.Window] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """How many scopes lie around this one."""
        return 0 if self.outer is None else self.outer.depth + 1

    def beside(self) -> "Scope":
        """Return the scope of a query beside the relations of this one, which it does not see."""
        return Scope(self.fold, dict(self.tables), self.outer)

    def relation(self, name: str) -> Relation | None:
        """Return the relation of an alias, of the nearest scope that has it."""
        found = self.relations.get(name)
        return self.outer.relation(name) if found is None and self.outer is not None else found

    def column(self, node: exp.Column, outputs: str = "") -> Flows:
        """Return the flows into a column; `outputs` says whether outputs go `first`, `last`, or do not count."""
        name = self.fold(node.this)
        table = node.args.get("table")
        if table is not None:
            relation = self.relation(self.fold(table))
            return relation.read(name, name) if relation is not None else NOTHING
        if outputs == "first" and name in self.outputs:
            return self.outputs[name]
        if outputs == "last" and name in self.outputs and not any(each.has(name) for each in self.relations.values()):
            return self.outputs[name]
        return self.bare(name)

    def bare(self, name: str) -> Flows:
        """Return the flows into a column without a table: of the one that has it, else of all that may have it."""
        sure = [each for each in self.relations.values() if each.has(name)]
        if sure:
            return _read(sure if name in self.joined else sure[:1], name)
        if name in self.relations:
            return self.relations[name].every()  # the row as a whole
        maybe = [each for each in self.relations.values() if each.has(name) is None]
        around = self.outer.bare(name) if self.outer is not None and self.outer.knows(name) else NOTHING
        if not maybe:
            return self.outer.bare(name) if self.outer is not None else NOTHING
        found = _read(maybe, name)
        return found if name in self.joined or (len(maybe) == 1 and not around) else doubtful(found | around)

    def knows(self, name: str) -> bool:
        """Whether a column of this name surely exists here or around."""
        here = any(each.has(name) for each in self.relations.values())
        return here or (self.outer is not None and self.outer.knows(name))


def _read(relations: Iterable[Relation], name: str) -> Flows:
    return frozenset().union(*(relation.read(name, name) for relation in relations))
