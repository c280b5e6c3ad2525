# SPDX-License-Identifier: Apache-2.0
"""`lineage:` of a product: who fills a column, what happens inside a source, where no expression shows it (GL-6)."""

import re
from collections.abc import Iterable, Iterator

from dictamesh.specs.documents import Site
from dictamesh.specs.expressions.tree import columns
from dictamesh.specs.model import LineageEntry, LineageSource, Product
from dictamesh.specs.model.product import SourceColumnSpec
from dictamesh.specs.resolve.flow_ends import (
    ADDRESS,
    Bound,
    End,
    Known,
    check_through,
    field_end,
    is_inside,
    of_field,
    spelled,
    unknown,
)
from dictamesh.specs.resolve.matching import every_field
from dictamesh.specs.resolve.sensitivity import Sensitivity, declared, join
from dictamesh.specs.resolved import DatasetField, Declared, Flow, ResolvedEntity
from dictamesh.specs.suggest import suggest

_CREDENTIALS = re.compile(r"//[^/]*@")


def declared_lineage(product: Declared[Product], known: Known) -> Iterator[Bound]:
    """Bind every entry; ends that do not exist, and entries that contradict themselves, are recorded."""
    for index, each in enumerate(product.model.lineage):
        site = product.site / "lineage" / index
        check_through(each, site, known)
        _check_kind(each, site, known)
        target = _target(each.to, site / "to", product.model, known)
        for position, written in enumerate(each.from_):
            at = site / "from" / position if (site / "from" / position).exists else site / "from"
            source = _source(written, at, target, product.model, known)
            if source is None or target is None:
                continue
            if source.at == target.at:
                hint = "Name what it is made of, or remove the entry."
                known.findings.error("DM234", at, f"{target.said} is made of itself", hint)
                continue
            yield Bound(Flow(source.at, str(target.at), each, site, target.column), source, target)


def _check_kind(each: LineageEntry, site: Site, known: Known) -> None:
    if each.kind == "direct_copy" and each.expression is not None:
        hint = "Leave the expression out, or write 'kind: enrichment'."
        known.findings.error("DM234", site / "expression", "a direct copy has no expression", hint)
    elif each.kind == "direct_copy" and each.through is not None:
        hint = "Write 'kind: aggregation' for a count, 'kind: enrichment' for a pseudonym."
        known.findings.error("DM234", site / "kind", f"what goes through {each.through} is no direct copy", hint)


def _target(text: str, site: Site, product: Product, known: Known) -> End | None:
    """A field, a column that the source of an entity has, or an entity as a whole."""
    head, _, name = text.rpartition("#")[2].partition(".")
    entity = known.entities.get(f"{product.name}#{head}")
    if not is_inside(text, product) or not head.isidentifier():
        hint = "Write Entity.field, Entity.column or Entity of this product."
        known.findings.error("DM232", site, f"'{text}' cannot be what lineage leads to", hint)
    elif entity is None:
        own = {address: each for address, each in known.entities.items() if is_inside(address, product)}
        unknown(f"{product.name}#{head}", own, "entity", site, known)
    elif not name:
        return End(entity.address, entity.address, None, entity.address)
    else:
        return _inside(entity, name, site, known)
    return None


def _inside(entity: ResolvedEntity, name: str, site: Site, known: Known) -> End | None:
    address = f"{entity.address}.{name}"
    found = known.fields.get(address)
    if found is not None:
        return of_field(found, entity.address)
    names = [column.name for column in entity.source.columns]
    if name in names:
        what = _of_columns([entity], name, known)
        return End(address, f"column {name} of {entity.address}", what, entity.address, column=True)
    if known.complete:
        above = f"{entity.address}."
        own = [each.removeprefix(above) for each in known.fields if each.startswith(above)]
        near = suggest(name, [*own, *names])
        declare = f"Declare a column that only a job writes under 'source.{entity.model.name}.columns'."
        hint = f"did you mean '{entity.model.name}.{near}'?" if near else declare
        message = f"{entity.address} has no field and no column '{name}'"
        known.findings.error("DM232", site, message, hint)
    return None


def _source(written: str | LineageSource, site: Site, target: End | None, product: Product, known: Known) -> End | None:
    if isinstance(written, LineageSource):
        return _dataset(written, site, target, known)
    if ADDRESS.match(written):
        return field_end(written, site, product, known, local=False)
    address = spelled(written, product)
    if not address.rpartition("#")[2].isidentifier():
        hint = "Write product#Entity.field, product#Entity, or a mapping with 'table', or 'namespace' and 'name'."
        known.findings.error("DM232", site, f"'{written}' cannot be what lineage comes from", hint)
        return None
    if address in known.entities:
        return End(address, address, None)
    unknown(address, known.entities, "entity", site, known)
    return None


def _dataset(written: LineageSource, site: Site, target: End | None, known: Known) -> End | None:
    """A field outside the mesh, with what is known of its protection: as declared here, and as products declare it."""
    own = declared(written.classification, written.tags, site, known.words, known.findings)
    said = Sensitivity(own.tier or "public", own.tags)
    field = written.field or ""
    named = written.namespace is not None and written.name is not None
    if (written.table is None) != named or (named and written.table is not None) or _halved(written):
        hint = "Write 'table' for one of the entity's own server, else both 'namespace' and 'name' of OpenLineage."
        known.findings.error("DM233", site, "this names no dataset", hint)
        return None
    if _CREDENTIALS.search(written.namespace or ""):
        hint = "Write the address without them; OpenLineage names datasets by where they are."
        known.findings.error("DM233", site / "namespace", "a namespace holds no credentials", hint, secret=True)
        return None
    if written.table is None:
        at = DatasetField(written.namespace, str(written.name), field)
        return End(at, f"{written.namespace}/{written.name}{f'#{field}' if field else ''}", said)
    if target is None:
        return None
    reader = known.entities[target.entity]
    if reader.server.manifest.dialect is None:
        hint = "Write 'namespace' and 'name', as OpenLineage names the dataset."
        message = f"'{reader.server.id}' is no SQL server, so it has no table '{written.table}'"
        known.findings.error("DM233", site / "table", message, hint)
        return None
    same = [
        each
        for each in known.entities.values()
        if each.server.id == reader.server.id and each.source.physical_name == written.table
    ]
    what = join([said, _of_columns(same, field, known)]) if field else None
    at = DatasetField(None, written.table, field)
    return End(at, f"{written.table}{f'.{field}' if field else ''} of server {reader.server.id}", what)


def _halved(written: LineageSource) -> bool:
    return (written.namespace is None) != (written.name is None)


def _of_columns(entities: Iterable[ResolvedEntity], name: str, known: Known) -> Sensitivity:
    """What is declared of a column: by its own entry, and by the fields that read it (S2)."""
    found = []
    for entity in entities:
        spec = entity.binding.columns.get(name)
        if isinstance(spec, SourceColumnSpec):
            tags = frozenset(tag for tag in spec.tags if tag in known.words.tags)
            found.append(Sensitivity(spec.classification or "public", tags))
        for field in entity.fields.values():
            if field.column == name or (name,) in columns(field.expr):
                found.extend(Sensitivity(each.tier, frozenset(each.tags)) for each in every_field([field]))
    return join(found)
