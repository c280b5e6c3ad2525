# SPDX-License-Identifier: Apache-2.0
"""The fields of an entity: types, columns, expressions, and what each carries (S1..S3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions import Problems, Scope, check
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, columns
from dictamesh.specs.model import Entity, EntitySource, Product, Property
from dictamesh.specs.model.product import Element
from dictamesh.specs.resolve.columns import Columns, leaves, said
from dictamesh.specs.resolve.limits import limits
from dictamesh.specs.resolve.lookalikes import Lookalikes
from dictamesh.specs.resolve.scopes import checked
from dictamesh.specs.resolve.sensitivity import (
    Sensitivity,
    Vocabulary,
    check_carried,
    declared,
    join,
)
from dictamesh.specs.resolve.typing import element_type, items_of
from dictamesh.specs.resolved import Declared, Field
from dictamesh.specs.types import DECIMAL, JSON, Kind, Type


@dataclass(slots=True)
class FieldResolver:
    """Resolves the fields of one entity; lives for that one call. `inherited`: tags of the entity and the product."""

    product: Declared[Product]
    entity: Entity
    binding: EntitySource
    site: Site
    binding_site: Site
    words: Vocabulary
    inherited: frozenset[str]
    lookalikes: Lookalikes
    findings: Findings
    columns: Columns = field(default_factory=Columns)
    places: dict[str, tuple[Property, Site]] = field(default_factory=dict)
    own: dict[str, Sensitivity] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    done: dict[str, Field] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.product.model.name}#{self.entity.name}"

    def resolve(self) -> dict[str, Field]:
        """Return the fields by name in declared order."""
        self.places = dict(unique(self.entity.properties, self.site / "properties", self.findings))
        for name, (model, place) in self.places.items():
            self._declare(name, model, place)
        self.columns.declare(self.binding, self.binding_site, self.words, self.findings)
        for name in self.places:
            self.field(name)
        self._check_short_columns()
        return {name: self.done[name] for name in self.places}

    def _declare(self, name: str, model: Property, place: Site) -> None:
        own = declared(model.classification, model.tags, place, self.words, self.findings)
        self.own[name] = Sensitivity(own.tier, own.tags | self.inherited)
        if model.classification is None and self.product.sound(place):
            message = f"'{name}' has no classification and is served as restricted"
            self.findings.warning("DM804", place / "name", message, "Add 'classification:'.")
        if model.transform_logic is not None:
            return
        column = model.physical_name or name
        kind = JSON
        if model.logical_type not in {"object", "array"}:
            kind = self.types[name] = self._type(model, place, ())
        self.columns.property(column, Type(kind.kind, kind.precision, kind.scale), place, self.findings)
        for path, carried in leaves(model, column, self.own[name], self.words):
            self.columns.leaf(path, carried)

    def field(self, name: str) -> Field:
        """Resolve one field, and before it those that it reads through `self`."""
        if name in self.done:
            return self.done[name]
        model, place = self.places[name]
        self.open.append(name)
        try:
            made = self._plain(model, place) if model.transform_logic is None else self._computed(model, place)
            self.done[name] = made
        finally:
            self.open.pop()
        return self.done[name]

    def _plain(self, model: Property, place: Site) -> Field:
        column = model.physical_name or model.name
        effective = own = self.own[model.name]
        inner = items_of(model)
        if inner is not model:
            effective = self._items(model, own, place)
        if not inner.properties:
            effective = self._carry(effective, column, place)
        members = self._members(inner, f"{self.address}.{model.name}", column, inner_site(model, place), effective)
        found = self.types.get(model.name)
        if found is None:
            found = self._type(model, place, members)
        expr: Expr = Column((column,), found)
        if found.kind is Kind.DECIMAL and found.precision is not None:
            expr = Call("cast", (Column((column,), DECIMAL),), found)
        if not members:
            self._warn_pii(model, model.name, [column], found, effective, place)
        return self._field(f"{self.address}.{model.name}", model, place, found, (column, expr), effective, members)

    def _type(self, model: Element, place: Site, members: tuple[Field, ...] | None) -> Type:
        mistyped = model.logical_type is None and not self.product.sound(place)
        findings = Findings() if mistyped else self.findings
        return element_type(model, place, findings, lambda: JSON if members is None else object_type(members))

    def _carry(self, own: Sensitivity, column: str, place: Site) -> Sensitivity:
        carried = self.columns.carried(column)
        if carried is None or carried == own:
            return join([own])
        findings = self.findings if self.product.sound(place) else Findings()
        return check_carried(own, carried, f"the column '{column}'", place, findings)

    def _items(self, model: Element, own: Sensitivity, place: Site) -> Sensitivity:
        """What an array holds, declared below `items`, is no more sensitive than the array says."""
        while model.items is not None:
            model, place_ = model.items, place / "items"
            declared(model.classification, model.tags, place_, self.words, self.findings)
            inner = said(model, self.words)
            if model.properties:
                own = join([own, inner])
            else:
                own = check_carried(own, inner, "its 'items' declaration", place, self.findings)
            place = place_
        return own

    def _computed(self, model: Property, place: Site) -> Field:
        found = self.types[model.name] = self._type(model, place, None)
        if model.properties or (model.items is not None and items_of(model).properties):
            at = place / ("properties" if model.properties else "items")
            message = "a computed property has no properties of its own"
            self.findings.error("DM222", at.key_span, message, "Leave them out: it is served as JSON.")
        read: list[Sensitivity] = []
        names: dict[str, Expr] = {name: Column((name,), kind) for name, kind in self.columns.types.items()}
        scope = Scope(names=names, groups={"self": _Own(self, read, place)})
        at = place / "transformLogic"
        expr = checked(model.transform_logic or "", scope, found, at, self.findings, self.address, self._cure)
        written = self._written(model.transform_logic or "", found, names) if expr is not None and read else None
        names_read = sorted({path[0] for path in columns(expr)}) if expr is not None else []
        read.extend(filter(None, (self.columns.carried(column) for column in names_read)))
        findings = self.findings if self.product.sound(place) else Findings()
        effective = check_carried(self.own[model.name], join(read), "what it reads", place, findings)
        self._warn_pii(model, model.name, names_read, found, effective, place)
        value = (None, expr or Literal(None, found))
        made = self._field(f"{self.address}.{model.name}", model, place, found, value, effective)
        return replace(made, written=written)

    def _written(self, text: str, wanted: Type, names: dict[str, Expr]) -> Expr | None:
        """The tree with `self.` reads kept; None where a constant behind one decides the types of the others."""
        own: dict[str, Expr] = {name: Column(("self", name), each.type) for name, each in self.done.items()}
        try:
            return check(text, Scope(names=names, groups={"self": own}), wanted)
        except Problems:
            return None

    def _cure(self, name: str, hint: str | None) -> str | None:
        if name in self.places:
            return f"'{name}' is a field, not a source column; write self.{name}."
        if name.partition(".")[0] in {"principal", "request"}:
            return "A field is computed alike for everyone; use 'where' of a policy's rule."
        return hint

    def _warn_pii(
        self, model: Property, path: str, read: list[str], type_: Type, effective: Sensitivity, place: Site
    ) -> None:
        if not self.words.is_pii(effective.tags) and self.product.sound(place):
            self.lookalikes.warn(model, path, read, type_, place)

    def _field(
        self,
        address: str,
        model: Property,
        place: Site,
        found: Type,
        value: tuple[str | None, Expr],
        effective: Sensitivity,
        members: tuple[Field, ...] = (),
    ) -> Field:
        column, expr = value
        return Field(
            address=address,
            model=model,
            site=place,
            type=found,
            column=column,
            expr=expr,
            tier=effective.tier if effective.tier is not None else "restricted",
            tags=tuple(sorted(effective.tags)),
            pii=self.words.is_pii(effective.tags),
            members=members,
            limits=limits(model, found, place, self.findings if self.product.sound(place) else Findings()),
        )

    def _members(self, element: Element, address: str, path: str, place: Site, above: Sensitivity) -> tuple[Field, ...]:
        return tuple(
            self._member(each, f"{address}.{name}", f"{path}.{each.physical_name or name}", at, above)
            for name, (each, at) in unique(element.properties, place / "properties", self.findings)
        )

    def _member(self, model: Property, address: str, path: str, place: Site, above: Sensitivity) -> Field:
        own = declared(model.classification, model.tags, place, self.words, self.findings)
        if own.tier is not None and own.rank < above.rank:
            hint = f"Leave it out, or write '{above.tier}'."
            message = f"'{own.tier}' is lower than '{above.tier}' of the object it belongs to"
            self.findings.error("DM206", place / "classification", message, hint)
        effective = join([above, own if model.classification is not None else Sensitivity("public", own.tags)])
        if model.transform_logic is not None or model.primary_key:
            at = place / ("transformLogic" if model.transform_logic is not None else "primaryKey")
            message = "a property inside an object is neither computed nor a key"
            self.findings.error("DM222", at, message, "Compute a property of the entity itself.")
        inner = items_of(model)
        if inner is not model:
            effective = self._items(model, effective, place)
        if not inner.properties:
            effective = self._carry(effective, path, place)
        members = self._members(inner, address, path, inner_site(model, place), effective)
        found = self._type(model, place, members)
        column = model.physical_name or model.name
        if not members:
            self._warn_pii(model, address.partition("#")[2].partition(".")[2], [column], found, effective, place)
        return self._field(address, model, place, found, (column, Column((column,), found)), effective, members)

    def _check_short_columns(self) -> None:
        reads = [(each, _folded(each.expr)) for each in self.done.values() if each.column is None]
        for name, tagged in self.columns.short.items():
            readers = [each for each, read in reads if name in read]
            carried = join([tagged, *(Sensitivity(each.tier, frozenset(each.tags)) for each in readers)])
            for each in readers:
                findings = self.findings if self.product.sound(each.site) else Findings()
                check_carried(self.own[each.name], carried, f"the column '{name}'", each.site, findings)


def _folded(expr: Expr) -> frozenset[str]:
    return frozenset(path[0].casefold() for path in columns(expr))


class _Own(Mapping[str, Expr]):
    """`self.<field>` of an expression: resolves the field on first use and notes what it carries."""

    def __init__(self, resolver: FieldResolver, carried: list[Sensitivity], place: Site) -> None:
        self._resolver = resolver
        self._carried = carried
        self._place = place

    def __getitem__(self, name: str) -> Expr:
        resolver = self._resolver
        if name in resolver.open:
            path = " → ".join([*resolver.open[resolver.open.index(name) :], name])
            message = f"computed fields read each other in a circle: {path}"
            resolver.findings.error("DM307", self._place / "transformLogic", message, "Break the circle.")
            return Literal(None, resolver.types.get(name, JSON))
        found = resolver.field(name)
        self._carried.extend(_everything(found))
        return found.expr

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolver.places)

    def __len__(self) -> int:
        return len(self._resolver.places)

    def __contains__(self, name: object) -> bool:
        return name in self._resolver.places


def unique(
    properties: Iterable[Property], site: Site, findings: Findings
) -> Iterator[tuple[str, tuple[Property, Site]]]:
    """Properties by name with their places; a second one of a name is recorded and left out."""
    seen: dict[str, Site] = {}
    for index, each in enumerate(properties):
        place = site / index
        earlier = seen.setdefault(each.name, place)
        if earlier is not place:
            first = earlier / "name"
            message = f"'{each.name}' is declared already at {first.span}"
            findings.error("DM604", place / "name", message, "Names of fields are unique in an entity or object.")
        else:
            yield each.name, (each, place)


def inner_site(element: Element, site: Site) -> Site:
    """Where the innermost `items` of an array stand; the site itself for anything else."""
    while element.items is not None and not element.properties:
        element, site = element.items, site / "items"
    return site


def object_type(members: tuple[Field, ...]) -> Type:
    """The type of an object with these members."""
    return Type(Kind.OBJECT, members=tuple((member.name, member.type) for member in members))


def _everything(field_: Field) -> Iterator[Sensitivity]:
    yield Sensitivity(field_.tier, frozenset(field_.tags))
    for member in field_.members:
        yield from _everything(member)
