# SPDX-License-Identifier: Apache-2.0
"""From the tree of sqlglot to a checked tree: names resolved, types known, everything else refused (S1, S5)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from dictamesh.specs.expressions.arithmetic import INTEGER_RANGE, plain
from dictamesh.specs.expressions.build import add_interval, call
from dictamesh.specs.expressions.coerce import Misfit, cast, implicit, is_open, spelled
from dictamesh.specs.expressions.functions import ALIASES, CALLABLE
from dictamesh.specs.expressions.moments import DATE_FIELDS, EXTRACT_FIELDS, TRUNC_FIELDS, read_interval
from dictamesh.specs.expressions.parse import operands, parse, span
from dictamesh.specs.expressions.problems import Problem, ProblemKind, Problems
from dictamesh.specs.expressions.scope import Missing, Scope
from dictamesh.specs.expressions.tree import Expr, Literal, Parameter, extent
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import (
    BOOLEAN,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    JSON,
    LONG,
    NULL,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

NOW, TODAY = Parameter("now", TIMESTAMP), Parameter("today", DATE)
_MAX_PRECISION = 1000
MAX_TREE_DEPTH, MAX_TREE_NODES = 150, 10_000

_TYPES: dict[exp.DType, Type] = {
    exp.DType.INT: INT,
    exp.DType.BIGINT: LONG,
    exp.DType.DOUBLE: FLOAT,
    exp.DType.TEXT: STRING,
    exp.DType.VARCHAR: STRING,
    exp.DType.BOOLEAN: BOOLEAN,
    exp.DType.DATE: DATE,
    exp.DType.TIME: TIME,
    exp.DType.TIMESTAMP: TIMESTAMP,
    exp.DType.TIMESTAMPTZ: TIMESTAMP,
    exp.DType.JSON: JSON,
    exp.DType.JSONB: JSON,
}
_TYPE_HINT = "text, integer, bigint, numeric, numeric(p,s), double precision, boolean, date, time, timestamp, jsonb"

_BINARY: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.Add: "add",
    exp.Sub: "sub",
    exp.Mul: "mul",
    exp.Div: "div",
    exp.Mod: "mod",
    exp.DPipe: "append",
    exp.NullSafeNEQ: "is_distinct",
    exp.Like: "like",
    exp.ILike: "ilike",
}
_JSON: dict[type[exp.Expr], str] = {
    exp.JSONExtract: "json_get",
    exp.JSONExtractScalar: "json_get_text",
    exp.JSONBExtract: "json_path",
    exp.JSONBExtractScalar: "json_path_text",
}


class _Fault(Exception):  # noqa: N818 - control flow inside this module: the part has no tree, its problem is recorded
    pass


def check(text: str, scope: Scope, wanted: Type | None = None) -> Expr:
    """Parse and check `text`; the tree has type `wanted` where one is given (assignment rules of PostgreSQL).

    Raises `Problems` with every fault found, in order of place.
    """
    checker = _Checker(text, scope)
    try:
        tree = checker.expr(parse(text))
        found = tree if wanted is None else _assigned(tree, wanted)
        _bounded(found, text)
    except _Fault:
        found = None
    except Misfit as misfit:
        raise Problems((Problem("type", misfit.message, 0, len(text), misfit.hint),)) from None
    if checker.problems or found is None:
        raise Problems(tuple(sorted(checker.problems, key=lambda problem: (problem.start, problem.end))))
    return found


def _bounded(tree: Expr, text: str) -> None:
    """Refuse what grew too large through the fields it refers to: each may refer to others, twice and more."""
    depth, nodes = extent(tree)
    if depth > MAX_TREE_DEPTH or nodes > MAX_TREE_NODES:
        message = "the expression is too large with the fields it reads put in their places"
        raise Problems((Problem("too-large", message, 0, len(text), "read fewer computed fields"),))


def _assigned(tree: Expr, wanted: Type) -> Expr:
    have = tree.type
    if have.kind is wanted.kind or is_open(tree) or implicit(have, wanted) or (have.numeric and wanted.numeric):
        return cast(tree, wanted)
    if (have.kind, wanted.kind) == (Kind.TIMESTAMP, Kind.DATE):
        return cast(tree, wanted)
    hint = None if wanted.kind is Kind.BOOLEAN else f"convert it: CAST(... AS {spelled(wanted)})"
    raise Misfit(f"{spelled(wanted)} is expected, the expression gives {spelled(have)}", hint)


@dataclass(slots=True)
class _Checker:
    text: str
    scope: Scope
    problems: list[Problem] = field(default_factory=list)

    def expr(self, node: exp.Expr) -> Expr:
        """Return the tree of `node`; raises _Fault after its problems are recorded."""
        try:
            return self._dispatch(node)
        except Misfit as misfit:
            raise self._fault(node, "type", misfit.message, misfit.hint) from None

    def all(self, nodes: list[exp.Expr]) -> list[Expr]:
        """Check every node, so that the faults of all are found, before giving up on any."""
        found: list[Expr] = []
        failed = False
        for node in nodes:
            try:
                found.append(self.expr(node))
            except _Fault:
                failed = True
        if failed:
            raise _Fault
        return found

    def _fault(self, node: exp.Expr, kind: ProblemKind, message: str, hint: str | None = None) -> _Fault:
        self.problems.append(Problem(kind, message, *span(self.text, node), hint))
        return _Fault()

    def _dispatch(self, node: exp.Expr) -> Expr:
        name = _BINARY.get(type(node))
        if name is not None:
            return self._binary(name, node)
        if type(node) in _JSON:
            return self._json(node)
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise self._refused(node)
        return handler(self, node)

    def _refused(self, node: exp.Expr) -> _Fault:
        what = _REFUSED.get(type(node), f"{type(node).__name__.lower()} is")
        return self._fault(node, "not-allowed", f"{what} not allowed in an expression")

    def _binary(self, name: str, node: exp.Expr) -> Expr:
        left, right = node.this, node.expression
        if isinstance(right, exp.Any):
            return self._any(name, node)
        if name in {"add", "sub"} and (isinstance(left, exp.Interval) or isinstance(right, exp.Interval)):
            return self._interval_sum(name, left, right)
        built = call(name, *self.all([left, right]))
        return call("not", built) if node.args.get("negate") else built

    def _any(self, name: str, node: exp.Expr) -> Expr:
        if name != "eq":
            raise self._fault(node, "not-allowed", "ANY is allowed after = only", "write NOT (a = ANY(list))")
        inner = node.expression.this
        return call("any_eq", *self.all([node.this, inner.this if isinstance(inner, exp.Paren) else inner]))

    def _interval_sum(self, name: str, left: exp.Expr, right: exp.Expr) -> Expr:
        interval, other = (left, right) if isinstance(left, exp.Interval) else (right, left)
        if isinstance(other, exp.Interval) or (name == "sub" and interval is left):
            raise self._fault(
                interval, "not-allowed", "an interval can only be added to or subtracted from a timestamp or date"
            )
        moment = self.expr(other)
        months, days, micros = self._interval(interval)
        sign = -1 if name == "sub" else 1
        return add_interval(moment, sign * months, sign * days, sign * micros)

    def _interval(self, node: exp.Expr) -> tuple[int, int, int]:
        value, unit = node.this, node.args.get("unit")
        text = value.this if isinstance(value, exp.Literal) else None
        read = read_interval(f"{text} {unit.name if unit is not None else ''}") if text is not None else None
        if read is None:
            raise self._fault(
                node, "type", "this is not an interval", "write INTERVAL '1 month', of at most 1,000 years"
            )
        return read

    def _json(self, node: exp.Expr) -> Expr:
        key = node.expression
        if not isinstance(key, exp.Literal) and not (isinstance(key, exp.Neg) and isinstance(key.this, exp.Literal)):
            start, end = span(self.text, node)
            hint = None
            if isinstance(key, exp.Cast):
                hint = f"the cast binds to the key; write ({self.text[start:end]}) before ::"
            raise self._fault(key, "not-allowed", "a JSON key must be a constant", hint)
        value, name = self.expr(node.this), _JSON[type(node)]
        if name in {"json_path", "json_path_text"}:
            steps = str(key.this).strip()
            if not (steps.startswith("{") and steps.endswith("}")) or '"' in steps or "\\" in steps:
                raise self._fault(key, "type", "this is not a path", "write '{a,b,0}'")
            parts = [part.strip() for part in steps[1:-1].split(",")] if steps[1:-1].strip() else []
            return call(name, value, *(Literal(part, STRING) for part in parts))
        return call(name, value, self._json_key(key))

    def _json_key(self, key: exp.Expr) -> Expr:
        if isinstance(key, exp.Literal) and key.is_string:
            return Literal(key.this, STRING)
        index = self.expr(key)
        if index.type.kind is not Kind.INT:
            raise self._fault(key, "type", "a JSON key is a text or an integer")
        return index

    def number(self, node: exp.Expr) -> Expr:
        if node.args.get("is_string"):
            return Literal(node.this, STRING)
        digits = str(node.this)
        if digits.isdecimal():
            value = int(digits)
            for kind, (_, high) in INTEGER_RANGE.items():
                if value <= high:
                    return Literal(value, Type(kind))
        try:
            exact = Decimal(digits)
        except InvalidOperation:
            raise self._fault(node, "syntax", "this is not a number") from None
        if abs(exact.adjusted()) > _MAX_PRECISION:
            raise self._fault(node, "type", "this number is too large")
        return Literal(plain(exact), DECIMAL)

    def column(self, node: exp.Expr) -> Expr:
        parts = [
            part for part in (node.args.get(key) for key in ("catalog", "db", "table", "this")) if part is not None
        ]
        if not all(isinstance(part, exp.Identifier) for part in parts):
            raise self._refused(node)
        path = tuple(str(part.this) for part in parts)
        found = self.scope.find(path)
        if not isinstance(found, Missing):
            return found
        part = min(found.part, len(parts) - 1)
        near = suggest(path[part], found.known)
        name = ".".join(path[: part + 1])
        hint = None if near is None else f"did you mean '{near}'?"
        raise self._fault(parts[part], "unknown-name", f"unknown name '{name}'", hint)

    def dot(self, node: exp.Expr) -> Expr:
        """A path of more than four parts, or a function with a schema, comes as a chain of dots."""
        raise self._fault(node, "not-allowed", "a name of this form is not allowed in an expression")

    def connective(self, node: exp.Expr) -> Expr:
        parts = self.all(operands(node))
        name = "and" if isinstance(node, exp.And) else "or"
        return call(name, *parts)

    def is_(self, node: exp.Expr) -> Expr:
        what = node.expression
        subject = self.expr(node.this)
        if isinstance(what, exp.Null):
            built = call("is_null", subject)
        elif isinstance(what, exp.Boolean):
            built = call("is_true" if what.this else "is_false", subject)
        else:
            raise self._refused(node)
        return call("not", built) if node.args.get("negate") else built

    def between(self, node: exp.Expr) -> Expr:
        if node.args.get("symmetric"):
            raise self._fault(node, "not-allowed", "BETWEEN SYMMETRIC is not allowed in an expression")
        subject, low, high = self.all([node.this, node.args["low"], node.args["high"]])
        return call("and", call("ge", subject, low), call("le", subject, high))

    def in_(self, node: exp.Expr) -> Expr:
        if not node.expressions or node.args.get("query") is not None:
            raise self._fault(
                node, "not-allowed", "IN takes a list of values", "write a = ANY(list) for a list parameter"
            )
        return call("in", *self.all([node.this, *node.expressions]))

    def case(self, node: exp.Expr) -> Expr:
        branches = [part for branch in node.args["ifs"] for part in (branch.this, branch.args["true"])]
        default = node.args.get("default")
        nodes = [
            *branches,
            *([default] if default is not None else []),
            *([node.this] if node.this is not None else []),
        ]
        checked = self.all(nodes)
        if node.this is not None:
            subject = checked.pop()
            for i in range(0, len(branches), 2):
                checked[i] = call("eq", subject, checked[i])
        return call("case", *checked)

    def cast(self, node: exp.Expr) -> Expr:
        to = node.args["to"]
        target = self._type(node, to)
        if node.args.get("format") is not None or node.args.get("default") is not None:
            raise self._refused(node)
        return cast(self.expr(node.this), target)

    def _type(self, node: exp.Expr, to: exp.Expr) -> Type:
        name = to.this if isinstance(to, exp.DataType) else None
        sizes = [
            int(param.name) if param.name.isdecimal() else -1 for param in to.expressions if hasattr(param, "name")
        ]
        if name is exp.DType.DECIMAL:
            if not sizes:
                return DECIMAL
            precision, scale = (*sizes, 0)[:2]
            if 1 <= precision <= _MAX_PRECISION and 0 <= scale <= precision:
                return Type(Kind.DECIMAL, precision, scale)
        elif name in _TYPES and not sizes:
            return _TYPES[name]
        written = to.sql(dialect="postgres")
        raise self._fault(
            node, "not-allowed", f"type {written} is not allowed in an expression", f"one of {_TYPE_HINT}"
        )

    def negation(self, node: exp.Expr) -> Expr:
        return call("neg", self.expr(node.this))

    def not_(self, node: exp.Expr) -> Expr:
        return call("not", self.expr(node.this))

    def same(self, node: exp.Expr) -> Expr:
        return call("not", call("is_distinct", *self.all([node.this, node.expression])))

    def extract(self, node: exp.Expr) -> Expr:
        subject = self.expr(node.expression)
        return call("extract", self._field(node.this, EXTRACT_FIELDS, subject.type), subject)

    def _field(self, node: exp.Expr, known: tuple[str, ...], of: Type) -> Expr:
        name = node.name.lower() if isinstance(node, exp.Var | exp.Literal | exp.Column) else ""
        if name not in known:
            near = suggest(name, known)
            hint = f"did you mean '{near}'?" if near else f"one of {', '.join(known)}"
            raise self._fault(node, "type", "the field must be a constant name of a part of a date", hint)
        lacking = of.kind is Kind.DATE and name in {"hour", "minute", "second"}
        if lacking or (of.kind is Kind.TIME and name in DATE_FIELDS):
            raise self._fault(node, "type", f"a {of} has no {name}")
        return Literal(name, STRING)

    def trim(self, node: exp.Expr) -> Expr:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or ""), "trim")
        chars = node.args.get("expression")
        return call(name, *self.all([node.this, *([chars] if chars is not None else [])]))

    def substring(self, node: exp.Expr) -> Expr:
        start = node.args.get("start") or exp.Literal.number(1)
        parts = [part for part in (node.this, start, node.args.get("length")) if part is not None]
        return call("substring", *self.all(parts))

    def position(self, node: exp.Expr) -> Expr:
        return call("position", *self.all([node.this, node.args["substr"]]))

    def function(self, node: exp.Expr) -> Expr:
        written = str(node.this)
        name = written.lower()
        if name not in CALLABLE:
            near = suggest(name, CALLABLE)
            hint = f"did you mean '{near}'?" if near else "the functions are listed in docs/reference/expressions.md"
            kind: ProblemKind = "not-allowed" if name in _AGGREGATES else "unknown-function"
            message = (
                f"aggregate {written} is not allowed in an expression"
                if kind == "not-allowed"
                else f"unknown function '{written}'"
            )
            start, end = span(self.text, node)
            if "start" in node.meta:
                start, end = node.meta["start"], node.meta["end"] + 1
            self.problems.append(Problem(kind, message, start, end, None if kind == "not-allowed" else hint))
            raise _Fault
        if name == "now":
            return NOW
        if name in {"date_trunc", "date_part"} and len(node.expressions) == 2:
            subject = self.expr(node.expressions[1])
            known = TRUNC_FIELDS if name == "date_trunc" else EXTRACT_FIELDS
            return call(name, self._field(node.expressions[0], known, subject.type), subject)
        return call(ALIASES.get(name, name), *self.all(node.expressions))


def _inside(checker: _Checker, node: exp.Expr) -> Expr:
    return checker.expr(node.this)


_HANDLERS: dict[type[exp.Expr], Callable[[_Checker, exp.Expr], Expr]] = {
    exp.Literal: _Checker.number,
    exp.Column: _Checker.column,
    exp.Dot: _Checker.dot,
    exp.Paren: _inside,
    exp.Null: lambda _checker, _node: Literal(None, NULL),
    exp.Boolean: lambda _checker, node: Literal(bool(node.this), BOOLEAN),
    exp.CurrentDate: lambda _checker, _node: TODAY,
    exp.CurrentTimestamp: lambda _checker, _node: NOW,
    exp.And: _Checker.connective,
    exp.Or: _Checker.connective,
    exp.Not: _Checker.not_,
    exp.Neg: _Checker.negation,
    exp.Is: _Checker.is_,
    exp.NullSafeEQ: _Checker.same,
    exp.Between: _Checker.between,
    exp.In: _Checker.in_,
    exp.Case: _Checker.case,
    exp.Cast: _Checker.cast,
    exp.Extract: _Checker.extract,
    exp.Trim: _Checker.trim,
    exp.Substring: _Checker.substring,
    exp.StrPosition: _Checker.position,
    exp.Anonymous: _Checker.function,
}
_REFUSED: dict[type[exp.Expr], str] = {
    exp.Subquery: "a sub-select is",
    exp.Select: "a sub-select is",
    exp.Window: "a window is",
    exp.Interval: "an interval by itself is",
    exp.Alias: "an alias is",
    exp.Star: "* is",
    exp.Parameter: "a parameter marker is",
    exp.Placeholder: "a parameter marker is",
    exp.Distinct: "DISTINCT is",
    exp.Order: "ORDER BY is",
    exp.Escape: "ESCAPE is",
    exp.Tuple: "a list of values outside IN is",
    exp.RegexpLike: "a regular expression is",
    exp.RegexpILike: "a regular expression is",
    exp.AtTimeZone: "AT TIME ZONE is",
    exp.Bracket: "a subscript is",
    exp.Collate: "COLLATE is",
    exp.Command: "a command is",
    exp.TryCast: "TRY_CAST is",
    exp.If: "IF is",
    exp.Array: "ARRAY[...] is",
    exp.ByteString: "a text with escapes (E'...') is",
    exp.UnicodeString: "a text with escapes (U&'...') is",
    exp.National: "a text of this form is",
    exp.RawString: "a text in dollar quotes is",
    exp.HexString: "a hexadecimal constant is",
    exp.BitString: "a bit string is",
    exp.SimilarTo: "SIMILAR TO is",
    exp.Operator: "OPERATOR is",
}
_AGGREGATES = frozenset(
    {"count", "sum", "avg", "min", "max", "array_agg", "string_agg", "bool_and", "bool_or", "every"}
)
