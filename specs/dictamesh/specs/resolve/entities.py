# SPDX-License-Identifier: Apache-2.0
"""Entities bound to their sources: server, key, columns and the connector's options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, available_timezones

from dictamesh.specs.diagnostics import Findings, Located
from dictamesh.specs.documents import Site
from dictamesh.specs.manifest import Source, SourceColumn
from dictamesh.specs.model import Entity, EntitySource, Mesh, Product
from dictamesh.specs.model.product import Property
from dictamesh.specs.resolve.contract import check_contract
from dictamesh.specs.resolve.declared import check_declared
from dictamesh.specs.resolve.fields import FieldResolver
from dictamesh.specs.resolve.keys import aliases
from dictamesh.specs.resolve.lookalikes import Lookalikes, check_exclusions, excluded
from dictamesh.specs.resolve.quality import resolve_quality
from dictamesh.specs.resolve.sensitivity import Vocabulary, declared
from dictamesh.specs.resolve.servers import check_options, unknown_server
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity, ServerRef
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import STRING, Kind


@dataclass(frozen=True, slots=True)
class About:
    """What all entities of a product have in common."""

    product: Declared[Product]
    server: ServerRef
    mesh: Declared[Mesh]
    words: Vocabulary
    inherited: frozenset[str]


def resolve_product(
    product: Declared[Product],
    servers: Mapping[str, ServerRef],
    mesh: Declared[Mesh],
    words: Vocabulary,
    findings: Findings,
) -> list[ResolvedEntity]:
    """Resolve every entity of a product."""
    model, site = product.model, product.site
    _check_entity_keys(product, findings)
    check_contract(product, findings)
    server = servers.get(model.source.server)
    if server is None:
        if product.sound(site / "servers"):
            near = suggest(model.source.server, servers)
            where = "Declare it under 'servers' of the mesh file or of this product."
            hint = f"did you mean '{near}'?" if near else where
            findings.error("DM202", site / "source" / "server", f"there is no server '{model.source.server}'", hint)
        server = unknown_server(model.source.server)
    about = About(product, server, mesh, words, _tags(model.tags, site, words, findings))
    seen: set[str] = set()
    found = []
    for index, entity in enumerate(model.entities):
        place = site / "schema" / index
        if entity.name in seen:
            findings.error("DM604", place / "name", f"a second entity '{entity.name}'", "Rename one of them.")
            continue
        seen.add(entity.name)
        found.append(_entity(about, entity, place, findings))
    _check_exclusions(product, found, findings)
    return found


def _check_exclusions(product: Declared[Product], entities: Iterable[ResolvedEntity], findings: Findings) -> None:
    if not product.model.not_personal or not product.sound(product.site / "schema"):
        return
    fields = {each.model.name: each.fields for each in entities}
    columns = {each.model.name: [column.name for column in each.source.columns] for each in entities}
    for code, at, message, hint in check_exclusions(product, fields, columns):
        findings.add(code, at.key_span, message, hint)


def _tags(tags: Iterable[str], site: Site, words: Vocabulary, findings: Findings) -> frozenset[str]:
    """Tags of a product or entity, which all its fields inherit."""
    return declared(None, tags, site, words, findings).tags


def _check_entity_keys(product: Declared[Product], findings: Findings) -> None:
    model, site = product.model, product.site
    names = [entity.name for entity in model.entities]
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


def _entity(about: About, entity: Entity, site: Site, findings: Findings) -> ResolvedEntity:
    product, server = about.product, about.server
    address = f"{product.model.name}#{entity.name}"
    binding_site = product.site / "source" / entity.name
    binding = (product.model.source.model_extra or {}).get(entity.name) or EntitySource()
    inherited = about.inherited | _tags(entity.tags, site, about.words, findings)
    quiet = excluded(product.model, entity.name)
    lookalikes = Lookalikes(about.words, quiet, findings)
    resolver = FieldResolver(product, entity, binding, site, binding_site, about.words, inherited, lookalikes, findings)
    fields = resolver.resolve()
    key = _key(entity, resolver.places, fields, site, product, findings)
    _check_pii_key(binding, key, fields, binding_site, about.mesh, findings)
    _check_timezone(binding, binding_site, findings)
    options = check_options(
        server.manifest.entity, binding.model_extra or {}, binding_site, findings, also=aliases(EntitySource)
    )
    source = Source(
        address=address,
        physical_name=entity.physical_name or entity.name,
        columns=tuple(SourceColumn(name, kind) for name, kind in resolver.columns.types.items()),
        key=tuple(fields[name].column or name for name in key),
        options=options,
    )
    if options is not None and key and product.sound(binding_site):
        _check_source(server, source, site, binding_site, findings)
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
        quality=()
        if options is None
        else resolve_quality(entity.quality, site, fields, source, server.manifest, findings),
    )


def _check_source(server: ServerRef, source: Source, entity: Site, site: Site, findings: Findings) -> None:
    for path, message, cure in server.manifest.check(source):
        place = site
        for part in path:
            place = place / part
        at: Located = entity / "name"
        if site.exists:
            at = place if path and place.exists else site.key_span
        findings.error("DM503", at, message, cure[:1].upper() + cure[1:])


def _check_timezone(binding: EntitySource, site: Site, findings: Findings) -> None:
    name = binding.default_timezone
    if name == "UTC":
        return
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = suggest(name, sorted(available_timezones()))
        hint = f"did you mean '{near}'?" if near else "Write a name of the IANA database, like Europe/Berlin."
        findings.error("DM104", site / "defaultTimezone", f"there is no time zone '{name}'", hint)


def _key(
    entity: Entity,
    places: Mapping[str, tuple[Property, Site]],
    fields: Mapping[str, Field],
    site: Site,
    product: Declared[Product],
    findings: Findings,
) -> tuple[str, ...]:
    marked = [(place, each) for each, place in places.values() if each.primary_key]
    if not marked:
        if product.sound(site / "properties"):
            hint = "Mark the identifying property with 'primaryKey: true'."
            findings.error("DM222", site / "name", f"'{entity.name}' has no primary key", hint)
        return ()
    for place, each in marked:
        _check_key_field(fields[each.name], place, findings)
    if len(marked) > 1:
        _check_positions(marked, findings)
    ordered = sorted(enumerate(marked), key=lambda pair: (pair[1][1].primary_key_position, pair[0]))
    return tuple(each.name for _, (_, each) in ordered)


def _check_key_field(field: Field, place: Site, findings: Findings) -> None:
    if field.column is None:
        findings.error("DM222", place / "transformLogic", "a key cannot be computed", "Make a plain column the key.")
    elif not field.type.scalar or field.type.kind in {Kind.FLOAT, Kind.BYTES}:
        findings.error(
            "DM222", place / "logicalType", f"a {field.type} cannot be a key", "Use a string, integer, decimal or date."
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
    site: Site,
    mesh: Declared[Mesh],
    findings: Findings,
) -> None:
    if binding.surrogate is not None:
        place = site / "surrogate" / "hmac"
        check_declared(binding.surrogate.hmac, "keys", mesh, place, findings)
        if len(key) != 1 or fields[key[0]].type != STRING:
            findings.error("DM223", place, "a surrogate stands for a single string key", "Use 'allowPiiKey: reason'.")
        return
    personal = [name for name in key if fields[name].pii]
    if personal and not (binding.allow_pii_key or "").strip():
        message = f"the key '{personal[0]}' is personal data and would stand in catalog, cache, audit and topics"
        hint = f"Add 'surrogate: {{hmac: KEY}}' or 'allowPiiKey: reason' under source.{site.path[-1]}."
        findings.error("DM223", fields[personal[0]].site / "name", message, hint)
