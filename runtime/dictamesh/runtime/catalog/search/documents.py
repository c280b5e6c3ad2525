# SPDX-License-Identifier: Apache-2.0
"""What can be found, from a plan: products, entities, fields and relations as documents of words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan, ProductPlan

DocumentKind = Literal["product", "entity", "field", "relation"]

LONGEST_TEXT = 10_000
"""Characters of a description, or of words, that are indexed."""
_PARTS = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found; ``words`` are its names, ``near_words`` what stands around it."""

    kind: DocumentKind
    address: str
    name: str
    product: str
    entity_types: tuple[str, ...]
    domain: str | None
    owner: str | None
    classification: str | None
    status: str
    pii: bool | None
    tags: tuple[str, ...]
    description: str
    words: str
    near_words: str
    regimes: tuple[str, ...] = ()


def documents(plan: Plan) -> tuple[Document, ...]:
    """Every document of a plan, in a stable order."""
    found: list[Document] = []
    for name, product in sorted(plan.products.items()):
        entities = [plan.entities[address] for address in product.entities]
        found.append(_product(name, product, entities))
        for entity in entities:
            found.append(_entity(entity, product, plan.regimes.get(entity.address, ())))
            found += (_field(each, entity, product, plan.regimes.get(each.address, ())) for each in _all(entity.fields))
            found += _relations(entity, product, plan)
    return tuple(found)


def external_document(entity_type: str, domain: str, owner: str | None, tier: str, pii: bool, text: str) -> Document:
    """The document of an entity that an editor registered."""
    return Document(
        "entity",
        entity_type,
        entity_type,
        "external",
        (entity_type,),
        domain,
        owner,
        tier,
        "active",
        pii,
        (),
        text[:LONGEST_TEXT],
        spoken(entity_type),
        spoken(domain, owner or ""),
    )


def spoken(*names: str) -> str:
    """Names as words: each whole, and taken apart at humps, dots, dashes and underscores."""
    found: list[str] = []
    for part in (part for name in names for part in _PARTS.findall(name)):
        humps = _HUMPS.sub(" ", part).split()
        found += [part, *humps] if len(humps) > 1 else [part]
    return " ".join(found)[:LONGEST_TEXT]


def _product(name: str, product: ProductPlan, entities: list[EntityPlan]) -> Document:
    """What a product is by itself: its entities may be hidden one by one, so nothing of them stands here."""
    return Document(
        "product",
        name,
        name,
        name,
        tuple(entity.name for entity in entities),
        product.domain,
        product.owner,
        None,
        product.status,
        None,
        (),
        product.description[:LONGEST_TEXT],
        spoken(name, product.id),
        spoken(product.domain or "", product.owner or ""),
    )


def _entity(entity: EntityPlan, product: ProductPlan, regimes: tuple[str, ...]) -> Document:
    tags = {tag for each in _all(entity.fields) for tag in each.tags}
    return Document(
        "entity",
        entity.address,
        entity.name,
        product.name,
        (entity.name,),
        product.domain,
        product.owner,
        entity.catalog["data_classification"],
        product.status,
        entity.catalog["contains_pii"],
        _with_those_above(tags),
        entity.description[:LONGEST_TEXT],
        spoken(entity.name, entity.singular, entity.plural),
        spoken(
            product.name,
            product.domain or "",
            product.owner or "",
            entity.server,
            entity.topic.name,
            *sorted(tags),
            *regimes,
        ),
        regimes,
    )


def _field(field: FieldPlan, entity: EntityPlan, product: ProductPlan, regimes: tuple[str, ...]) -> Document:
    return Document(
        "field",
        field.address,
        field.name,
        product.name,
        (entity.name,),
        product.domain,
        product.owner,
        field.tier,
        product.status,
        field.pii,
        _with_those_above(field.tags),
        field.description[:LONGEST_TEXT],
        spoken(field.name),
        spoken(entity.name, product.name, product.domain or "", product.owner or "", *field.tags, *regimes),
        regimes,
    )


def _relations(entity: EntityPlan, product: ProductPlan, plan: Plan) -> Iterator[Document]:
    for link in entity.links:
        if link.declared:
            target = plan.entities[link.target]
            yield Document(
                "relation",
                f"{entity.address}.{link.name}",
                link.name,
                product.name,
                tuple(dict.fromkeys((entity.name, target.name))),
                product.domain,
                product.owner,
                None,
                product.status,
                None,
                (),
                link.description[:LONGEST_TEXT],
                spoken(link.name, link.inverse or ""),
                spoken(entity.name, target.name, product.name, target.product),
            )


def _all(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _all(field.members)


def _with_those_above(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags, and for each dotted one those above it, in order."""
    found: set[str] = set()
    for tag in tags:
        parts = tag.split(".")
        found.update(".".join(parts[: depth + 1]) for depth in range(len(parts)))
    return tuple(sorted(found))
