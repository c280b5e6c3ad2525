# SPDX-License-Identifier: Apache-2.0
"""Entities bound to their sources: server, key, columns and the connector's options."""

from collections.abc import Iterable, Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.manifest import Source, SourceColumn
from dictamesh.specs.model import Entity, EntitySource, Mesh, Product
from dictamesh.specs.model.product import Property
from dictamesh.specs.resolve.fields import FieldResolver
from dictamesh.specs.resolve.sensitivity import Vocabulary
from dictamesh.specs.resolve.servers import check_options, unknown_server
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity, ServerRef
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import Kind


def resolve_product(
    product: Declared[Product], servers: Mapping[str, ServerRef], mesh: Mesh, words: Vocabulary, findings: Findings
) -> list[ResolvedEntity]:
    """Resolve every entity of a product."""
    model, site = product.model, product.site
    _check_entity_keys(model, site, findings)
    server = servers.get(model.source.server)
    if server is None:
        near = suggest(model.source.server, servers)
        hint = f"did you mean '{near}'?" if near else "Declare it under 'servers' of the mesh file or of this product."
        findings.error("DM202", site / "source" / "server", f"there is no server '{model.source.server}'", hint)
        server = unknown_server(model.source.server)
    return [
        _entity(product, entity, site / "schema" / index, server, mesh, words, findings)
        for index, entity in enumerate(model.entities)
    ]


def _check_entity_keys(model: Product, site: Site, findings: Findings) -> None:
    names = [entity.name for entity in model.entities]
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.error(
                "DM604", site / "schema" / index / "name", f"a second entity '{name}'", "Rename one of them."
            )
    for key, given in (
        ("source", model.source.model_extra or {}),
        ("graphql", model.graphql),
        ("output", model.output),
    ):
        for name in given:
            if name not in names:
                near = suggest(name, [*names, "server"] if key == "source" else names)
                hint = f"did you mean '{near}'?" if near else f"The entities here are: {', '.join(names)}."
                findings.error("DM203", (site / key / name).key_span, f"this product has no entity '{name}'", hint)


def _entity(
    product: Declared[Product],
    entity: Entity,
    site: Site,
    server: ServerRef,
    mesh: Mesh,
    words: Vocabulary,
    findings: Findings,
) -> ResolvedEntity:
    address = f"{product.model.name}#{entity.name}"
    binding_site = product.site / "source" / entity.name
    binding = (product.model.source.model_extra or {}).get(entity.name) or EntitySource()
    resolver = FieldResolver(address, entity, binding, site, binding_site, words, findings)
    fields = resolver.resolve()
    key = _key(entity, fields, site, findings)
    _check_pii_key(binding, key, fields, binding_site, site, mesh, findings)
    data = binding.model_extra or {}
    options = check_options(server.manifest.entity, data, binding_site, findings, references=False)
    source = Source(
        address=address,
        physical_name=entity.physical_name or entity.name,
        columns=tuple(SourceColumn(name, kind) for name, kind in resolver.columns.items()),
        key=tuple(fields[name].column or name for name in key),
        options=options,
    )
    if options is not None:
        for path, message, cure in server.manifest.check(source):
            place = binding_site
            for part in path:
                place = place / part
            findings.error("DM503", place, message, cure)
    return ResolvedEntity(
        address=address,
        product=product.model,
        model=entity,
        binding=binding,
        site=site,
        product_site=product.site,
        fields=fields,
        key=key,
        server=server,
        source=source,
    )


def _key(entity: Entity, fields: Mapping[str, Field], site: Site, findings: Findings) -> tuple[str, ...]:
    marked = [(i, each) for i, each in enumerate(entity.properties) if each.primary_key]
    if not marked:
        hint = "Mark the identifying property with 'primaryKey: true'."
        findings.error("DM222", site / "name", f"'{entity.name}' has no primary key", hint)
        return ()
    for index, each in marked:
        _check_key_field(fields[each.name], site / "properties" / index, findings)
    if len(marked) > 1:
        _check_positions([(site / "properties" / index, each) for index, each in marked], findings)
    return tuple(each.name for _, each in sorted(marked, key=lambda pair: (pair[1].primary_key_position, pair[0])))


def _check_key_field(field: Field, place: Site, findings: Findings) -> None:
    if field.column is None:
        findings.error("DM222", place / "transformLogic", "a key cannot be computed", "Make a plain column the key.")
    elif not field.type.scalar or field.type.kind in {Kind.FLOAT, Kind.BYTES}:
        findings.error(
            "DM222", place / "logicalType", f"a {field.type} cannot be a key", "Use text, integer, decimal or time."
        )


def _check_positions(marked: Iterable[tuple[Site, Property]], findings: Findings) -> None:
    seen: set[int] = set()
    for place, each in marked:
        position = each.primary_key_position
        if position < 1 or position in seen:
            message = "the parts of a composite key have different positions, from 1"
            findings.error("DM222", place / "primaryKeyPosition", message, "Add 'primaryKeyPosition: 1', 2, ...")
        seen.add(position)


def _check_pii_key(
    binding: EntitySource,
    key: tuple[str, ...],
    fields: Mapping[str, Field],
    binding_site: Site,
    site: Site,
    mesh: Mesh,
    findings: Findings,
) -> None:
    keys = mesh.security.keys if mesh.security else {}
    if binding.surrogate is not None:
        place = binding_site / "surrogate" / "hmac"
        if binding.surrogate.hmac not in keys:
            findings.error("DM209", place, f"unknown key '{binding.surrogate.hmac}'", "Declare it under security.keys.")
        if len(key) != 1 or fields[key[0]].type.kind is not Kind.STRING:
            findings.error("DM223", place, "a surrogate stands for a single string key", "Use 'allowPiiKey: reason'.")
        return
    personal = [name for name in key if fields[name].pii]
    if personal and not binding.allow_pii_key:
        message = f"the key '{personal[0]}' is personal data and would stand in catalog, cache, audit and topics"
        hint = f"Add 'surrogate: {{hmac: KEY}}' or 'allowPiiKey: reason' under source.{site.plain['name']}."
        findings.error("DM223", fields[personal[0]].site / "name", message, hint)
