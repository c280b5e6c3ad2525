# SPDX-License-Identifier: Apache-2.0
"""From the filters of callers to expressions over fields; the same tree is pushed down or evaluated here (S9)."""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Expr, Literal
from dictamesh.specs.types import DECIMAL, Kind, Type

Entities = Mapping[str, EntityPlan]

_COMPARISONS = {"eq": "eq", "ne": "ne", "lt": "lt", "lte": "le", "gt": "gt", "gte": "ge", "like": "like"}


def condition(entity: EntityPlan, given: Mapping[str, Any], entities: Entities) -> Expr:
    """Return the condition that a coerced filter stands for; several keys are joined by AND, `{}` is true."""
    return call("and", *(_entry(entity, name, value, entities) for name, value in given.items()))


def _entry(entity: EntityPlan, name: str, value: Any, entities: Entities) -> Expr:
    match name:
        case "and" | "or":
            return call(name, *(condition(entity, each, entities) for each in value))
        case "not":
            return call("not", condition(entity, value, entities))
    link = entity.link(name)
    if link is None:
        return _tests(entity.field(name), (name,), value)
    target = entities[link.target]
    return call("and", *(_tests(target.field(inner), (name, inner), tests) for inner, tests in value.items()))


def _tests(field: FieldPlan, path: tuple[str, ...], tests: Mapping[str, Any]) -> Expr:
    column = Column(path, field.type)
    return call("and", *(_test(column, operator, operand) for operator, operand in tests.items()))


def _test(column: Column, operator: str, operand: Any) -> Expr:
    type_ = _operand_type(column.type)
    match operator:
        case "isNull":
            null = call("is_null", column)
            return null if operand else call("not", null)
        case "in":
            return call("in", column, *(Literal(each, type_) for each in operand))
        case _:
            return call(_COMPARISONS[operator], column, Literal(operand, type_))


def _operand_type(type_: Type) -> Type:
    """Operands are compared as given: rounding them to the field's scale would find what was not asked for."""
    return DECIMAL if type_.kind is Kind.DECIMAL else Type(type_.kind)


def used(entity: EntityPlan, given: Mapping[str, Any], entities: Entities) -> Iterator[FieldPlan]:
    """Yield every field that a filter reads, of the entity and of related ones."""
    for name, value in given.items():
        link = entity.link(name)
        if name in {"and", "or"}:
            for each in value:
                yield from used(entity, each, entities)
        elif name == "not":
            yield from used(entity, value, entities)
        elif link is None:
            yield entity.field(name)
        else:
            yield from _used_over(link, value, entities)


def followed(entity: EntityPlan, given: Mapping[str, Any]) -> Iterator[LinkPlan]:
    """Yield every relation that a filter leads over."""
    for name, value in given.items():
        link = entity.link(name)
        if name in {"and", "or"}:
            for each in value:
                yield from followed(entity, each)
        elif name == "not":
            yield from followed(entity, value)
        elif link is not None:
            yield link


def _used_over(link: LinkPlan, value: Mapping[str, Any], entities: Entities) -> Iterator[FieldPlan]:
    for inner in value:
        yield entities[link.target].field(inner)
