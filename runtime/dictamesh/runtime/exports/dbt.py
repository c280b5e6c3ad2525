# SPDX-License-Identifier: Apache-2.0
"""Properties for a dbt project (`version: 2`, dbt 1.10 or later): entities as models, their tables as sources."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dictamesh.connectors.sql.relation import table_parts
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan
from dictamesh.runtime.exports.dialects import Dialect
from dictamesh.specs.types import Kind

_SCHEMAS = {
    "postgres": ["public"],
    "sqlite": ["main"],
}  # where tables without a schema are; dbt would take the source's name


def properties(chosen: Iterable[EntityPlan], entities: Mapping[str, EntityPlan], dialect: Dialect) -> dict[str, Any]:
    """Return the content of one properties file for some entities; `entities` are all of the plan, by address.

    A model is called as the entity's list in GraphQL, with the fields as columns and their types in `dialect`. A
    source is a table of a database with a SQL connector, with its physical columns; their types are the database's
    own. Data tests say what the contract promises: keys, required, unique, allowed values, relations. dbt takes texts
    for templates; those of the contract are no templates, and are written so.
    """
    chosen = list(chosen)
    sources = _sources([each for each in chosen if source_of(each)], entities)
    models = [_model(each, entities, dialect) for each in chosen]
    return {"version": 2, **({"sources": _literal(sources)} if sources else {}), "models": _literal(models)}


def source_of(entity: EntityPlan) -> tuple[str, str] | None:
    """Return the names of an entity's dbt source and table; None where it is not a table of a database."""
    if entity.dialect is None or entity.source.options.query is not None:
        return None  # no table to point at
    *schema, table = table_parts(entity.source.physical_name)
    return re.sub(r"\W", "_", "_".join((entity.server, *schema)), flags=re.ASCII), table


def _sources(chosen: list[EntityPlan], entities: Mapping[str, EntityPlan]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entity in chosen:
        name, table = source_of(entity) or ("", "")
        schema = table_parts(entity.source.physical_name)[:-1] or _SCHEMAS.get(entity.dialect or "", [])
        source = found.setdefault(name, {"name": name, **({"schema": schema[-1]} if schema else {}), "tables": []})
        source["tables"].append(_table(table, entity, entities))
    return list(found.values())


def _table(name: str, entity: EntityPlan, entities: Mapping[str, EntityPlan]) -> dict[str, Any]:
    columns: dict[str, dict[str, Any]] = {}
    for field in entity.fields:
        if field.column is not None and field.column not in columns:
            tests = _tests(entity, field, lambda link: _to_source(entity, link, entities))
            columns[field.column] = _column(field.column, field, None, tests)
    return {"name": name, **_said(entity.description), "config": _meta(entity), "columns": list(columns.values())}


def _model(entity: EntityPlan, entities: Mapping[str, EntityPlan], dialect: Dialect) -> dict[str, Any]:
    columns = [
        _column(
            field.name,
            field,
            dialect.type(field.type, key=field.unique),
            _tests(entity, field, lambda link: _to_model(link, entities)),
        )
        for field in entity.fields
    ]
    whole = [{"type": "primary_key", "columns": list(entity.key)}] if len(entity.key) > 1 else []
    return {
        "name": entity.plural,
        **_said(entity.description),
        "config": _meta(entity),
        **({"constraints": whole} if whole else {}),
        "columns": columns,
    }


def _column(name: str, field: FieldPlan, type_: str | None, tests: list[Any]) -> dict[str, Any]:
    return {
        "name": name,
        **_said(field.description),
        **({"data_type": type_} if type_ else {}),
        "config": {"meta": {"classification": field.tier, **({"tags": list(field.tags)} if field.tags else {})}},
        **({"data_tests": tests} if tests else {}),
    }


def _tests(entity: EntityPlan, field: FieldPlan, target: Callable[[LinkPlan], Any]) -> list[Any]:
    tests: list[Any] = []
    if field.required or field.name in entity.key:
        tests.append("not_null")
    if field.unique:
        tests.append("unique")
    if field.type.kind is Kind.STRING and field.type.values:
        tests.append({"accepted_values": {"arguments": {"values": list(field.type.values)}}})
    ends = [each for each in entity.links if not each.many and each.own == (field.name,)]
    related = [target(each) for each in ends if len(each.theirs) == 1]
    return tests + [{"relationships": {"arguments": each}} for each in related if each]


def _to_model(link: LinkPlan, entities: Mapping[str, EntityPlan]) -> dict[str, str]:
    return {"to": f"ref('{entities[link.target].plural}')", "field": link.theirs[0]}


def _to_source(entity: EntityPlan, link: LinkPlan, entities: Mapping[str, EntityPlan]) -> dict[str, str] | None:
    """The target's table, where the two can be joined: on the same server, and by a column."""
    target = entities[link.target]
    found, column = source_of(target), target.field(link.theirs[0]).column
    if found is None or column is None or target.server != entity.server:
        return None
    return {"to": "source('{}', '{}')".format(*(each.replace("'", "\\'") for each in found)), "field": column}


def _literal(value: Any) -> Any:
    """Plain data whose texts Jinja renders to what they are now."""
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return re.sub(r"\{[{%#]", r"{{ '\g<0>' }}", value) if isinstance(value, str) else value


def _meta(entity: EntityPlan) -> dict[str, Any]:
    return {"meta": {"product": entity.product, "entity": entity.address}}


def _said(description: str) -> dict[str, str]:
    return {"description": description} if description else {}
