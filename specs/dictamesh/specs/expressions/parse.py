# SPDX-License-Identifier: Apache-2.0
"""From text to the tree of sqlglot, guarded before and checked after (S5).

Before: size and nesting are measured on tokens, because the parser recurses. After: sqlglot binds some operators
otherwise than PostgreSQL does, so a tree that PostgreSQL could not have built from the same text is refused.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import Token, TokenType

from dictamesh.specs.expressions.problems import Problem, ProblemKind, Problems

MAX_TEXT = 4096
MAX_NESTING = 50
MAX_DEPTH = 120

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_PREFIX = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE})
_REFUSED = {
    TokenType.SELECT: "a sub-select",
    TokenType.WITH: "a sub-select",
    TokenType.VALUES: "a sub-select",
    TokenType.OVER: "a window",
    TokenType.FILTER: "a filtered aggregate",
    TokenType.SEMICOLON: "a second statement",
    TokenType.COMMAND: "a command",
    TokenType.SHOW: "a command",
    TokenType.EXECUTE: "a command",
    TokenType.DCOLONQMARK: "?::",
}
_PARSER_FRAMES = 6000
_recursion = Lock()


def _json_operator(kind: type[exp.Expr]) -> Callable[..., exp.Expr]:
    return lambda _parser, this, key: kind(this=this, expression=key)


class _Dialect(Postgres):
    """PostgreSQL without sqlglot's own functions: a call stays a name and its arguments."""

    class Parser(PostgresParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parser
            for name, parser in PostgresParser.FUNCTION_PARSERS.items()
            if name in {"CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM"}
        }
        # IF would make a command of the whole text, and log it.
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parser for name, parser in PostgresParser.NO_PAREN_FUNCTION_PARSERS.items() if name in {"ANY", "CASE"}
        }
        LAMBDAS: ClassVar[dict[Any, Any]] = {}  # f(a -> 'b') is JSON access
        # A key is a key: PostgreSQL reads no JSONPath behind -> and ->>.
        JSON_OPERATORS: ClassVar[dict[Any, Any]] = {
            TokenType.ARROW: _json_operator(exp.JSONExtract),
            TokenType.DARROW: _json_operator(exp.JSONExtractScalar),
            TokenType.HASH_ARROW: _json_operator(exp.JSONBExtract),
            TokenType.DHASH_ARROW: _json_operator(exp.JSONBExtractScalar),
        }


@lru_cache(maxsize=256)  # a condition of a policy is read anew for each entity that it meets
def parse(text: str) -> exp.Expr:
    """Parse one scalar expression, to be read only; raises `Problems` (`syntax`, `too-large`, `not-allowed`)."""
    if len(text) > MAX_TEXT:
        raise _fault("too-large", f"the expression has {len(text)} characters, {MAX_TEXT} are allowed", 0, len(text))
    try:
        tokens = _Dialect().tokenize(text)
    except TokenError:
        raise _fault("syntax", "a quotation mark or a comment is not closed", 0, len(text)) from None
    _guard(text, tokens)
    with deep_recursion():
        try:
            trees = _Dialect().parser().parse_into(exp.Condition, tokens, text)
        except ParseError as error:
            raise _syntax(text, error) from None
        except RecursionError:
            raise _fault("too-large", "the expression is nested too deeply", 0, len(text)) from None
    tree = trees[0] if len(trees) == 1 else None
    if tree is None:
        raise _fault("syntax", "one expression is expected", 0, len(text))
    _measure(text, tree)
    _precedence(text, tree)
    return tree


def span(text: str, node: exp.Expr) -> tuple[int, int]:
    """Return the character offsets that `node` covers in `text`, as far as sqlglot kept them."""
    places = [(part.meta["start"], part.meta["end"] + 1) for part in node.walk() if "start" in part.meta]
    if not places:
        return 0, len(text)
    start, end = min(start for start, _ in places), max(end for _, end in places)
    return start, _closed(text, start, end)


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def _closed(text: str, start: int, end: int) -> int:
    """Move `end` past the parentheses that are open at it: sqlglot keeps no place for them."""
    inside = _QUOTED.sub("", text[start:end])
    for _ in range(inside.count("(") - inside.count(")")):
        rest = text[end:].lstrip()
        if not rest.startswith(")"):
            break
        end = len(text) - len(rest) + 1
    return end


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Let sqlglot recurse as deep as the permitted nesting needs: about 40 frames a level."""
    with _recursion:
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, _PARSER_FRAMES))
        try:
            yield
        finally:
            sys.setrecursionlimit(before)


def _fault(kind: ProblemKind, message: str, start: int, end: int, hint: str | None = None) -> Problems:
    return Problems((Problem(kind, message, start, end, hint),))


def _guard(text: str, tokens: list[Token]) -> None:
    if not tokens:
        raise _fault("syntax", "the expression is empty", 0, len(text))
    depth = run = 0
    for token in tokens:
        kind = token.token_type
        if kind in _REFUSED:
            raise _fault("not-allowed", f"{_REFUSED[kind]} is not allowed in an expression", token.start, token.end + 1)
        depth += (kind in _OPENING) - (kind in _CLOSING)
        run = run + 1 if kind in _PREFIX else 0
        if depth + run > MAX_NESTING:
            message = f"the expression is nested more than {MAX_NESTING} deep"
            raise _fault("too-large", message, token.start, token.end + 1)


def _syntax(text: str, error: ParseError) -> Problems:
    first = error.errors[0] if error.errors else {}
    word = first.get("highlight") or ""
    line, column = first.get("line") or 1, first.get("col") or 0
    lines = text.splitlines(keepends=True)
    end = min(len(text), sum(len(part) for part in lines[: line - 1]) + column)
    start = max(0, end - max(1, len(word)))
    if not word or not text[end:].strip():
        return _fault("syntax", "this is not a complete SQL expression", start, end)
    return _fault("syntax", f"unexpected {word!r}", start, end)


def _measure(text: str, tree: exp.Expr) -> None:
    """Refuse a tree deeper than what every later phase can walk; chains of AND and OR count once."""
    level: list[exp.Expr] = [tree]
    for _ in range(MAX_DEPTH):
        below: list[exp.Expr] = []
        for node in level:
            below.extend(operands(node) if isinstance(node, exp.And | exp.Or) else node.iter_expressions())
        if not below:
            return
        level = below
    raise _fault("too-large", f"the expression has a chain of more than {MAX_DEPTH} operators", *span(text, tree))


def operands(chain: exp.Expr) -> list[exp.Expr]:
    """Return the operands of a chain of one connective, from left to right."""
    found: list[exp.Expr] = []
    waiting = [chain]
    while waiting:
        node = waiting.pop()
        if type(node) is type(chain):
            waiting += [node.expression, node.this]
        else:
            found.append(node)
    return found


# PostgreSQL manual, 4.1.6: the higher binds tighter. A cast (::) binds tightest, in sqlglot too.
_BINDS: dict[type[exp.Expr], int] = {
    exp.Or: 1,
    exp.And: 2,
    exp.Not: 3,
    exp.Is: 4,
    exp.NullSafeEQ: 4,
    exp.NullSafeNEQ: 4,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), 5),
    **dict.fromkeys((exp.Between, exp.In, exp.Like, exp.ILike), 6),
    **dict.fromkeys((exp.DPipe, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar), 7),
    **dict.fromkeys((exp.Add, exp.Sub), 8),
    **dict.fromkeys((exp.Mul, exp.Div, exp.Mod), 9),
    exp.Neg: 11,
}
_NOT_ASSOCIATIVE = frozenset({4, 5, 6})


def _precedence(text: str, tree: exp.Expr) -> None:
    problems = [problem for node in tree.walk() for problem in _misbound(text, node)]
    if problems:
        raise Problems(tuple(problems))


def _misbound(text: str, node: exp.Expr) -> Iterator[Problem]:
    mine = _rank(node)
    if mine is None:
        return
    for child in (node.this, node.args.get("expression"), node.args.get("low"), node.args.get("high")):
        if isinstance(child, exp.Expr):
            theirs = _rank(child)
            if theirs is not None and _reads_otherwise(node, child, mine, theirs):
                yield _ambiguous(text, child)


def _rank(node: exp.Expr) -> int | None:
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Is | exp.In | exp.Between | exp.Like | exp.ILike):
        return None  # written either way (NOT a IN b, a NOT IN b), both mean this tree
    return _BINDS.get(type(node))


def _reads_otherwise(node: exp.Expr, child: exp.Expr, mine: int, theirs: int) -> bool:
    if theirs != mine:
        return theirs < mine
    if isinstance(node, exp.Not | exp.Neg):
        return False
    return mine in _NOT_ASSOCIATIVE or (child is not node.this and mine > 2)


def _ambiguous(text: str, child: exp.Expr) -> Problem:
    start, end = span(text, child)
    return Problem("syntax", "this part needs parentheses", start, end, f"write ({text[start:end]})")
