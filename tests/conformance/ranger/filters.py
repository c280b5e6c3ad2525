# SPDX-License-Identifier: Apache-2.0
"""Ranger's row filters as `rows` of ours: the SQL is carried, its columns under our names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, product
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dictamesh.runtime.governance.conditions import condition
from dictamesh.specs.expressions import Problems, Scope, check
from dictamesh.specs.expressions.tree import Column, Expr
from dictamesh.specs.resolve.matching import glob
from dictamesh.specs.types import BOOLEAN, LONG, STRING
from tests.conformance.ranger.drafts import Doc, Draft, Origin
from tests.conformance.ranger.model import FILTER, Item, Level, Policy, Reason, Tag, Unsaid
from tests.conformance.ranger.names import word, written
from tests.conformance.ranger.places import SELF, Place
from tests.conformance.ranger.selectors import Match
from tests.conformance.ranger.speech import Words, all_of, opposite, words

COLUMN = Level("column", path=False)
TYPES = {"string": STRING, "integer": LONG}
USER = re.compile(r"'\$\{\{USER\.(\w+)\}\}'")
"""An attribute of the user, as a text."""

PRINCIPAL = re.compile(r"principal\.\w+")
SAMPLES = 4000
"""Rows on which two filters are compared at most."""


def row_rules(
    policy: Policy, name: str, match: Match, places: Iterable[Place], whole: Words, during: list[str], draft: Draft,
    tag: Tag | None = None,
) -> None:  # fmt: skip
    """Add the row rules of a policy to the entities of its places."""
    entities = sorted({address(place) for place in places if place.field == SELF})
    if not entities:
        return
    plain = "products" in match and "tags" not in match and "except" not in match
    chosen = {key: match[key] for key in ("products", "entities")} if plain else {"entities": entities}
    if plain:
        entities = sorted({address(place) for place in draft.known if _within(chosen, place)})
    conditions = [each for each in whole.where if each != "TRUE"]
    told = [(item, each) for item in policy.gives for each in words(item, draft.said, tag)]
    origin = Origin(policy.id, FILTER)
    if conditions or any(each.where for _, each in told):
        entries = [_cases(told, conditions, entities, draft, name)] if told else []
    else:
        entries = []
        for number, (item, each) in enumerate(told):
            entry = f"filter-{number}"
            origin.items[entry] = item
            entries.append({"name": entry, **_whom(each), "keep": _keep(item, entities, draft, (name, entry))})
    draft.policy(name, chosen, origin, rows=[{**entry, **_during(during)} for entry in entries])


def address(place: Place) -> str:
    return f"{place.product}#{place.entity}"


def _within(match: Match, place: Place) -> bool:
    """Whether globs of products and entities match the entity of a place, of which not the whole may be asked for."""
    keys = (("products", place.product), ("entities", place.entity))
    return all(any(glob(each)(name) for each in match[key]) for key, name in keys)


def _whom(who: Words) -> Doc:
    given = {"roles": who.roles, "purposes": who.purposes}
    return {key: list(value) for key, value in given.items() if value is not None}


def _during(agreements: list[str]) -> Doc:
    return {"agreements": agreements} if agreements else {}


def _keep(item: Item, entities: list[str], draft: Draft, rule: tuple[str, str]) -> str:
    try:
        return carried(item.filter or "", entities, draft)
    except Unsaid as reason:
        draft.unsaid[rule] = str(reason)
        return "none"


def _cases(
    told: list[tuple[Item, Words]], conditions: list[str], entities: list[str], draft: Draft, name: str
) -> Doc:  # fmt: skip
    """Several entries as one, in their order: an entry that speaks to its audience cannot pass the word on by row."""
    cases = [f"WHEN {opposite(all_of(conditions))} THEN TRUE"] if conditions else []
    for item, each in told:
        keep = _keep(item, entities, draft, (name, "filter"))
        cases.append(f"WHEN {each.sql} THEN {'FALSE' if keep == 'none' else keep}")
    return {"name": "filter", "keep": f"CASE {' '.join(cases)} ELSE TRUE END"}


def carried(text: str, entities: Iterable[str], draft: Draft) -> str:
    """A filter under our names, whose columns the entities then have; raises Unsaid where ours cannot say it."""
    if not text.strip():
        return "TRUE"
    sql, columns = renamed(text)
    for entity in entities:
        known = draft.columns.setdefault(entity, {})
        if any(known.get(name, kind) != kind for name, kind in columns.items()):
            raise Unsaid(Reason.FILTER)
        known.update(columns)
    return sql


@lru_cache(maxsize=256)
def renamed(text: str) -> tuple[str, dict[str, str]]:
    """The filter with our names, and the type of each column that it reads."""
    text = USER.sub(r"principal.\1", text)
    if "${{" in text:
        raise Unsaid(Reason.FILTER_EXPRESSION)
    try:
        tree = sqlglot.parse_one(text, read="hive")
    except SqlglotError:
        raise Unsaid(Reason.FILTER) from None
    columns: dict[str, str] = {}
    for node in tree.find_all(exp.Column):
        if node.table == "principal" and node.name:
            claim = "user" if node.name == "_name" else f"attribute_{node.name}"
            node.set("this", exp.to_identifier(claim))
            continue
        if node.table:
            raise Unsaid(Reason.FILTER)
        name = f"{word(COLUMN.name)}_{written(node.name, COLUMN)}"
        number = any(isinstance(each, exp.Literal) and not each.is_string for each in _beside(node))
        kind = "integer" if number else "string"
        if columns.setdefault(name, kind) != kind:
            raise Unsaid(Reason.FILTER)
        node.set("this", exp.to_identifier(name, quoted=True))
    sql = tree.sql(dialect="postgres")
    parsed(sql, tuple(columns.items()))
    return sql, columns


def _beside(node: exp.Expression) -> Iterator[Any]:
    if isinstance(node.parent, exp.Predicate):
        for value in node.parent.args.values():
            yield from value if isinstance(value, list) else [value]


@lru_cache(maxsize=256)
def parsed(sql: str, columns: tuple[tuple[str, str], ...]) -> Expr:
    """The filter as a tree of ours; raises Unsaid where it is none."""
    names = {name: Column((name,), TYPES[kind]) for name, kind in columns}
    try:
        return check(sql, Scope(names=names, parameters=dict.fromkeys(PRINCIPAL.findall(sql), STRING)), BOOLEAN)
    except Problems:
        raise Unsaid(Reason.FILTER) from None


def same(ours: Expr | bool, expected: Iterable[str], parameters: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a row filter keeps the rows that one of the expected filters keeps; without any it keeps all.

    Compared on rows like `base` with every combination of the literals they name, values beside these and NULL.
    """
    told = [renamed(text) for text in expected]
    columns = {name: kind for _, found in told for name, kind in found.items()}
    theirs = [condition(parsed(sql, tuple(found.items()))) for sql, found in told]
    keep = condition(ours) if not isinstance(ours, bool) else lambda _row, _parameters: ours
    samples = product(*(_values(told, kind) for kind in columns.values()))
    rows = ({**base, **dict(zip(columns, values, strict=True))} for values in samples)
    return all(
        keep(row, parameters) == (not theirs or any(each(row, parameters) for each in theirs))
        for row in islice(rows, SAMPLES)
    )


def _values(told: list[tuple[str, dict[str, str]]], kind: str) -> list[Any]:
    literals = {each.this for sql, _ in told for each in sqlglot.parse_one(sql, read="postgres").find_all(exp.Literal)}
    if kind == "integer":
        numbers = {int(each) for each in literals if each.lstrip("-").isdigit()}
        return [None, *sorted({near for each in numbers for near in (each - 1, each, each + 1)})]
    return [None, "", *sorted(literals), *sorted(f"{each}~" for each in literals)]
