# SPDX-License-Identifier: Apache-2.0
"""Counts tokens and nesting of a query text before any parser sees it (S10).

Parsers recurse: 100,000 open braces end one with an exception and the other with a signal. The scan is linear and
stops at the first excess.
"""

import re

from dictamesh.runtime.gateway.errors import GatewayError

NESTING = 64
"""How deep braces, brackets and parentheses may nest; below the depth of any recursion here."""

_IGNORED = re.compile(r"(?:[\t\n\r ,\ufeff]+|#[^\n\r]*)+")
_TOKEN = re.compile(
    r'"""'
    r'|"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"?'
    r"|[A-Za-z_][A-Za-z0-9_]*"
    r"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    r"|\.\.\."
    r"|.",
    re.DOTALL,
)
_OPEN = frozenset("{[(")
_CLOSE = frozenset("}])")


def scan(text: str, tokens: int) -> int:
    """Return the number of tokens; raises GatewayError LIMIT_EXCEEDED beyond `tokens` or `NESTING`.

    A text that is not GraphQL is counted all the same: what a parser would see is never more than what is counted here.
    """
    count = nesting = at = 0
    end = len(text)
    while True:
        if ignored := _IGNORED.match(text, at):
            at = ignored.end()
        found = _TOKEN.match(text, at) if at < end else None
        if found is None:
            return count
        count += 1
        if count > tokens:
            raise GatewayError("LIMIT_EXCEEDED", f"The query has more than {tokens} tokens.")
        token = found[0]
        at = _end_of_block(text, found.end()) if token == '"""' else found.end()  # noqa: S105 - a token of GraphQL
        if token in _OPEN:
            nesting += 1
            if nesting > NESTING:
                raise GatewayError("LIMIT_EXCEEDED", f"The query nests braces or brackets deeper than {NESTING}.")
        elif token in _CLOSE:
            nesting -= 1


def _end_of_block(text: str, at: int) -> int:
    while (close := text.find('"""', at)) > 0 and text[close - 1] == "\\":
        at = close + 3
    return len(text) if close < 0 else close + 3
