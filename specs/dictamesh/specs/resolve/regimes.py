# SPDX-License-Identifier: Apache-2.0
"""Regimes of law and audit that data falls under: named by tags, and by custom properties of contracts (GV-12)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dictamesh.specs.diagnostics import Findings, Severity
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Contract, Product, Taxonomy
from dictamesh.specs.model.odcs import CustomProperty
from dictamesh.specs.model.taxonomy import REGIMES
from dictamesh.specs.resolve.sensitivity import covers
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity
from dictamesh.specs.suggest import suggest

PROPERTY = "regimes"
"""The custom property of ODCS, on a product, an entity or a property, that names regimes; ODCS has no word for them."""

Regimes = Mapping[str, tuple[str, ...]]
"""By address of a product, an entity or a field; what falls under none is not there."""


def check_tag_regimes(taxonomy: Declared[Taxonomy], findings: Findings) -> None:
    """Record regimes of tags that are neither built in nor declared."""
    for name, tag in taxonomy.model.tags.items():
        for index, regime in enumerate(tag.regimes):
            at = taxonomy.site / "tags" / name / "regimes" / index
            _check(regime, at, taxonomy.model, findings)


def resolve_regimes(
    products: Iterable[Declared[Product]],
    contracts: Iterable[Declared[Contract]],
    entities: Mapping[str, ResolvedEntity],
    taxonomy: Taxonomy,
    findings: Findings,
) -> Regimes:
    """Return what each product, entity and field falls under; what holds a field falls under its regimes, too.

    Of a contract without a source an unknown regime is a warning, for nothing of it is served.
    """
    resolver, warned = _Resolver(taxonomy, findings), Findings()
    found: dict[str, set[str]] = {}
    for contract in contracts:
        found[contract.model.name] = _Resolver(taxonomy, warned).named(contract.model.custom_properties, contract.site)
    findings.extend(replace(each, severity=Severity.WARNING) for each in warned)
    for product in products:
        found[product.model.name] = resolver.named(product.model.custom_properties, product.site)
    for entity in entities.values():
        own = resolver.named(entity.model.custom_properties, entity.site)
        above = own | found[entity.product.name]
        found[entity.address] = set(above)
        for field in entity.fields.values():
            for address, regimes in resolver.field(field, above):
                found[address] = regimes
                found[entity.address] |= regimes
        found[entity.product.name] |= found[entity.address]
    return {address: tuple(sorted(regimes)) for address, regimes in sorted(found.items()) if regimes}


class _Resolver:
    """What a taxonomy says of tags; lives for one validation."""

    def __init__(self, taxonomy: Taxonomy, findings: Findings) -> None:
        self.taxonomy = taxonomy
        self.findings = findings

    def field(self, field: Field, above: set[str]) -> Iterator[tuple[str, set[str]]]:
        """A field and, below it, its members; each falls under what the object does that it belongs to."""
        own = above | self.named(field.model.custom_properties, field.site)
        own |= {regime for tag in field.tags for regime in self._of_tag(tag)}
        inner = [each for member in field.members for each in self.field(member, own)]
        yield field.address, own.union(*(regimes for _, regimes in inner))
        yield from inner

    def named(self, properties: Iterable[CustomProperty], site: Site) -> set[str]:
        found: set[str] = set()
        for index, each in enumerate(properties):
            if each.property != PROPERTY:
                continue
            at = site / "customProperties" / index / "value"
            names = each.value if isinstance(each.value, list | tuple) else [each.value]
            for position, name in enumerate(names):
                place = at / position if (at / position).exists else at
                if not isinstance(name, str):
                    hint = "Write the name of a regime, or a list of names."
                    self.findings.error("DM217", place, "this names no regime", hint)
                elif _check(name, place, self.taxonomy, self.findings):
                    found.add(name)
        return found

    def _of_tag(self, tag: str) -> Iterator[str]:
        for name, each in self.taxonomy.tags.items():
            if covers(name, tag):
                yield from each.regimes


def _check(name: str, at: Site, taxonomy: Taxonomy, findings: Findings) -> bool:
    names = [*REGIMES, *taxonomy.regimes]
    if name in names:
        return True
    near = suggest(name, names)
    declare = f"Known are {', '.join(sorted(names))}; declare others under 'regimes' of the taxonomy."
    findings.error("DM217", at, f"unknown regime '{name}'", f"did you mean '{near}'?" if near else declare)
    return False
