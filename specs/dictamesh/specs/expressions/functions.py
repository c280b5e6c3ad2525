# SPDX-License-Identifier: Apache-2.0
"""The one table of operators and functions: how they are written, their types, when they fail, what they do (S5).

`forms` lists those whose types follow rules of their own; everything else is typed by its signatures. How each engine
writes a call stands in `sql_postgres` and `sql_duckdb` under the same names; SQLite runs the Python function.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.expressions import arithmetic, jsons, moments, strings
from dictamesh.specs.expressions.bounds import can_be_zero, overflows
from dictamesh.specs.expressions.casts import conversion, conversion_can_fail
from dictamesh.specs.expressions.tree import Call, Expr, Literal
from dictamesh.specs.types import Kind

Implement = Callable[[Call], Callable[..., Any]]
Fails = Callable[[Call], bool]

S, I, L, F, D, B = Kind.STRING, Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DECIMAL, Kind.BOOLEAN  # noqa: E741 - a column heading
DAY, TIME, AT, J = Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.JSON


@dataclass(frozen=True, slots=True)
class Signature:
    """Kinds of the arguments and of the result."""

    params: tuple[Kind, ...]
    result: Kind

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.params))}) → {self.result}"


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the table.

    `name` is the name of the `Call`; `written` shows the SQL; `signatures` are tried in order, the one that needs the
    fewest conversions wins; `implement` gives the Python function for a call whose arguments are not NULL (None: the
    compiler treats the call itself, see `python`); `fails` tells whether a call can fail on some row.
    """

    name: str
    written: str
    doc: str
    signatures: tuple[Signature, ...] = ()
    implement: Implement | None = None
    fails: Fails = lambda _call: False


def _by(function: Callable[..., Any]) -> Implement:
    return lambda _call: function


def _always(_call: Call) -> bool:
    return True


def _arithmetic(name: str) -> Implement:
    return lambda call: arithmetic.arithmetic(name, call.type.kind)


def _by_kind(functions: dict[Kind, Callable[..., Any]]) -> Implement:
    return lambda call: functions[call.args[0].type.kind]


def _arithmetic_fails(call: Call) -> bool:
    kind = call.type.kind
    if kind is F:
        return call.name not in {"neg", "abs"}
    if call.name in {"div", "mod"} and can_be_zero(call.args[1]):
        return True
    return kind is not D and call.name != "mod" and overflows(call)


def _negative_length(call: Call) -> bool:
    return len(call.args) == 3 and not _literal_from(call.args[2], 0)


def _literal_from(expr: Expr, low: int) -> bool:
    return isinstance(expr, Literal) and expr.value is not None and bool(expr.value >= low)


def _zero_field(call: Call) -> bool:
    return can_be_zero(call.args[2])


def _pads_too_far(call: Call) -> bool:
    size = call.args[1]
    return not (isinstance(size, Literal) and size.value is not None and size.value <= strings.MAX_TEXT_RESULT)


def _pattern_fails(call: Call) -> bool:
    return not isinstance(call.args[1], Literal)


def _negative_root(call: Call) -> bool:
    return not _literal_from(call.args[0], 0)


def _cast_fails(call: Call) -> bool:
    source = call.args[0]
    if isinstance(source, Literal):
        return False
    if source.type.kind is L and call.type.kind is I:
        return overflows(Call("add", (source, Literal(0, source.type)), call.type))
    if isinstance(source, Call) and source.name == "extract" and _literal(source, 0) != "epoch":
        return call.type.precision is not None
    return conversion_can_fail(source.type, call.type)


def _same(*kinds: Kind, count: int = 2) -> tuple[Signature, ...]:
    return tuple(Signature((kind,) * count, kind) for kind in kinds)


def _one(result: Kind, *params: tuple[Kind, ...]) -> tuple[Signature, ...]:
    return tuple(Signature(kinds, result) for kinds in params)


def _literal(call: Call, index: int) -> Any:
    arg = call.args[index]
    return arg.value if isinstance(arg, Literal) else None


def _trunc_function(call: Call) -> Callable[..., Any]:
    cut = moments.truncation(_literal(call, 0))
    return lambda _field, moment: cut(moment)


def _extract_function(call: Call) -> Callable[..., Any]:
    read = moments.extraction(_literal(call, 0))
    return lambda _field, moment: read(moment)


def _path_function(finish: Callable[[Any], Any]) -> Implement:
    def implement(call: Call) -> Callable[..., Any]:
        steps = tuple(arg.value for arg in call.args[1:] if isinstance(arg, Literal))
        return lambda value, *_steps: finish(jsons.json_path(value, steps))

    return implement


def _cast_function(call: Call) -> Callable[..., Any]:
    convert = conversion(call.args[0].type, call.type)
    if convert is None:
        raise ValueError(f"no cast from {call.args[0].type} to {call.type}")
    return convert


_ORDERED: tuple[tuple[str, str, str], ...] = (
    ("eq", "a = b", "equal"),
    ("ne", "a <> b", "not equal, also written `!=`"),
    ("lt", "a < b", "less; text by code point"),
    ("le", "a <= b", "less or equal"),
    ("gt", "a > b", "greater"),
    ("ge", "a >= b", "greater or equal"),
)

FORMS: tuple[Function, ...] = (
    *(Function(name, written, doc) for name, written, doc in _ORDERED),
    Function("and", "a AND b", "logical and, left to right: what follows a false operand is not evaluated"),
    Function("or", "a OR b", "logical or, left to right"),
    Function(
        "is_null",
        "a IS NULL",
        "whether there is no value; `IS NOT NULL` is its negation; for booleans also `IS UNKNOWN`",
    ),
    Function(
        "is_distinct",
        "a IS DISTINCT FROM b",
        "inequality that takes NULL for a value; `IS NOT DISTINCT FROM` is its negation",
    ),
    Function("is_true", "a IS TRUE", "true, where NULL gives false; `IS NOT TRUE` is its negation"),
    Function("is_false", "a IS FALSE", "false, where NULL gives false; `IS NOT FALSE` is its negation"),
    Function("in", "a IN (b, ...)", "equal to one of a list; `NOT IN` is its negation"),
    Function("any_eq", "a = ANY(list)", "equal to one element of a list: a parameter or a list column"),
    Function(
        "case",
        "CASE WHEN a THEN b ... ELSE c END",
        "the first branch whose condition is true; also `CASE x WHEN a THEN b`",
    ),
    Function("coalesce", "COALESCE(a, ...)", "the first argument that is not NULL; later ones are not evaluated"),
    Function("nullif", "NULLIF(a, b)", "NULL where a = b, else a"),
    Function("greatest", "GREATEST(a, ...)", "the greatest argument, NULLs left out"),
    Function("least", "LEAST(a, ...)", "the least argument, NULLs left out"),
    Function("concat", "concat(a, ...)", "arguments as text, NULLs left out", implement=_by(strings.concat)),
    Function(
        "cast",
        "CAST(a AS type), a::type",
        "conversion to text, integer, bigint, numeric(p,s), double precision, boolean, "
        "date, time, timestamp or jsonb; text is read in ISO 8601 only",
        implement=_cast_function,
        fails=_cast_fails,
    ),
    Function(
        "add_interval",
        "timestamp + INTERVAL '1 month'",
        "move a timestamp or date; also `-`; a constant of at most 1,000 years",
        implement=_by(moments.add_interval),
        fails=_always,
    ),
    Function(
        "json_get",
        "a -> 'key', a -> 0",
        "member or element of a JSON value; a JSON null is NULL",
        implement=_by(jsons.json_get),
    ),
    Function("json_get_text", "a ->> 'key', a ->> 0", "the same as text", implement=_by(jsons.json_get_text)),
    Function(
        "json_path", "a #> '{b,0}'", "what lies at a constant path", implement=_path_function(lambda value: value)
    ),
    Function("json_path_text", "a #>> '{b,0}'", "the same as text", implement=_path_function(jsons.scalar_text)),
)

OPERATORS: tuple[Function, ...] = (
    Function("not", "NOT a", "logical not", _one(B, (B,)), _by(lambda value: not value)),
    Function("add", "a + b", "sum", _same(I, L, D, F), _arithmetic("add"), _arithmetic_fails),
    Function("sub", "a - b", "difference", _same(I, L, D, F), _arithmetic("sub"), _arithmetic_fails),
    Function("mul", "a * b", "product", _same(I, L, D, F), _arithmetic("mul"), _arithmetic_fails),
    Function(
        "div",
        "a / b",
        "quotient; of integers it is cut towards zero",
        _same(I, L, D, F),
        _arithmetic("div"),
        _arithmetic_fails,
    ),
    Function(
        "mod", "a % b, mod(a, b)", "rest with the sign of a", _same(I, L, D), _arithmetic("mod"), _arithmetic_fails
    ),
    Function("neg", "-a", "negation", _same(I, L, D, F, count=1), _arithmetic("neg"), _arithmetic_fails),
    Function("add_days", "date + integer", "days later", _one(DAY, (DAY, I)), _by(moments.add_days), _always),
    Function("sub_days", "date - integer", "days earlier", _one(DAY, (DAY, I)), _by(moments.sub_days), _always),
    Function("days_between", "date - date", "number of days", _one(I, (DAY, DAY)), _by(moments.days_between)),
    Function("append", "a || b", "texts joined; NULL if one is", _one(S, (S, S)), _by(lambda a, b: a + b)),
    Function(
        "like",
        "a LIKE pattern",
        "`%` any text, `_` one character, `\\` escapes; at most 256 characters and 8 wildcards; "
        "`NOT LIKE`, `ILIKE` (case ignored) too",
        _one(B, (S, S)),
        _by(strings.like),
        _pattern_fails,
    ),
)

TEXT_FUNCTIONS: tuple[Function, ...] = (
    Function("lower", "lower(a)", "lower case, one code point for one", _one(S, (S,)), _by(strings.lower)),
    Function("upper", "upper(a)", "upper case, one code point for one", _one(S, (S,)), _by(strings.upper)),
    Function(
        "md5", "md5(a)", "32 hexadecimal digits of the MD5 digest of the UTF-8 text", _one(S, (S,)), _by(strings.md5)
    ),
    Function("initcap", "initcap(a)", "each word capitalised", _one(S, (S,)), _by(strings.initcap)),
    Function("length", "length(a)", "number of code points", _one(I, (S,)), _by(len)),
    Function(
        "trim",
        "trim(a), trim(BOTH b FROM a), btrim(a, b)",
        "without spaces, or characters of b, at both ends",
        _one(S, (S,), (S, S)),
        _by(strings.trim),
    ),
    Function("ltrim", "ltrim(a), ltrim(a, b)", "the same at the start", _one(S, (S,), (S, S)), _by(strings.ltrim)),
    Function("rtrim", "rtrim(a), rtrim(a, b)", "the same at the end", _one(S, (S,), (S, S)), _by(strings.rtrim)),
    Function(
        "substring",
        "substring(a FROM n FOR m), substr(a, n, m)",
        "m characters from position n, or all",
        _one(S, (S, I), (S, I, I)),
        _by(strings.substring),
        _negative_length,
    ),
    Function(
        "left", "left(a, n)", "the first n characters; negative: all but the last", _one(S, (S, I)), _by(strings.left)
    ),
    Function(
        "right",
        "right(a, n)",
        "the last n characters; negative: all but the first",
        _one(S, (S, I)),
        _by(strings.right),
    ),
    Function("replace", "replace(a, b, c)", "each b in a becomes c", _one(S, (S, S, S)), _by(strings.replace)),
    Function(
        "position",
        "position(b IN a), strpos(a, b)",
        "where b starts in a, 0 if nowhere",
        _one(I, (S, S)),
        _by(strings.position),
    ),
    Function(
        "split_part",
        "split_part(a, b, n)",
        "the n-th part between b; negative n counts from the end",
        _one(S, (S, S, I)),
        _by(strings.split_part),
        _zero_field,
    ),
    Function("starts_with", "starts_with(a, b)", "whether a starts with b", _one(B, (S, S)), _by(strings.starts_with)),
    Function(
        "lpad",
        "lpad(a, n), lpad(a, n, b)",
        "filled or cut to n characters, on the left",
        _one(S, (S, I), (S, I, S)),
        _by(strings.lpad),
        _pads_too_far,
    ),
    Function(
        "rpad",
        "rpad(a, n), rpad(a, n, b)",
        "filled or cut to n characters, on the right",
        _one(S, (S, I), (S, I, S)),
        _by(strings.rpad),
        _pads_too_far,
    ),
    Function(
        "repeat",
        "repeat(a, n)",
        f"a n times, at most {strings.MAX_TEXT_RESULT:,} characters",
        _one(S, (S, I)),
        _by(strings.repeat),
        _always,
    ),
    Function("reverse", "reverse(a)", "code points in reverse", _one(S, (S,)), _by(strings.reverse)),
)

NUMBER_FUNCTIONS: tuple[Function, ...] = (
    Function("abs", "abs(a)", "absolute value", _same(I, L, D, F, count=1), _arithmetic("abs"), _arithmetic_fails),
    Function(
        "round",
        "round(a), round(numeric, n)",
        "nearest; numeric half away from zero, float half to even",
        (Signature((F,), F), Signature((D,), D), Signature((D, I), D)),
        lambda call: arithmetic.float_round if call.type.kind is F else _digits(call, arithmetic.decimal_round),
    ),
    Function(
        "trunc",
        "trunc(a), trunc(numeric, n)",
        "cut towards zero",
        (Signature((F,), F), Signature((D,), D), Signature((D, I), D)),
        lambda call: arithmetic.float_trunc if call.type.kind is F else _digits(call, arithmetic.decimal_trunc),
    ),
    Function(
        "ceil",
        "ceil(a)",
        "least integer not below a",
        _same(F, D, count=1),
        _by_kind({F: arithmetic.float_ceil, D: arithmetic.decimal_ceil}),
    ),
    Function(
        "floor",
        "floor(a)",
        "greatest integer not above a",
        _same(F, D, count=1),
        _by_kind({F: arithmetic.float_floor, D: arithmetic.decimal_floor}),
    ),
    Function(
        "sign",
        "sign(a)",
        "-1, 0 or 1",
        _same(F, D, count=1),
        _by_kind({F: arithmetic.float_sign, D: arithmetic.decimal_sign}),
    ),
    Function(
        "sqrt",
        "sqrt(a)",
        "square root",
        _same(F, D, count=1),
        _by_kind({F: arithmetic.float_sqrt, D: arithmetic.decimal_sqrt}),
        _negative_root,
    ),
    Function(
        "power",
        "power(a, b)",
        "a to the power of b, as float; cast a numeric first",
        _same(F),
        _by(arithmetic.float_power),
        _always,
    ),
)

DATE_FUNCTIONS: tuple[Function, ...] = (
    Function(
        "date_trunc",
        "date_trunc('month', a)",
        "start of the " + ", ".join(moments.TRUNC_FIELDS),
        _one(AT, (S, AT)),
        _trunc_function,
    ),
    Function(
        "extract",
        "EXTRACT(year FROM a), date_part('year', a)",
        "one of " + ", ".join(moments.EXTRACT_FIELDS) + "; `date_part` gives a float",
        _one(D, (S, AT), (S, DAY), (S, TIME)),
        _extract_function,
    ),
    Function(
        "make_date",
        "make_date(y, m, d)",
        "a date from its parts",
        _one(DAY, (I, I, I)),
        _by(moments.make_date),
        _always,
    ),
)

JSON_FUNCTIONS: tuple[Function, ...] = (
    Function(
        "json_typeof",
        "json_typeof(a), jsonb_typeof(a)",
        "object, array, string, number or boolean",
        _one(S, (J,)),
        _by(jsons.json_kind),
    ),
    Function(
        "json_array_length",
        "json_array_length(a), jsonb_array_length(a)",
        "number of elements",
        _one(I, (J,)),
        _by(jsons.json_length),
        _always,
    ),
)


def _digits(call: Call, function: Callable[..., Any]) -> Callable[..., Any]:
    return function if len(call.args) == 2 else lambda value: function(value, 0)


def _index(rows: Iterable[Function]) -> dict[str, Function]:
    return {row.name: row for row in rows}


FUNCTIONS: dict[str, Function] = _index(
    (*FORMS, *OPERATORS, *TEXT_FUNCTIONS, *NUMBER_FUNCTIONS, *DATE_FUNCTIONS, *JSON_FUNCTIONS)
)

# Other spellings of the names in the table; the checker treats those with a grammar of their own.
ALIASES: dict[str, str] = {
    "substr": "substring",
    "btrim": "trim",
    "strpos": "position",
    "char_length": "length",
    "character_length": "length",
    "ceiling": "ceil",
    "pow": "power",
    "json_typeof": "json_typeof",
    "jsonb_typeof": "json_typeof",
    "jsonb_array_length": "json_array_length",
}
CALLABLE: frozenset[str] = frozenset(
    {row.name for row in (*TEXT_FUNCTIONS, *NUMBER_FUNCTIONS, *DATE_FUNCTIONS, *JSON_FUNCTIONS)}
    | {"coalesce", "nullif", "greatest", "least", "concat", "mod", "date_part", "now"}
    | set(ALIASES)
) - {"extract"}


def can_fail(expr: Expr) -> bool:
    """Return whether `expr` can fail on some row; may say yes where no row does, never no where one does."""
    if not isinstance(expr, Call):
        return False
    return FUNCTIONS[expr.name].fails(expr) or any(can_fail(arg) for arg in expr.args)
