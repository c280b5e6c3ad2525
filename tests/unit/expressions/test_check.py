# SPDX-License-Identifier: Apache-2.0
"""What an expression may say, and how its faults are told."""

import logging

import pytest

from dictamesh.specs.expressions import Call, Column, Expr, Literal, Parameter, Problem, Problems, Scope, check, text
from dictamesh.specs.types import BOOLEAN, DATE, DECIMAL, INT, LONG, STRING, TIMESTAMP, Kind, Type
from tests.unit.expressions.scope import SCOPE


def problems(source: str, wanted: Type | None = None) -> list[Problem]:
    with pytest.raises(Problems) as raised:
        check(source, SCOPE, wanted)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("id", '"id"'),
        ('"Group"', '"Group"'),
        ("Straße", '"Straße"'),
        ('"a b" + 1', '("a b" + 1)'),
        ("self.total", '("price" / "price")'),
        ("customer.storeId", '"customer"."storeId"'),
        ("request.purpose", ":request.purpose"),
        ("due_on < CURRENT_DATE", '("due_on" < :today)'),
        ("at < now()", '("at" < :now)'),
        ("name = ANY(principal.countries)", '("name" = ANY(:principal.countries))'),
        ("id + big", '(CAST("id" AS long) + "big")'),
        ("id / 100.0", "(CAST(\"id\" AS decimal) / '100.0'::decimal)"),
        ("due_on = '2024-02-29'", "(\"due_on\" = '2024-02-29'::date)"),
        ("at >= due_on", '("at" >= CAST("due_on" AS timestamp))'),
        ("id NOT IN (1, 2)", '(NOT ("id" IN (1, 2)))'),
        ("id IS NOT NULL", '(NOT ("id" IS NULL))'),
        ("id BETWEEN 1 AND 2", '(("id" >= 1) AND ("id" <= 2))'),
        ("a AND b OR c", '(("paid" AND "paid") OR "paid")'),
        ("CASE id WHEN 1 THEN 'x' ELSE name END", 'CASE WHEN ("id" = 1) THEN \'x\' ELSE "name" END'),
        ("data -> 'a' ->> 0", "((\"data\" -> 'a') ->> 0)"),
        ("at + INTERVAL '1 month'", "add_interval(\"at\", 1, 0, '0'::long)"),
        ("date_part('year', at)", "CAST(extract('year', \"at\") AS float)"),
        ("name ILIKE 'A%' /* why */", "(lower(\"name\") LIKE 'a%')"),
        ("-id % 5 -- why", '((- "id") % 5)'),
        ("id::text || '!'", "(CAST(\"id\" AS string) || '!')"),
    ],
)
def test_texts_become_trees(source: str, canonical: str) -> None:
    if source.startswith("a AND"):
        source = "paid AND paid OR paid"
    assert text(check(source, SCOPE)) == canonical


def test_trees_are_values() -> None:
    assert check("id+1", SCOPE) == check("( id + 1 ) -- the same", SCOPE)
    assert hash(check("id+1", SCOPE)) == hash(check("id + 1", SCOPE))
    assert check("id", SCOPE) == Column(("id",), INT)
    assert check("NULL", SCOPE, DATE) == Literal(None, DATE)
    assert check("principal.countries", SCOPE) == Parameter("principal.countries", Type(Kind.ARRAY, item=STRING))


@pytest.mark.parametrize(
    ("source", "kind", "marked", "hint"),
    [
        ("", "syntax", "", None),
        ("id +", "syntax", "+", None),
        ("'abc", "syntax", "'abc", None),
        ("id, big", "syntax", ",", None),
        ("nam || 'x'", "unknown-name", "nam", "did you mean 'name'?"),
        ("NAME = 'x'", "unknown-name", "NAME", "did you mean 'name'?"),
        ("group = 'x'", "unknown-name", "group", "did you mean 'Group'?"),
        ("self.totel", "unknown-name", "totel", "did you mean 'total'?"),
        ("princpal.countries = tags", "unknown-name", "princpal", "did you mean 'principal'?"),
        ("principal.country = name", "unknown-name", "country", "did you mean 'countries'?"),
        ("custmer.storeId = 'x'", "unknown-name", "custmer", "did you mean 'customer'?"),
        ("customer.storeID = 'x'", "unknown-name", "storeID", "did you mean 'storeId'?"),
        ("lowr(name)", "unknown-function", "lowr", "did you mean 'lower'?"),
        ("id + name", "type", "id + name", None),
        ("name = 1", "type", "name = 1", None),
        ("id = 'x'", "type", "id = 'x'", None),
        ("due_on > 'tomorrow'", "type", "due_on > 'tomorrow'", "write a date as 'YYYY-MM-DD'"),
        ("at - at", "type", "at - at", None),
        ("paid AND name", "type", "paid AND name", None),
        ("round(ratio, 2)", "type", "round(ratio, 2)", None),
        ("data = data", "type", "data = data", None),
        ("name LIKE '%%%%%%%%%'", "type", "name LIKE '%%%%%%%%%'", None),
        ("name LIKE 'x\\'", "type", "name LIKE 'x\\'", None),
        ("EXTRACT(yeer FROM at)", "type", "EXTRACT(yeer FROM at)", "did you mean 'year'?"),
        ("EXTRACT(hour FROM due_on)", "type", "EXTRACT(hour FROM due_on)", None),
        ("data->>'n'::int", "not-allowed", "'n'", None),
        ("(SELECT 1)", "not-allowed", "SELECT", None),
        ("id IN (SELECT 1)", "not-allowed", "SELECT", None),
        ("count(id)", "not-allowed", "count", None),
        ("count(id) OVER ()", "not-allowed", "OVER", None),
        ("id; id", "not-allowed", ";", None),
        ("$1", "not-allowed", "1", None),
        ("name ~ 'x'", "not-allowed", "name ~ 'x'", None),
        ('name COLLATE "C"', "not-allowed", 'name COLLATE "C"', None),
        ("E'x'", "not-allowed", "E'x'", None),
        ("id::geometry", "not-allowed", "id", None),
        ("pg_catalog.lower(name)", "not-allowed", "pg_catalog.lower(name)", None),
        ("tags[1]", "not-allowed", "tags", None),
        ("INTERVAL '1 day'", "not-allowed", "INTERVAL '1 day'", None),
        ("pg_sleep(1)", "unknown-function", "pg_sleep", None),
    ],
)
def test_faults_have_a_place_and_a_cure(source: str, kind: str, marked: str, hint: str | None) -> None:
    (problem,) = problems(source)

    assert (problem.kind, source[problem.start : problem.end]) == (kind, marked)
    assert hint is None or problem.hint == hint


def test_all_faults_are_told_in_order() -> None:
    found = problems("lowr(name) || nope || CAST(id AS geometry)")
    assert [problem.kind for problem in found] == ["unknown-function", "unknown-name", "not-allowed"]


@pytest.mark.parametrize(
    "source",
    ["id = big < big", "paid = NOT paid", "data -> 'a' || 'x' -> 'b'", "'x' || data -> 'a'", "id = 1 = paid"],
)
def test_a_text_that_sqlglot_binds_otherwise_than_postgresql_is_refused(source: str) -> None:
    assert problems(source)


def test_a_cast_after_an_arrow_shows_the_cure() -> None:
    (problem,) = problems("data->>'n'::int")
    assert problem.hint == "the cast binds to the key; write (data->>'n') before ::"


@pytest.mark.parametrize(
    ("source", "wanted", "gives"),
    [
        ("id", LONG, LONG),
        ("id / 3.0", Type(Kind.DECIMAL, 12, 2), Type(Kind.DECIMAL, 12, 2)),
        ("'2024-01-01'", DATE, DATE),
        ("at", DATE, DATE),
        ("big", INT, INT),
        ("due_on", TIMESTAMP, TIMESTAMP),
    ],
)
def test_a_result_is_converted_to_the_wanted_type(source: str, wanted: Type, gives: Type) -> None:
    assert check(source, SCOPE, wanted).type == gives


@pytest.mark.parametrize(("source", "wanted"), [("id", BOOLEAN), ("id", STRING), ("name", INT), ("data", STRING)])
def test_a_result_of_another_kind_is_a_fault(source: str, wanted: Type) -> None:
    (problem,) = problems(source, wanted)
    assert (problem.kind, problem.start, problem.end) == ("type", 0, len(source))


NESTED = [("(", ")"), ("lower(", ")"), ("CASE WHEN paid THEN ", " END"), ("coalesce(name, ", ")"), ("trim(", ")")]


@pytest.mark.parametrize(("opening", "closing"), NESTED)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    assert check(opening * 50 + "name" + closing * 50, SCOPE).type == STRING
    (problem,) = problems(opening * 51 + "name" + closing * 51)
    assert problem.kind == "too-large"


@pytest.mark.parametrize(
    "source",
    [
        "(" * 3000 + "id" + ")" * 3000,
        "(" * 2000,
        "not " * 1000 + "paid",
        "-" * 2,
        "- " * 1500 + "id",
        "[" * 4000,
        "CASE " * 800,
        "id" + "::int" * 800,
        "id" + " + id" * 800,
        "name" + " || name" * 500,
        "data" + " -> 'a'" * 500,
        "'" * 4001,
        "x" * 5000,
        '"' * 4000,
        "/*" * 2000,
        "$$" * 2000,
        "id IN (" + "1," * 2000,
        "\x00",
        "\ud800",
        "{" * 3000,
        "a" + ".a" * 2000,
    ],
)
def test_attacks_end_in_a_problem(source: str) -> None:
    assert all(problem.kind in {"too-large", "syntax", "not-allowed", "unknown-name"} for problem in problems(source))


def test_a_long_chain_of_conditions_is_no_nesting() -> None:
    chain = check(" AND ".join(["id = 1"] * 300), SCOPE)
    assert isinstance(chain, Call)
    assert len(chain.args) == 300


def test_fields_that_double_each_other_are_refused() -> None:
    grown: Expr = Column(("name",), STRING)
    for _ in range(40):
        grown = Call("append", (grown, grown), STRING)
    with pytest.raises(Problems) as raised:
        check("lower(self.grown)", Scope(groups={"self": {"grown": grown}}))
    assert raised.value.problems[0].kind == "too-large"


def test_no_text_of_the_user_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for source in (
        "IF secret THEN 1 END",
        "COPY secret FROM x",
        "SHOW secret",
        "CREATE secret",
        "secret(",
        "EXEC secret",
    ):
        problems(source)
    assert "secret" not in caplog.text


def test_the_type_of_a_constant_is_postgresqls() -> None:
    assert check("2147483647", SCOPE).type == INT
    assert check("2147483648", SCOPE).type == LONG
    assert check("9223372036854775808", SCOPE).type == DECIMAL
    assert check("1e3", SCOPE).type == DECIMAL
