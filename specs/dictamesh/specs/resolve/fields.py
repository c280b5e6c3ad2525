# SPDX-License-Identifier: Apache-2.0
"""The fields of an entity: types, columns, expressions, and what each carries (S1..S3)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions import Scope
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal, columns
from dictamesh.specs.model import Entity, EntitySource, Property
from dictamesh.specs.model.product import Element, SourceColumnSpec
from dictamesh.specs.resolve.scopes import checked
from dictamesh.specs.resolve.sensitivity import (
    Sensitivity,
    Vocabulary,
    check_carried,
    declared,
    join,
    looks_like_pii,
)
from dictamesh.specs.resolve.typing import check_column_type, element_type
from dictamesh.specs.resolved import Field
from dictamesh.specs.types import DECIMAL, JSON, Kind, Type


@dataclass(slots=True)
class FieldResolver:
    """Resolves the fields of one entity; lives for that one call."""

    address: str
    entity: Entity
    binding: EntitySource
    site: Site
    binding_site: Site
    words: Vocabulary
    findings: Findings
    columns: dict[str, Type] = field(default_factory=dict)
    own: dict[str, Sensitivity] = field(default_factory=dict)
    carried: dict[str, Sensitivity] = field(default_factory=dict)
    done: dict[str, Field] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def resolve(self) -> dict[str, Field]:
        """Return the fields by name in declared order."""
        sites = {each.name: self.site / "properties" / i for i, each in enumerate(self.entity.properties)}
        for each in self.entity.properties:
            place = sites[each.name]
            self.own[each.name] = declared(each.classification, each.tags, place, self.words, self.findings)
            if each.classification is None:
                message = f"'{each.name}' has no classification and is served as restricted"
                self.findings.warning("DM804", place / "name", message, "Add 'classification:'.")
            if each.transform_logic is None:
                self._plain_column(each, place)
        self._declared_columns()
        for name in sites:
            self.field(name)
        self._check_short_columns(sites)
        return {name: self.done[name] for name in sites}

    def _plain_column(self, each: Property, place: Site) -> None:
        name = each.physical_name or each.name
        found = element_type(each, place, Findings(), lambda: JSON)
        kind = JSON if not found.scalar else Type(found.kind, found.precision, found.scale)
        earlier = self.columns.setdefault(name, kind)
        if earlier != kind:
            message = f"the column '{name}' is {earlier} in another property and {kind} here"
            self.findings.error("DM220", place / "logicalType", message, "Properties on one column have one type.")
        self.carried[name] = join([self.carried.get(name, NOTHING), self.own[each.name]])

    def _declared_columns(self) -> None:
        for name, spec in self.binding.columns.items():
            place = self.binding_site / "columns" / name
            text = spec.type if isinstance(spec, SourceColumnSpec) else spec
            at = place / "type" if isinstance(spec, SourceColumnSpec) else place
            if name in self.columns:
                hint = "Remove it here; the property declares it."
                self.findings.error("DM221", place.key_span, f"'{name}' is the column of a property already", hint)
                continue
            self.columns[name] = check_column_type(text, at, self.findings)
            if isinstance(spec, SourceColumnSpec) and (spec.classification is not None or spec.tags):
                self.carried[name] = declared(spec.classification, spec.tags, place, self.words, self.findings)

    def field(self, name: str) -> Field:
        """Resolve one field, and before it those that it reads through `self`."""
        if name in self.done:
            return self.done[name]
        position, model = next((i, p) for i, p in enumerate(self.entity.properties) if p.name == name)
        place = self.site / "properties" / position
        self.open.append(name)
        try:
            self.done[name] = (
                self._plain(model, place) if model.transform_logic is None else self._computed(model, place)
            )
        finally:
            self.open.pop()
        return self.done[name]

    def _plain(self, model: Property, place: Site) -> Field:
        column = model.physical_name or model.name
        effective = check_carried(
            self.own[model.name], self.carried[column], f"the column '{column}'", place, self.findings
        )
        members = self._members(model, f"{self.address}.{model.name}", place, effective)
        found = element_type(model, place, self.findings, lambda: object_type(members))
        expr: Expr = Column((column,), found)
        if found.kind is Kind.DECIMAL and found.precision is not None:
            expr = Call("cast", (Column((column,), DECIMAL),), found)
        return self._field(model, place, found, column, expr, effective, members)

    def _computed(self, model: Property, place: Site) -> Field:
        found = element_type(model, place, self.findings, lambda: JSON)
        carried: list[Sensitivity] = []
        names: dict[str, Expr] = {name: Column((name,), kind) for name, kind in self.columns.items()}
        scope = Scope(names=names, groups={"self": _Own(self, carried, place)})
        expr = checked(model.transform_logic or "", scope, found, place / "transformLogic", self.findings, self.address)
        read = sorted({path[0] for path in columns(expr)}) if expr is not None else []
        carried.extend(self.carried[column] for column in read if column in self.carried)
        effective = check_carried(self.own[model.name], join(carried), "what it reads", place, self.findings)
        self._warn_pii(model, read, effective, place)
        return self._field(model, place, found, None, expr or Literal(None, found), effective, ())

    def _warn_pii(self, model: Property, read: list[str], effective: Sensitivity, place: Site) -> None:
        suspects = [column for column in read if looks_like_pii(column)]
        if suspects and not self.words.is_pii(effective.tags):
            message = f"'{model.name}' reads '{suspects[0]}', which looks like personal data, and has no pii tag"
            self.findings.warning("DM805", place / "transformLogic", message, "Add a pii tag, or rename the column.")

    def _field(
        self,
        model: Property,
        place: Site,
        found: Type,
        column: str | None,
        expr: Expr,
        effective: Sensitivity,
        members: tuple[Field, ...],
    ) -> Field:
        return Field(
            address=f"{self.address}.{model.name}",
            model=model,
            site=place,
            type=found,
            column=column,
            expr=expr,
            tier=effective.tier if effective.tier is not None else "restricted",
            tags=tuple(sorted(effective.tags)),
            pii=self.words.is_pii(effective.tags),
            members=members,
        )

    def _members(self, element: Element, address: str, place: Site, above: Sensitivity) -> tuple[Field, ...]:
        if element.items is not None and not element.properties:
            return self._members(element.items, address, place / "items", above)
        return tuple(
            self._member(each, f"{address}.{each.name}", place / "properties" / index, above)
            for index, each in enumerate(element.properties)
        )

    def _member(self, model: Property, address: str, place: Site, above: Sensitivity) -> Field:
        own = declared(model.classification, model.tags, place, self.words, self.findings)
        if model.classification is not None and own.rank < above.rank:
            hint = f"Leave it out, or write '{above.tier}'."
            message = f"'{own.tier}' is lower than '{above.tier}' of the object it belongs to"
            self.findings.error("DM206", place / "classification", message, hint)
        effective = join([above, own if model.classification is not None else Sensitivity("public", own.tags)])
        if model.transform_logic is not None or model.primary_key:
            hint = "Compute a property of the entity itself."
            message = "a property inside an object is neither computed nor a key"
            self.findings.error("DM222", place / "name", message, hint)
        members = self._members(model, address, place, effective)
        found = element_type(model, place, self.findings, lambda: object_type(members))
        column = model.physical_name or model.name
        made = self._field(model, place, found, column, Column((column,), found), effective, members)
        return replace(made, address=address)

    def _check_short_columns(self, sites: Mapping[str, Site]) -> None:
        for name, spec in self.binding.columns.items():
            if name in self.carried or (isinstance(spec, SourceColumnSpec) and spec.tags):
                continue
            readers = [each for each in self.done.values() if each.column is None and (name,) in columns(each.expr)]
            carried = join([Sensitivity(each.tier, frozenset(each.tags)) for each in readers])
            for each in readers:
                check_carried(self.own[each.name], carried, f"the column '{name}'", sites[each.name], self.findings)


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
            return Literal(None, resolver.done[name].type if name in resolver.done else JSON)
        if name not in self:
            raise KeyError(name)
        found = resolver.field(name)
        self._carried.append(Sensitivity(found.tier, frozenset(found.tags)))
        return found.expr

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._resolver.entity.properties)

    def __len__(self) -> int:
        return len(self._resolver.entity.properties)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self._resolver.entity.properties)


NOTHING = Sensitivity("public", frozenset())


def object_type(members: tuple[Field, ...]) -> Type:
    """The type of an object with these members."""
    return Type(Kind.OBJECT, members=tuple((member.name, member.type) for member in members))
