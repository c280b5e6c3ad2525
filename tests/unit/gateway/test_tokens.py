# SPDX-License-Identifier: Apache-2.0
"""The scan before any parser (S10)."""

import pytest
from graphql import GraphQLSyntaxError, Lexer, Source, TokenKind
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.runtime.gateway.tokens import NESTING, scan


def lexed(text: str) -> int:
    """Tokens by graphql-core's lexer, up to its first error."""
    lexer, count = Lexer(Source(text)), 0
    try:
        while lexer.advance().kind is not TokenKind.EOF:
            count += 1
    except GraphQLSyntaxError:
        pass
    return count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{ a }",
        'query Q($a: Int = -1.5e3, $b: [String!]! = ["x\\"}{", """block " \\""" {{{ """]) @d { ...F a: b(c: {d: $a}) }',
        "# a comment with { and }\n{ a # another }\n}",
        '{ a(b: """\n"quoted" \\""" still inside {{{{\n""") }',
        '{ a(b: "") c(d: """""") }',
        "\ufeff{ a,,,, b }",
        "{ ... on T { a } ...F & | ! $ }",
    ],
)
def test_it_counts_what_the_lexer_of_graphql_core_counts(text):
    assert scan(text, 2000) == lexed(text)


@given(st.text(alphabet='{}[]()"\\# \n.-01eEab$!:…\ufeff', max_size=60))
def test_it_never_counts_less_than_a_lexer_sees(text):
    assert scan(text, 2000) >= lexed(text)


def test_too_many_tokens():
    assert scan("{" + " a" * 1998 + "}", 2000) == 2000
    with pytest.raises(GatewayError) as caught:
        scan("{" + " a" * 1999 + "}", 2000)
    assert caught.value.code == "LIMIT_EXCEEDED"
    assert "2000 tokens" in caught.value.message


@pytest.mark.parametrize(("opened", "closed"), ["{}", "[]", "()"])
def test_nesting(opened, closed):
    assert scan(opened * NESTING + closed * NESTING, 2000) == 2 * NESTING
    with pytest.raises(GatewayError, match="deeper than 64"):
        scan(opened * (NESTING + 1), 2000)


def test_strings_and_comments_do_not_nest():
    assert scan('{ a(b: "' + "{" * 1000 + '") } #' + "{" * 1000, 2000) == 8
    assert scan('{ a(b: """' + "{" * 1000 + '""") }', 2000) == 8


def test_a_hundred_thousand_braces_end_at_the_sixty_fifth():
    with pytest.raises(GatewayError):
        scan("{" * 100_000, 2000)


@pytest.mark.parametrize("text", ['"' * 100_000, '"""' + "\\" * 99_000, "#" * 100_000, "\\" * 1999, '"""' * 1999])
def test_unterminated_texts_are_scanned_to_their_end(text):
    assert scan(text, 100_000) >= 1 or text.startswith("#")
