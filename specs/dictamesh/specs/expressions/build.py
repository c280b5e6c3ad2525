# SPDX-License-Identifier: Apache-2.0
"""Building calls: the operand types decide the signature, conversions become casts, constants fit in."""

from collections.abc import Callable

from dictamesh.specs.expressions.coerce import Misfit, cast, common_type, fit, fits, is_open, shared, spelled, unify
from dictamesh.specs.expressions.functions import FUNCTIONS, Function, Signature
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.expressions.strings import like_matcher
from dictamesh.specs.expressions.tree import Call, Expr, Literal
from dictamesh.specs.types import BOOLEAN, FLOAT, INT, JSON, LONG, NULL, STRING, TIMESTAMP, Kind, Type

TRUE, FALSE = Literal(True, BOOLEAN), Literal(False, BOOLEAN)
_UNORDERED = frozenset({Kind.JSON, Kind.OBJECT, Kind.ARRAY})


def call(name: str, *args: Expr) -> Expr:
    """Build a call of the operator or function `name` of the table; raises `Misfit` when the arguments do not fit.

    Arguments are converted as PostgreSQL converts them: `call("eq", date_column, Literal("2024-01-01", STRING))`
    compares dates. The result need not be a Call of that name: casts of constants are done at once, and some operators
    are written with others.
    """
    form = _FORMS.get(name)
    if form is not None:
        return form(name, args)
    return _overloaded(FUNCTIONS[name], args)


def _overloaded(function: Function, args: tuple[Expr, ...]) -> Expr:
    fitting = [signature for signature in function.signatures if _accepts(signature, args)]
    if not fitting:
        raise _unfit(function, args)
    chosen = min(fitting, key=lambda signature: _conversions(signature, args))
    converted = tuple(fit(arg, Type(kind)) for arg, kind in zip(args, chosen.params, strict=True))
    return _folded(Call(function.name, converted, Type(chosen.result)))


def _accepts(signature: Signature, args: tuple[Expr, ...]) -> bool:
    return len(signature.params) == len(args) and all(
        fits(arg, Type(kind)) for arg, kind in zip(args, signature.params, strict=True)
    )


def _conversions(signature: Signature, args: tuple[Expr, ...]) -> int:
    """Count the arguments that change type; a constant text prefers text."""
    pairs = zip(args, signature.params, strict=True)
    return sum(
        arg.type.kind is not kind for arg, kind in pairs if not (is_open(arg) and kind is not Kind.STRING)
    ) + sum(
        is_open(arg) and kind is not Kind.STRING and len(args) == 1
        for arg, kind in zip(args, signature.params, strict=True)
    )


def _unfit(function: Function, args: tuple[Expr, ...]) -> Misfit:
    given = ", ".join("NULL" if arg.type == NULL else spelled(arg.type) for arg in args)
    forms = sorted({len(signature.params) for signature in function.signatures})
    if len(args) not in forms:
        counts = " or ".join(map(str, forms))
        return Misfit(f"{function.written} takes {counts} argument{'s' if counts != '1' else ''}, {len(args)} given")
    options = "; ".join(
        f"({', '.join(spelled(Type(kind)) for kind in signature.params)})"
        for signature in function.signatures
        if len(signature.params) == len(args)
    )
    return Misfit(f"{function.written} does not take ({given})", f"it takes {options}; convert with CAST(... AS ...)")


def _folded(built: Call) -> Expr:
    """Evaluate the sign of a constant; nothing else is folded, so that the text of a tree stays what was written."""
    if built.name == "neg" and isinstance(built.args[0], Literal) and built.args[0].value is not None:
        return Literal(-built.args[0].value, built.type)
    return built


def _comparison(name: str, args: tuple[Expr, ...]) -> Expr:
    left, right = unify(args, FUNCTIONS[name].written)
    if left.type.kind in _UNORDERED:
        raise Misfit(f"values of type {left.type} cannot be compared", "compare one of their parts, with ->> for JSON")
    return Call(name, (left, right), BOOLEAN)


def _connective(name: str, args: tuple[Expr, ...]) -> Expr:
    """Join conditions; of none, AND is true and OR is false."""
    flat: list[Expr] = []
    for arg in args:
        condition = _condition(arg)
        flat += condition.args if isinstance(condition, Call) and condition.name == name else [condition]
    if len(flat) < 2:
        return flat[0] if flat else (TRUE if name == "and" else FALSE)
    return Call(name, tuple(flat), BOOLEAN)


def _condition(expr: Expr) -> Expr:
    if expr.type.kind is not Kind.BOOLEAN and not is_open(expr):
        raise Misfit(f"a condition is expected, this is {spelled(expr.type)}")
    return cast(expr, BOOLEAN)


def _test(name: str, args: tuple[Expr, ...]) -> Expr:
    return Call(name, args if name == "is_null" else (_condition(args[0]),), BOOLEAN)


def _in(_name: str, args: tuple[Expr, ...]) -> Expr:
    needle, *items = args
    if not items:
        return FALSE
    converted = unify(args, "IN")
    if needle.type.kind in _UNORDERED:
        raise Misfit(f"values of type {needle.type} cannot be compared")
    return Call("in", converted, BOOLEAN)


def _any_eq(_name: str, args: tuple[Expr, ...]) -> Expr:
    needle, many = args
    item = many.type.item
    if many.type.kind is not Kind.ARRAY or item is None:
        raise Misfit(f"= ANY needs a list, this is {spelled(many.type)}", "write IN (a, b) for constants")
    probe = Call("element", (), item)
    common = common_type((needle, probe), "= ANY")
    if common.kind is not item.kind or common.kind in _UNORDERED:
        raise Misfit(f"= ANY cannot match {spelled(needle.type)} and a list of {spelled(item)}")
    return Call("any_eq", (cast(needle, Type(item.kind)), many), BOOLEAN)


def _case(_name: str, args: tuple[Expr, ...]) -> Expr:
    """Build from condition, value, condition, value, ..., and the value of ELSE where the count is odd."""
    conditions = [_condition(arg) for arg in args[:-1:2]] if len(args) % 2 else [_condition(arg) for arg in args[::2]]
    values = unify([*args[1::2], *(args[-1:] if len(args) % 2 else ())], "CASE")
    flat: list[Expr] = []
    for condition, value in zip(conditions, values, strict=False):
        flat += [condition, value]
    return Call("case", (*flat, *values[len(conditions) :]), shared(values))


def _alike(name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise Misfit(f"{FUNCTIONS[name].written} takes at least 1 argument")
    values = unify(args, FUNCTIONS[name].written)
    if name != "coalesce" and values[0].type.kind in _UNORDERED:
        raise Misfit(f"values of type {values[0].type} cannot be compared")
    return values[0] if len(values) == 1 else Call(name, values, shared(values))


def _nullif(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise Misfit(f"{FUNCTIONS[name].written} takes 2 arguments, {len(args)} given")
    equal = _comparison("eq", args)
    first = args[0] if args[0].type.kind is not Kind.NULL else cast(args[0], STRING)
    if isinstance(equal, Call) and equal.args[0] == first:
        return Call("nullif", equal.args, first.type)
    return Call("case", (equal, cast(Literal(None, NULL), first.type), first), first.type)


def _concat(_name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise Misfit("concat(a, ...) takes at least 1 argument")
    return Call("concat", tuple(_shown(arg) for arg in args), STRING)


def _shown(expr: Expr) -> Expr:
    """Convert to text as concat does: a boolean is t or f there."""
    if expr.type.kind is Kind.BOOLEAN:
        return _case("case", (expr, Literal("t", STRING), call("not", expr), Literal("f", STRING)))
    return cast(expr, STRING)


def _append(name: str, args: tuple[Expr, ...]) -> Expr:
    kinds = {arg.type.kind for arg in args}
    if not all(is_open(arg) for arg in args) and Kind.STRING not in kinds:
        raise _unfit(FUNCTIONS[name], args)
    if kinds & _UNORDERED:
        raise Misfit(f"{FUNCTIONS[name].written} joins texts", "take a part of a JSON value with ->>")
    return Call(name, tuple(cast(arg, STRING) for arg in args), STRING)


def _like(name: str, args: tuple[Expr, ...]) -> Expr:
    subject, pattern = (fit(arg, STRING) for arg in args)
    if name == "ilike":
        subject, pattern = _lowered(subject), _lowered(pattern)
    if isinstance(pattern, Literal) and pattern.value is not None:
        try:
            like_matcher(pattern.value)
        except ExpressionFailed as failed:
            raise Misfit(str(failed)) from None
    return Call("like", (subject, pattern), BOOLEAN)


def _lowered(expr: Expr) -> Expr:
    if isinstance(expr, Literal):
        return Literal(None if expr.value is None else expr.value.lower(), STRING)
    return call("lower", expr)


def _sum(name: str, args: tuple[Expr, ...]) -> Expr:
    """Build + and -, which dates have too."""
    kinds = [arg.type.kind for arg in args]
    if len(args) == 2 and Kind.DATE in kinds:
        return _date_sum(name, args, kinds)
    if Kind.TIMESTAMP in kinds:
        raise Misfit(
            f"{FUNCTIONS[name].written} does not take a timestamp",
            "add an INTERVAL, or subtract EXTRACT(epoch FROM ...) values",
        )
    return _overloaded(FUNCTIONS[name], args)


def _date_sum(name: str, args: tuple[Expr, ...], kinds: list[Kind]) -> Expr:
    if name == "add":
        days = args if kinds[0] is Kind.DATE else args[::-1]
        return _overloaded(FUNCTIONS["add_days"], days)
    if is_open(args[0]) or is_open(args[1]) or kinds[0] is kinds[1]:
        return _overloaded(FUNCTIONS["days_between"], args)
    return _overloaded(FUNCTIONS["sub_days"], args)


def add_interval(moment: Expr, months: int, days: int, microseconds: int) -> Expr:
    """Build the addition of a constant interval to a date or timestamp; raises Misfit for other types."""
    literals = (Literal(months, INT), Literal(days, INT), Literal(microseconds, LONG))
    return Call("add_interval", (fit(moment, TIMESTAMP), *literals), TIMESTAMP)


def _json(name: str, args: tuple[Expr, ...]) -> Expr:
    value = fit(args[0], JSON)
    return Call(name, (value, *args[1:]), STRING if name.endswith("text") else JSON)


def _date_part(_name: str, args: tuple[Expr, ...]) -> Expr:
    return cast(_overloaded(FUNCTIONS["extract"], args), FLOAT)


_FORMS: dict[str, Callable[[str, tuple[Expr, ...]], Expr]] = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "is_distinct"), _comparison),
    **dict.fromkeys(("and", "or"), _connective),
    **dict.fromkeys(("is_null", "is_true", "is_false"), _test),
    **dict.fromkeys(("coalesce", "greatest", "least"), _alike),
    **dict.fromkeys(("json_get", "json_get_text", "json_path", "json_path_text"), _json),
    **dict.fromkeys(("like", "ilike"), _like),
    **dict.fromkeys(("add", "sub"), _sum),
    "in": _in,
    "any_eq": _any_eq,
    "case": _case,
    "nullif": _nullif,
    "concat": _concat,
    "append": _append,
    "date_part": _date_part,
}
