# SPDX-License-Identifier: Apache-2.0
"""Relations: both directions of each, bound to fields at both ends (S11)."""

import re
from collections.abc import Collection, Iterable, Mapping
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


def resolve_links(
    products: Iterable[Declared[Product]],
    entities: Entities,
    findings: Findings,
    *,
    complete: bool,
    contracts: Collection[str] = (),
) -> tuple[Link, ...]:
    """Bind every relation of every product; a faulty one is recorded and left out.

    `complete` is false where a product could not be read, so that an unknown entity may be one of its. `contracts` are
    names of products of which nothing is served.
    """
    links: list[Link] = []
    ends: dict[frozenset[tuple[str, str]], Site] = {}
    for product in products:
        for index, relation in enumerate(product.model.relations):
            site = product.site / "relations" / index
            binder = _Binder(product.model, entities, complete, contracts, findings)
            bound = binder.bind(relation, site)
            if bound is not None and _first(bound, site, ends, findings):
                links.extend(_both_ways(relation, *bound, site))
    _check_circles(links, findings)
    return tuple(sorted(links, key=lambda link: (link.holder, link.name)))


def _check_circles(links: Iterable[Link], findings: Findings) -> None:
    """Whether a row exists may not depend on itself."""
    restricted: dict[str, list[Link]] = {}
    for link in links:
        if link.restrict:
            restricted.setdefault(link.holder, []).append(link)
    for start in restricted:
        path = _back_to(start, start, restricted, set())
        if path and start == min(link.holder for link in path):
            way = " → ".join([*(f"{link.holder}.{link.name}" for link in path), start])
            message = f"restricted relations lead in a circle: {way}"
            findings.error("DM216", path[0].site / "restrict", message)


def _back_to(start: str, here: str, restricted: Mapping[str, list[Link]], seen: set[str]) -> tuple[Link, ...]:
    for link in restricted.get(here, ()):
        if link.target == start:
            return (link,)
        if link.target not in seen:
            seen.add(link.target)
            rest = _back_to(start, link.target, restricted, seen)
            if rest:
                return (link, *rest)
    return ()


@dataclass(frozen=True, slots=True)
class _Binder:
    product: Product
    entities: Entities
    complete: bool
    contracts: Collection[str]
    findings: Findings

    def bind(self, relation: Relation, site: Site) -> tuple[_End, _End] | None:
        own = self.end(relation.from_, site / "from", local=True)
        theirs = self.end(relation.to, site / "to", local=False)
        if own is None or theirs is None:
            return None
        if len(own.fields) != len(theirs.fields):
            message = f"{len(own.fields)} fields at one end and {len(theirs.fields)} at the other"
            self.findings.error("DM212", site / "to", message, "Name as many fields in 'to' as in 'from'.")
            return None
        for index, (mine, other) in enumerate(zip(own.fields, theirs.fields, strict=True)):
            if mine.model.logical_type is None or other.model.logical_type is None:  # told of already
                return None
            if mine.model.logical_type != other.model.logical_type:
                message = (
                    f"{own.entity.model.name}.{mine.name} is {mine.model.logical_type} and "
                    f"{theirs.entity.model.name}.{other.name} is {other.model.logical_type}"
                )
                hint = "Both ends of a relation have the same logicalType."
                self.findings.error("DM213", _entry(site / "to", index), message, hint)
                return None
        if relation.restrict and relation.cardinality == "one-to-many" and relation.inverse is None:
            hint = "Add 'inverse:'; it names the way from the holding entity."
            message = "the restricted direction of this relation has no name"
            self.findings.error("DM214", site / "restrict", message, hint)
            return None
        return own, theirs

    def end(self, texts: tuple[str, ...], site: Site, *, local: bool) -> _End | None:
        found: list[tuple[ResolvedEntity, Field]] = []
        for index, text in enumerate(texts):
            one = self.field(text, _entry(site, index), local=local)
            if one is None:
                return None
            found.append(one)
        if len({entity.address for entity, _ in found}) > 1:
            message = "the fields of one end belong to one entity"
            self.findings.error("DM212", site, message, "Name fields of one entity only.")
            return None
        return _End(found[0][0], tuple(field for _, field in found))

    def field(self, text: str, site: Site, *, local: bool) -> tuple[ResolvedEntity, Field] | None:
        parts = END.match(text)
        if parts is None or (local and parts["product"] not in {None, self.product.name}):
            form = "Entity.field of this product" if local else "product#Entity.field, or Entity.field of this product"
            self.findings.error("DM210", site, f"'{text}' cannot be this end of a relation", f"Write {form}.")
            return None
        entity = self.entity(parts, site)
        if entity is None:
            return None
        field = entity.fields.get(parts["field"])
        if field is None:
            near = suggest(parts["field"], entity.fields)
            hint = f"did you mean '{near}'?" if near else f"Its fields are: {', '.join(entity.fields)}."
            self.findings.error("DM211", site, f"{entity.address} has no field '{parts['field']}'", hint)
            return None
        if field.column is None or not field.type.scalar:
            hint = "Relate plain fields; the source looks rows up by their columns."
            what = "computed" if field.column is None else "no scalar"
            self.findings.error("DM212", site, f"{entity.address}.{field.name} is {what}", hint)
            return None
        return entity, field

    def entity(self, parts: re.Match[str], site: Site) -> ResolvedEntity | None:
        address = f"{parts['product'] or self.product.name}#{parts['entity']}"
        found = self.entities.get(address)
        named = {each.product.name for each in self.entities.values()} if found is None else set()
        if found is None and (self.complete or parts["product"] in {None, *named}):
            near = suggest(address, self.entities)
            if near and parts["product"] is None:
                near = near.removeprefix(f"{self.product.name}#")
            hint = f"did you mean '{near}'?" if near else "The products of this mesh are those that 'include' names."
            if parts["product"] in self.contracts:
                hint = f"'{parts['product']}' is a contract without a source, so that nothing of it can be related."
            self.findings.error("DM210", site, f"there is no entity '{address}'", hint)
        return found


def _entry(site: Site, index: int) -> Site:
    return site / index if (site / index).exists else site


def _first(
    bound: tuple[_End, _End], site: Site, ends: dict[frozenset[tuple[str, str]], Site], findings: Findings
) -> bool:
    own, theirs = bound
    key = frozenset(
        pair
        for mine, other in zip(own.fields, theirs.fields, strict=True)
        for pair in ((mine.address, other.address), (other.address, mine.address))
    )
    earlier = ends.setdefault(key, site)
    if earlier is site:
        return True
    message = f"this relation is declared already at {(earlier / 'name').span}"
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
            inverted=True,
        )
