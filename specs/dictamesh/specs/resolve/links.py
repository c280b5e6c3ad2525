# SPDX-License-Identifier: Apache-2.0
"""Relations: both directions of each, bound to fields at both ends (S11)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Product, Relation
from dictamesh.specs.resolved import Declared, Field, Link, ResolvedEntity
from dictamesh.specs.suggest import suggest

END = re.compile(r"(?:(?P<product>[^#]+)#)?(?P<entity>\w+)\.(?P<field>\w+)\Z")

Entities = Mapping[str, ResolvedEntity]


@dataclass(frozen=True, slots=True)
class _End:
    entity: ResolvedEntity
    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)


def resolve_links(products: Iterable[Declared[Product]], entities: Entities, findings: Findings) -> tuple[Link, ...]:
    """Bind every relation of every product; a faulty one is recorded and left out."""
    links: list[Link] = []
    ends: dict[frozenset[tuple[str, tuple[str, ...]]], Site] = {}
    for product in products:
        for index, relation in enumerate(product.model.relations):
            site = product.site / "relations" / index
            bound = _bind(product.model, relation, site, entities, findings)
            if bound is not None and _first(bound, site, ends, findings):
                links.extend(_both_ways(relation, *bound, site))
    return tuple(sorted(links, key=lambda link: (link.holder, link.name)))


def _bind(
    product: Product, relation: Relation, site: Site, entities: Entities, findings: Findings
) -> tuple[_End, _End] | None:
    own = _end(product, relation.from_, site / "from", entities, findings, local=True)
    theirs = _end(product, relation.to, site / "to", entities, findings, local=False)
    if own is None or theirs is None:
        return None
    if len(own.fields) != len(theirs.fields):
        message = f"{len(own.fields)} fields at one end and {len(theirs.fields)} at the other"
        findings.error("DM212", site / "to", message, "Name as many fields in 'to' as in 'from'.")
        return None
    for mine, other in zip(own.fields, theirs.fields, strict=True):
        if mine.model.logical_type != other.model.logical_type:
            message = (
                f"{own.entity.model.name}.{mine.name} is {mine.model.logical_type} and "
                f"{theirs.entity.model.name}.{other.name} is {other.model.logical_type}"
            )
            findings.error("DM213", site / "to", message, "Both ends of a relation have the same logicalType.")
            return None
    if relation.restrict and relation.cardinality == "one-to-many" and relation.inverse is None:
        hint = "Add 'inverse:'; it names the way from the holding entity."
        findings.error("DM214", site / "restrict", "the restricted direction of this relation has no name", hint)
        return None
    return own, theirs


def _end(
    product: Product, texts: tuple[str, ...], site: Site, entities: Entities, findings: Findings, *, local: bool
) -> _End | None:
    found: list[tuple[ResolvedEntity, Field]] = []
    for index, text in enumerate(texts):
        place = site / index if (site / index).exists else site
        one = _field(product, text, place, entities, findings, local=local)
        if one is None:
            return None
        found.append(one)
    if len({entity.address for entity, _ in found}) > 1:
        findings.error("DM212", site, "the fields of one end belong to one entity", "Name fields of one entity only.")
        return None
    return _End(found[0][0], tuple(field for _, field in found))


def _field(
    product: Product, text: str, site: Site, entities: Entities, findings: Findings, *, local: bool
) -> tuple[ResolvedEntity, Field] | None:
    parts = END.match(text)
    if parts is None:
        form = "Entity.field" if local else "product#Entity.field, or Entity.field within this product"
        findings.error("DM210", site, f"'{text}' is not the end of a relation", f"Write {form}.")
        return None
    address = f"{parts['product'] or product.name}#{parts['entity']}"
    entity = entities.get(address)
    if entity is None:
        near = suggest(address, entities)
        hint = f"did you mean '{near}'?" if near else "The products of this mesh are those that 'include' names."
        findings.error("DM210", site, f"there is no entity '{address}'", hint)
        return None
    field = entity.fields.get(parts["field"])
    if field is None:
        near = suggest(parts["field"], entity.fields)
        hint = f"did you mean '{near}'?" if near else f"Its fields are: {', '.join(entity.fields)}."
        findings.error("DM211", site, f"{address} has no field '{parts['field']}'", hint)
        return None
    if field.column is None or not field.type.scalar:
        hint = "Relate plain fields; the source looks rows up by their columns."
        findings.error("DM212", site, f"{address}.{field.name} is computed or not a scalar", hint)
        return None
    return entity, field


def _first(
    bound: tuple[_End, _End], site: Site, ends: dict[frozenset[tuple[str, tuple[str, ...]]], Site], findings: Findings
) -> bool:
    own, theirs = bound
    key = frozenset({(own.entity.address, own.names), (theirs.entity.address, theirs.names)})
    earlier = ends.setdefault(key, site)
    if earlier is site:
        return True
    message = f"this relation is declared already at {earlier.span}"
    findings.error("DM215", site / "name", message, "Declare a relation once; 'inverse' names the way back.")
    return False


def _both_ways(relation: Relation, own: _End, theirs: _End, site: Site) -> Iterable[Link]:
    to_many = relation.cardinality == "one-to-many"
    yield Link(
        name=relation.name,
        holder=own.entity.address,
        target=theirs.entity.address,
        own=own.names,
        theirs=theirs.names,
        many=to_many,
        restrict=relation.restrict and not to_many,
        inverse=relation.inverse,
        model=relation,
        site=site,
    )
    if relation.inverse is not None:
        yield Link(
            name=relation.inverse,
            holder=theirs.entity.address,
            target=own.entity.address,
            own=theirs.names,
            theirs=own.names,
            many=relation.cardinality == "many-to-one",
            restrict=relation.restrict and to_many,
            inverse=relation.name,
            model=relation,
            site=site,
        )
