# SPDX-License-Identifier: Apache-2.0
"""Quality rules of type `sql`: a query for a source that knows SQL, a condition on its fields for any other."""

import re
from dataclasses import replace

from dictamesh.specs.expressions import Problems, Scope, check
from dictamesh.specs.expressions.tree import Column, Expr
from dictamesh.specs.quality import Check, QualityRule
from dictamesh.specs.resolve.quality_rules import Ground, NotRun, Place, bound_of, percent_of
from dictamesh.specs.types import BOOLEAN, Kind

_QUERY = re.compile(r"\s*(SELECT|WITH|VALUES)\b|\s*\(\s*(SELECT|WITH)\b", re.IGNORECASE)
_COUNTED = re.compile(
    r"\s*SELECT\s+COUNT\s*\(\s*\*\s*\)\s+FROM\s+(?P<object>\S+?)(\s+WHERE\s+(?P<where>.+))?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_OBJECT = re.compile(r"\$?\{(object|table|model)\}\Z")
_PROPERTY = re.compile(r"\$?\{(property|column|field)\}")


def sql(made: QualityRule, place: Place, entity: Ground) -> QualityRule:
    text = place.rule.query
    if text is None:
        raise NotRun("it has no query", hint="Add 'query:'.")
    if _QUERY.match(text) is None:
        made = replace(
            made, check=Check.CONDITION, bound=bound_of(place.rule, numbers=True), percent=percent_of(place.rule)
        )
        return replace(made, condition=_condition(text, 0, place, entity))
    if entity.manifest.sql is None:
        return _count(made, text, place, entity)
    column = place.field.column if place.field is not None and place.own else None
    measure = entity.manifest.sql.measure(entity.source, text, column)
    if isinstance(measure, str):
        raise NotRun(measure, "query")
    return replace(made, check=Check.QUERY, bound=bound_of(place.rule, numbers=False), measure=measure)


def _count(made: QualityRule, text: str, place: Place, entity: Ground) -> QualityRule:
    """A query over a source that knows no SQL: a number of rows that meet a condition."""
    found = _COUNTED.match(text)
    known = {entity.name, entity.source.physical_name}
    if found is None or not (_OBJECT.match(found["object"]) or found["object"].strip('"') in known):
        hint = "Write a condition on its fields, or SELECT COUNT(*) FROM {object} WHERE ..."
        raise NotRun("its source knows no SQL", "query", hint=hint)
    made = replace(
        made, check=Check.CONDITION, bound=bound_of(place.rule, numbers=True), percent=percent_of(place.rule)
    )
    if found["where"] is None:
        return replace(made, check=Check.ROWS, percent=False)
    return replace(made, condition=_condition(found["where"], found.start("where"), place, entity))


def _condition(text: str, offset: int, place: Place, entity: Ground) -> Expr:
    """A condition in the expression language; names are the entity's fields."""
    own = place.path[-1] if place.path else None
    if _PROPERTY.search(text) and not place.own:
        raise NotRun("a placeholder stands for a property of the entity, and there is none", "query")
    written = _PROPERTY.sub(f'"{own}"', text)
    names = {
        name: Column((name,), each.type) for name, each in entity.fields.items() if each.type.kind is not Kind.OBJECT
    }
    try:
        return check(written, Scope(names=names), BOOLEAN)
    except Problems as found:
        problem = found.problems[0]
        part = (offset + problem.start, offset + problem.end) if written == text else None
        raise NotRun(problem.message, "query", hint=problem.hint, part=part) from None
