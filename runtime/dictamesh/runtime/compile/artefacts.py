# SPDX-License-Identifier: Apache-2.0
"""A plan as JSON: every artefact under a stable key; `docs/reference/plan.md` lists them."""

from dataclasses import asdict
from datetime import date, time
from typing import Any

from dictamesh.runtime.compile.captured import counted
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan
from dictamesh.specs.expressions import text
from dictamesh.specs.limits import Limited
from dictamesh.specs.model.mesh import Resilience
from dictamesh.specs.quality import QualityRule
from dictamesh.specs.rules import Audience, FieldPolicy, MaskRule, RowPolicy, Term


def artefacts(plan: Plan) -> dict[str, Any]:
    """Return the whole plan as JSON values. References stand as they are written; no secret is among them."""
    resilience = plan.mesh.resilience
    return {
        "mesh": plan.name,
        "hash": plan.hash,
        "servers": {
            name: {
                "connector": server.connector,
                "options": server.options,
                "resilience": _model(resilience.get(name) or resilience.get("default") or Resilience()),
            }
            for name, server in plan.servers.items()
        },
        "products": {
            name: {
                "id": product.id,
                "version": product.version,
                "status": product.status,
                "domain": product.domain,
                "owner": product.owner,
                "served": product.served,
                "entities": list(product.entities),
                "serviceLevels": dict(product.sla),
                "lineage": [dict(each) for each in product.lineage],
                "subjects": {kind: list(fields) for kind, fields in product.subjects.items()},
            }
            for name, product in plan.products.items()
        },
        "entities": {address: _entity(entity) for address, entity in plan.entities.items()},
        "topics": {entity.topic.name: _topic(entity) for entity in plan.entities.values()},
        "decisions": {
            "fields": {
                address: [_field_policy(each) for each in bound] for address, bound in plan.rules.fields.items()
            },
            "rows": {address: [_row_policy(each) for each in bound] for address, bound in plan.rules.rows.items()},
        },
        "regimes": {address: list(names) for address, names in plan.regimes.items()},
        "flows": [asdict(each) for each in plan.flows],
        "limits": _model(plan.mesh.gateway.limits),
        "graphql": plan.sdl,
        "notes": list(plan.notes),
    }


def _model(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True)


def _entity(entity: EntityPlan) -> dict[str, Any]:
    return {
        "type": entity.name,
        "graphql": {"one": entity.singular, "many": entity.plural, "count": f"{entity.plural}Count"},
        "key": list(entity.key),
        "source": {
            "server": entity.server,
            "connector": entity.connector,
            "physicalName": entity.source.physical_name,
            "columns": {column.name: str(column.type) for column in entity.source.columns},
            "key": list(entity.source.key),
            "options": _model(entity.source.options),
            "batchSize": entity.capabilities.batch_size,
            "coerce": entity.coerce,
            "timezone": entity.timezone,
        },
        "surrogate": entity.surrogate,
        "changes": [each._asdict() for each in counted(entity)],
        "fields": {field.name: _field(field) for field in entity.fields},
        "relations": {
            link.name: {
                "to": link.target,
                "own": list(link.own),
                "theirs": list(link.theirs),
                "many": link.many,
                "restrict": link.restrict,
                "inverse": link.inverse,
                "callPerParent": link.per_parent,
            }
            for link in entity.links
        },
        "quality": [_rule(each) for each in entity.quality],
        "cache": {"ttl": entity.cache_ttl, "staleFor": entity.stale_for, "mappingHash": entity.mapping_hash},
        "topic": entity.topic.name,
        "avro": entity.avro,
        "catalog": {key: list(value) if isinstance(value, tuple) else value for key, value in entity.catalog.items()},
    }


def _field(field: FieldPlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "address": field.address,
        "type": str(field.type),
        "graphql": field.graphql,
        "column": field.column,
        "required": field.required,
        "classification": field.tier,
        "tags": list(field.tags),
        "pii": field.pii,
        "unique": field.unique,
        "indexed": field.indexed,
        "encrypted": field.encrypted,
        "description": field.description,
    }
    if field.enum:
        found["enum"] = dict(field.enum)
    if field.column is None:
        found |= {"expression": text(field.expr), "computedBy": "mesh" if field.pushed else "source"}
        if field.pushed:
            found["notPushedDown"] = field.pushed
    if field.limits:
        found["limits"] = [_limit(each) for each in field.limits]
    if field.members:
        found["fields"] = {member.name: _field(member) for member in field.members}
    return found


def _limit(limited: Limited) -> dict[str, Any]:
    operand = limited.operand
    if isinstance(operand, tuple):
        operand = list(operand)
    elif isinstance(operand, date | time):
        operand = operand.isoformat()
    elif not isinstance(operand, int | str):  # numbers of any size
        operand = str(operand)
    within = {"withinArrays": limited.depth} if limited.depth else {}
    return {"limit": limited.limit.value, "is": operand, **within}


def _rule(rule: QualityRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "check": rule.check.value,
        "property": rule.property,
        "must": str(rule.bound) if rule.bound else None,
        "unit": "percent" if rule.percent else "rows",
        "severity": rule.severity,
        "dimension": rule.dimension,
        "schedule": rule.schedule,
        "query": rule.measure.query if rule.measure else None,
        "condition": text(rule.condition) if rule.condition else None,
        "notRun": rule.reason,
    }


def _topic(entity: EntityPlan) -> dict[str, Any]:
    topic = entity.topic
    return {
        "entity": entity.address,
        "partitions": topic.partitions,
        "replication": topic.replication,
        "retentionMs": round(topic.retention * 1000),
        "compression": topic.compression,
        "cleanup": topic.cleanup,
    }


def _audience(audience: Audience) -> dict[str, Any]:
    return {
        "roles": None if audience.roles is None else sorted(audience.roles),
        "purposes": None if audience.purposes is None else sorted(audience.purposes),
        "claims": {claim: list(values) for claim, values in audience.claims},
        "agreements": None if audience.agreements is None else [_term(each) for each in audience.agreements],
    }


def _term(term: Term) -> dict[str, Any]:
    return {"name": term.agreement, "consumer": _audience(term.consumer), "start": term.start, "end": term.end}


def _mask(mask: MaskRule | None) -> dict[str, Any] | None:
    if mask is None:
        return None
    given: dict[str, Any] = {"kind": mask.kind, "key": mask.key, "scope": mask.scope}
    given |= {"keepFirst": mask.keep_first, "keepLast": mask.keep_last, "char": mask.char}
    given |= {"step": None if mask.step is None else str(mask.step), "groups": dict(mask.groups) or None}
    given |= {"other": mask.other, "to": mask.unit}
    return {key: value for key, value in given.items() if value is not None}


def _field_policy(policy: FieldPolicy) -> dict[str, Any]:
    return {
        "policy": policy.policy,
        "engine": policy.by.engine if policy.by is not None else "rules",
        "text": policy.by.text if policy.by is not None else None,
        "allowCounts": policy.allows,
        "onUse": {use: use in policy.uses for use in ("sort", "group", "relation", "cursor")},
        "rules": [
            {
                "name": rule.name,
                **_audience(rule.audience),
                "effect": rule.effect.value,
                "mask": _mask(rule.mask),
                "where": text(rule.where) if rule.where is not None else None,
            }
            for rule in policy.rules
        ],
    }


def _row_policy(policy: RowPolicy) -> dict[str, Any]:
    return {
        "policy": policy.policy,
        "rows": [
            {"name": entry.name, **_audience(entry.audience), "keep": _keep(entry.keep)} for entry in policy.entries
        ],
    }


def _keep(keep: Any) -> str:
    if isinstance(keep, bool):
        return "all" if keep else "none"
    return str(text(keep))
