# SPDX-License-Identifier: Apache-2.0
"""One entity of the plan."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from dictamesh.runtime.compile.avro import envelope
from dictamesh.runtime.compile.canonical import digest
from dictamesh.runtime.compile.contract import DAY, service_levels
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, TopicPlan
from dictamesh.specs.manifest import Capabilities
from dictamesh.specs.model import Mesh
from dictamesh.specs.resolve.naming import enum_names, root_names, topic_name, type_name, values_of
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.resolved import Field, Link, ResolvedEntity
from dictamesh.specs.types import Kind, Type

TOPIC_RETENTION = 30 * DAY  # seconds (EV-2)
GRAPHQL = {
    Kind.STRING: "String",
    Kind.BYTES: "Bytes",
    Kind.INT: "Int",
    Kind.LONG: "Long",
    Kind.FLOAT: "Float",
    Kind.DECIMAL: "Decimal",
    Kind.BOOLEAN: "Boolean",
    Kind.DATE: "Date",
    Kind.TIME: "Time",
    Kind.TIMESTAMP: "DateTime",
    Kind.JSON: "JSON",
}


def plan_entity(
    entity: ResolvedEntity, links: Iterable[Link], entities: Mapping[str, ResolvedEntity], mesh: Mesh
) -> EntityPlan:
    """Spell out everything that follows from an entity's specs."""
    names, levels = root_names(entity), service_levels(entity.product)
    manifest = entity.server.manifest
    capabilities = manifest.capabilities(entity.source)
    found_by: set[tuple[str | None, ...]] = {
        (each.column,) for each in entity.fields.values() if _indexed(entity, each)
    }
    found_by |= set(capabilities.lookups or ())
    fields = tuple(
        replace(_field(entity, each, (each.name,)), indexed=(each.column,) in found_by)
        for each in entity.fields.values()
    )
    stale_for = entity.product.cache.stale_for
    return EntityPlan(
        address=entity.address,
        product=entity.product.name,
        product_id=entity.product.id,
        name=entity.model.name,
        singular=names.singular,
        plural=names.plural,
        description=entity.model.description or "",
        fields=fields,
        key=entity.key,
        links=tuple(_link(link, entities) for link in links),
        server=entity.server.id,
        connector=entity.server.manifest.name,
        source=entity.source,
        capabilities=capabilities,
        coerce=entity.binding.coerce,
        timezone=entity.binding.default_timezone,
        surrogate=entity.binding.surrogate.hmac if entity.binding.surrogate else None,
        cache_ttl=_cache_ttl(entity, levels, mesh),
        stale_for=mesh.cache.stale_for if stale_for is None else stale_for,
        mapping_hash=_mapping_hash(entity, fields),
        topic=_topic(entity),
        avro=envelope(entity.model.name, entity.fields.values()),
        catalog=_catalog(entity, levels, capabilities),
        quality=entity.quality,
        dialect=manifest.dialect,
        changes=entity.binding.changes,
    )


def _indexed(entity: ResolvedEntity, each: Field) -> bool:
    return each.model.unique or each.model.partitioned or entity.key == (each.name,)


def _field(entity: ResolvedEntity, each: Field, path: tuple[str, ...]) -> FieldPlan:
    pushed = entity.server.manifest.outputs(entity.source, each.expr) if each.column is None else None
    return FieldPlan(
        address=each.address,
        name=each.name,
        type=each.type,
        graphql=_graphql(entity.model.name, each.type, path),
        expr=each.expr,
        column=each.column,
        pushed=pushed,
        required=each.model.required,
        tier=each.tier,
        tags=each.tags,
        pii=each.pii,
        description=each.model.description or "",
        enum=enum_names(values_of(each.type)),
        members=tuple(_field(entity, member, (*path, member.name)) for member in each.members),
        unique=each.model.unique or entity.key == path,
        encrypted=each.model.encrypted_name is not None,
        written=each.written,
        limits=each.limits,
    )


def _graphql(entity: str, kind: Type, path: tuple[str, ...]) -> str:
    while kind.kind is Kind.ARRAY and kind.item is not None:
        kind = kind.item
    if kind.kind is Kind.OBJECT or kind.values:
        return type_name(entity, path)
    return GRAPHQL.get(kind.kind, "JSON")


def _link(link: Link, entities: Mapping[str, ResolvedEntity]) -> LinkPlan:
    target = entities[link.target]
    by_key = link.theirs == target.key
    lookups = target.server.manifest.capabilities(target.source).lookups
    columns = tuple(target.fields[name].column or name for name in link.theirs)
    return LinkPlan(
        name=link.name,
        target=link.target,
        own=link.own,
        theirs=link.theirs,
        many=link.many,
        by_key=by_key,
        restrict=link.restrict,
        same_server=target.server.id == entities[link.holder].server.id,
        per_parent=not by_key and lookups is not None and columns not in lookups,
        inverse=link.inverse,
        description=link.model.description,
        declared=not link.inverted,
    )


def _cache_ttl(entity: ResolvedEntity, levels: Mapping[str, Any], mesh: Mesh) -> float:
    cache = entity.product.cache
    if not (cache.enabled and mesh.cache.enabled):
        return 0.0
    freshness = float(levels["freshness"])
    return freshness if cache.ttl is None else min(cache.ttl, freshness)


def _mapping_hash(entity: ResolvedEntity, fields: tuple[FieldPlan, ...]) -> str:
    binding = entity.binding
    what = [(each.name, each.column, each.expr, each.type, each.members) for each in fields]
    return digest([what, entity.source, entity.server.options, binding.coerce, binding.default_timezone])[:16]


def _topic(entity: ResolvedEntity) -> TopicPlan:
    port = entity.product.output.get(entity.model.name)
    return TopicPlan(
        name=topic_name(entity),
        partitions=port.partitions if port else 12,
        replication=port.replication if port else 3,
        retention=port.retention if port and port.retention is not None else TOPIC_RETENTION,
        compression="lz4",
        cleanup=port.cleanup if port else "delete",
        payload=port.payload if port else "open",
        roles=port.roles if port else (),
        purpose=port.purpose if port else None,
        encrypt=port.encrypt if port else (),
        include=port.include if port else (),
    )


def _catalog(entity: ResolvedEntity, levels: Mapping[str, Any], capabilities: Capabilities) -> dict[str, Any]:
    product, manifest, server = entity.product, entity.server.manifest, entity.server.model
    fields = list(entity.fields.values())
    owner = (
        next((each.username for each in product.team.members if each.role == "owner"), None) if product.team else None
    )
    retention = levels["retention"]
    return {
        "product_id": product.id,
        "product_version": product.version,
        "entity_type": entity.model.name,
        "domain": product.domain or product.name,
        "source_system": entity.server.id,
        "key_fields": entity.key,
        "data_classification": max((each.tier for each in fields), key=rank),
        "contains_pii": any(each.pii for each in _all(fields)),
        "owner": owner or (product.team.name if product.team else None),
        "api_base_url": manifest.base_url(server) if server else None,
        "api_path_template": manifest.path_template(entity.source) if capabilities.get else None,
        "api_auth_type": (manifest.auth_type(server) if server else None) or "none",
        "schema_version": product.version,
        "status": "deprecated" if product.status in {"deprecated", "retired"} else "active",
        "availability_sla": levels["availability"],
        "latency_p99_ms": round(levels["responseTime"] * 1000),
        "freshness_sla_seconds": round(levels["freshness"]),
        "retention_days": None if retention is None else max(1, round(retention / DAY)),
    }


def _all(fields: Iterable[Field]) -> Iterable[Field]:
    for each in fields:
        yield each
        yield from _all(each.members)
