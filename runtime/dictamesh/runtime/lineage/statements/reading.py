# SPDX-License-Identifier: Apache-2.0
"""From a query to the flows into each of its columns, and into the choice of its rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlglot import exp

from dictamesh.runtime.lineage.model import Subtype
from dictamesh.runtime.lineage.statements.flows import IDENTITY, NOTHING, Flow, Flows, Table, Way, through
from dictamesh.runtime.lineage.statements.operands import Operand, operands
from dictamesh.runtime.lineage.statements.relations import Base, Derived, Made, Output, Relation, Star, union
from dictamesh.runtime.lineage.statements.scope import Fold, Scope, keeps_case
from dictamesh.runtime.lineage.statements.side_by_side import Either, Joined

DEEPEST = 60  # queries in one another
ROUNDS = 12  # of a recursive common table expression: its flows stop growing after a few


class TooDeep(Exception):  # noqa: N818 - the name says what is the case
    """Queries lie deeper in one another than is followed."""


@dataclass(frozen=True)
class Reader:
    """Reads queries of one dialect; `known` are columns by table, as declared elsewhere."""

    dialect: str
    fold: Fold
    known: Mapping[Table, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def _tables(self) -> Mapping[Table, tuple[Table, Mapping[str, str]]]:
        """What is known, by names as the engine compares them: a table's name as declared, its columns likewise."""
        case = str.lower if keeps_case(self.dialect) else str
        return {
            tuple(map(case, table)): (table, {case(column): column for column in columns})
            for table, columns in self.known.items()
        }

    def query(self, node: exp.Expr, outer: Scope | None = None) -> Derived:
        """Return what a query yields; raises TooDeep."""
        scope = self._with(node, outer)
        if isinstance(node, exp.Subquery):
            return self._ordered(node, self.query(node.this, scope), scope)
        if isinstance(node, exp.SetOperation):
            return self._ordered(node, self._set(node, scope), scope)
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        relation = self._relation(node, scope)
        return Derived((Star(relation),), relation.rows, relation.whole)

    def flows(self, node: exp.Expr, scope: Scope, way: Way = IDENTITY, outputs: str = "") -> Flows:
        """Return the flows into an expression."""
        found = set[Flow]()
        waiting = [Operand(node, way)]
        while waiting:
            at = waiting.pop()
            if isinstance(at.node, exp.Star):
                found |= through(at.way, union(each.whole for each in scope.relations.values()))
            elif isinstance(at.node, exp.Column):
                found |= through(at.way, scope.column(at.node, outputs))
            elif isinstance(at.node, exp.Query):
                found |= self._nested(at, scope)
            else:
                waiting.extend(operands(at, scope.windows, self.fold))
        return frozenset(found)

    def _nested(self, at: Operand, scope: Scope) -> Flows:
        """A query as a value: its columns go into it, and what chooses its rows decides it."""
        made = self.query(at.node, scope)
        values = made.at(0) if made.width is not None and len(made.width) == 1 else made.every()
        return through(at.way, values | made.rows)

    def _with(self, node: exp.Expr, outer: Scope | None) -> Scope:
        scope = Scope(self.fold, dict(outer.tables) if outer is not None else {}, outer)
        if scope.depth > DEEPEST:
            raise TooDeep
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is None:
            return scope
        for cte in with_.expressions:
            columns = tuple(self.fold(each) for each in cte.args["alias"].args.get("columns") or ())
            name = self.fold(cte.args["alias"].this)
            if with_.args.get("recursive"):
                scope.tables[name] = self._recursive(cte.this, name, columns, scope)
            else:
                scope.tables[name] = _renamed(self.query(cte.this, scope.beside()), columns)
        return scope

    def _recursive(self, query: exp.Expr, name: str, columns: tuple[str, ...], scope: Scope) -> Relation:
        """What it reads of itself is what the rounds before found; the first reads the part before the union."""
        made = _renamed(self.query(_first(query), scope.beside()), columns)
        for _ in range(ROUNDS):
            beside = scope.beside()
            beside.tables[name] = made
            before, made = made, _renamed(self.query(query, beside), columns)
            if made == before:
                break
        return made

    def _set(self, node: exp.SetOperation, scope: Scope) -> Derived:
        left, right = self.query(node.left, scope), self.query(node.right, scope)
        rows, whole = left.rows | right.rows, left.whole | right.whole
        every = left.every() | right.every()
        if not isinstance(node, exp.Union):
            name = "EXCEPT" if isinstance(node, exp.Except) else "INTERSECT"
            return Derived((Star(left),), rows | through(Way(Subtype.FILTER, name), every), left.whole)
        if node.args.get("distinct"):
            rows |= through(Way(Subtype.GROUP_BY, "UNION"), every)
        names = left.width
        if names is None or right.width is None:
            return Derived((Star(Either(left, right)),), rows, whole)
        outputs = tuple(Output(name, left.at(index) | right.at(index)) for index, name in enumerate(names))
        return Derived(outputs, rows, whole)

    def _select(self, node: exp.Select, scope: Scope) -> Derived:
        rows = union([self._add(source, scope) for source in _sources(node)])
        scope.windows = {self.fold(each.this): each for each in node.args.get("windows") or ()}
        outputs = tuple(self._output(each, scope) for each in node.expressions)
        for output in outputs:
            scope.numbered.append(output.flows if isinstance(output, Output) else output.relation.every())
            if isinstance(output, Output) and output.name:
                scope.outputs.setdefault(output.name, output.flows)
        rows |= self._clauses(node, scope)
        whole = union(each.whole for each in scope.relations.values())
        return self._ordered(node, Derived(outputs, rows, whole), scope)

    def _add(self, source: exp.Expr, scope: Scope) -> Flows:
        """Add a relation to a scope; return what it brings to the choice of rows."""
        node = source.this if isinstance(source, exp.Join) else source
        relation = self._relation(node, scope)
        before = list(scope.relations.values())
        scope.relations[self._alias(node) or f" {len(scope.relations)}"] = relation
        if not isinstance(source, exp.Join):
            return relation.rows
        rows = relation.rows
        if (condition := source.args.get("on")) is not None:
            rows |= self._clause(Subtype.JOIN, condition, scope)
        using = [self.fold(each) for each in source.args.get("using") or ()]
        if source.args.get("method") == "NATURAL":
            using = [name for name in relation.width or () if any(each.has(name) is not False for each in before)]
        for name in using:
            scope.joined.add(name)
            both = [each.read(name, name) for each in (*before, relation) if each.has(name) is not False]
            rows |= through(Way(Subtype.JOIN, f"USING ({name})"), union(both))
        return rows

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        if isinstance(node, exp.Lateral):
            return self._inside(node.this, node.args.get("alias"), scope, scope)
        return self._inside(node, node.args.get("alias"), scope, scope.beside())

    def _inside(self, node: exp.Expr, alias: exp.Expr | None, scope: Scope, seen: Scope) -> Relation:
        """The relation of a node under an alias; a query in it sees the names of `seen`."""
        columns = tuple(self.fold(each) for each in alias.args.get("columns") or ()) if alias is not None else ()
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return self._table(node, scope, columns)
        if isinstance(node, exp.Query):
            return _renamed(self.query(node, seen), columns)
        # a function's rows, VALUES or UNNEST: an alias without columns names the one there is, too
        inside = node.this if isinstance(node, exp.Table) else node.copy()
        inside.set("alias", None)
        named = (self.fold(alias.this),) if alias is not None and alias.this is not None else ()
        return Made(self.flows(inside, scope, self._way(Subtype.TRANSFORMATION, inside)), columns or named)

    def _table(self, node: exp.Table, scope: Scope, columns: tuple[str, ...]) -> Relation:
        name = self.fold(node.this)
        if node.args.get("db") is None and name in scope.tables:
            found = scope.tables[name]
            return _renamed(found, columns) if isinstance(found, Derived) else found
        parts = [part for part in (node.args.get("catalog"), node.args.get("db"), node.this) if part is not None]
        table = tuple(self.fold(part) for part in parts)
        other = table[1:] if table[0] == "public" else ("public", *table)
        base = Base(*(self._tables.get(table) or self._tables.get(other) or (table, {})))
        return _renamed(Derived((Star(base),), NOTHING, base.whole), columns) if columns else base

    def _alias(self, node: exp.Expr) -> str:
        alias = node.args.get("alias")
        if alias is not None and alias.this is not None:
            return self.fold(alias.this)
        return self.fold(node.this) if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier) else ""

    def _output(self, node: exp.Expr, scope: Scope) -> Output | Star:
        if isinstance(node, exp.Star):
            return Star(Joined(tuple(scope.relations.values()), frozenset(scope.joined)))
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            return Star(scope.relation(self.fold(node.args["table"])) or Made(NOTHING))
        inside = node.this if isinstance(node, exp.Alias) else node
        flows = self.flows(inside, scope, self._way(Subtype.IDENTITY, inside))
        if isinstance(node, exp.Alias):
            return Output(self.fold(node.args["alias"]), flows)
        if isinstance(inside, exp.Column):
            return Output(self.fold(inside.this), flows)
        return Output((inside.output_name or inside.key).lower(), flows)

    def _clauses(self, node: exp.Select, scope: Scope) -> Flows:
        aliased = "last" if self.dialect != "postgres" else ""  # PostgreSQL knows outputs in GROUP BY and ORDER BY only
        rows = set[Flow]()
        for clause in ("where", "having", "qualify"):
            if (found := node.args.get(clause)) is not None:
                rows |= self._clause(Subtype.FILTER, found.this, scope, aliased)
        if (group := node.args.get("group")) is not None:
            for key in _keys(group):
                rows |= self._key(Subtype.GROUP_BY, key, scope, "last")
        if (distinct := node.args.get("distinct")) is not None:
            on = distinct.args.get("on")
            keys = self.flows(on, scope, outputs="last") if on is not None else union(scope.numbered)
            rows |= through(Way(Subtype.GROUP_BY, "DISTINCT"), keys)
        return frozenset(rows)

    def _ordered(self, node: exp.Expr, made: Derived, scope: Scope) -> Derived:
        order, limit = node.args.get("order"), node.args.get("limit")
        rows = set(made.rows)
        if not isinstance(node, exp.Select):
            scope = replace(scope, relations={"": made}, outputs={})
            scope.numbered = [made.at(index) for index in range(len(made.width or ()))]
        for each in order.expressions if order is not None else ():
            key = each.this if isinstance(each, exp.Ordered) else each
            rows |= self._key(Subtype.SORT, key, scope, "first" if isinstance(key, exp.Column) else "")
        if limit is not None:
            rows |= self.flows(limit, scope, Way(Subtype.FILTER, "LIMIT"))
        return replace(made, rows=frozenset(rows))

    def _key(self, subtype: Subtype, key: exp.Expr, scope: Scope, outputs: str) -> Flows:
        """The flows into a key of GROUP BY or ORDER BY: a number stands for an output."""
        if isinstance(key, exp.Literal) and not key.is_string and key.name.isdigit():
            numbered = scope.numbered[int(key.name) - 1 : int(key.name)]
            return through(Way(subtype, key.name), union(numbered))
        return self._clause(subtype, key, scope, outputs)

    def _clause(self, subtype: Subtype, node: exp.Expr, scope: Scope, outputs: str = "") -> Flows:
        return self.flows(node, scope, self._way(subtype, node), outputs)

    def _way(self, subtype: Subtype, node: exp.Expr) -> Way:
        return Way(subtype, node.sql(dialect=self.dialect, comments=False))


def _renamed(made: Derived, columns: tuple[str, ...]) -> Derived:
    """The result under an alias that names its first columns."""
    if not columns:
        return made
    rest = tuple(replace(made, renamed=()).width or ())[len(columns) :]
    return replace(made, renamed=(*columns, *rest))


def _first(node: exp.Expr) -> exp.Expr:
    """The part of a recursive query that does not read it: the left of its unions."""
    while isinstance(node, exp.SetOperation):
        node = node.left
    return node


def _sources(node: exp.Select) -> Iterator[exp.Expr]:
    from_ = node.args.get("from_") or node.args.get("from")
    waiting: list[exp.Expr] = [from_.this] if from_ is not None else []
    waiting += [*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())]
    while waiting:
        source = waiting.pop(0)
        inside = source.this if isinstance(source, exp.Join) else source
        if isinstance(inside, exp.Subquery) and isinstance(inside.this, exp.Table) and not inside.alias:
            yield inside.this  # parentheses around a join
            waiting[:0] = inside.this.args.get("joins") or ()
            if isinstance(source, exp.Join):
                yield exp.Join(this=exp.Values(), on=source.args.get("on"), using=source.args.get("using"))
            continue
        yield source
        waiting[:0] = inside.args.get("joins") or () if isinstance(inside, exp.Table) else ()


def _keys(group: exp.Expr) -> Iterator[exp.Expr]:
    parts = [*group.expressions]
    for name in ("grouping_sets", "rollup", "cube"):
        found = group.args.get(name)
        parts += found if isinstance(found, list) else []
    for part in parts:
        if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets):
            yield from part.expressions
        else:
            yield part
