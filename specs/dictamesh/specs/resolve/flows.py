# SPDX-License-Identifier: Apache-2.0
"""Flows: what a field is made of elsewhere in the mesh or beyond it, and the protection that flows along."""

from collections.abc import Iterable, Iterator, Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.model import Mesh, Product
from dictamesh.specs.resolve.declared_lineage import declared_lineage
from dictamesh.specs.resolve.flow_ends import ADDRESS, Bound, Known, check_protected, check_through, field_end, of_field
from dictamesh.specs.resolve.matching import every_field
from dictamesh.specs.resolve.sensitivity import Vocabulary
from dictamesh.specs.resolved import Declared, Flow, ResolvedEntity

Entities = Mapping[str, ResolvedEntity]


def resolve_flows(
    products: Iterable[Declared[Product]],
    entities: Entities,
    mesh: Declared[Mesh],
    words: Vocabulary,
    findings: Findings,
    *,
    complete: bool,
) -> tuple[Flow, ...]:
    """Bind the inputs and the lineage of every product, and see that no output is protected less than they are.

    Besides `inputs`, entries of `transformSourceObjects` that are written `product#Entity.field` name inputs.
    """
    fields = {each.address: each for entity in entities.values() for each in every_field(entity.fields.values())}
    known = Known(fields, entities, words, mesh, complete, findings)
    found = [bound for product in products for bound in _of_product(product, known)]
    for bound in found:
        check_protected(bound, known)
    return tuple(sorted((bound.flow for bound in found), key=lambda flow: (flow.target, str(flow.source))))


def _of_product(product: Declared[Product], known: Known) -> Iterator[Bound]:
    for index, each in enumerate(product.model.inputs):
        site = product.site / "inputs" / index
        target = field_end(each.to, site / "to", product.model, known, local=True)
        check_through(each, site, known)
        for position, text in enumerate(each.from_):
            at = site / "from" / position if (site / "from" / position).exists else site / "from"
            source = field_end(text, at, product.model, known, local=False)
            if source is not None and target is not None:
                yield Bound(Flow(source.at, str(target.at), each, site), source, target)
    yield from _of_fields(product.model, known)
    yield from declared_lineage(product, known)


def _of_fields(product: Product, known: Known) -> Iterator[Bound]:
    for field in known.fields.values():
        if not field.address.startswith(f"{product.name}#"):
            continue
        for index, text in enumerate(field.model.transform_source_objects):
            site = field.site / "transformSourceObjects" / index
            if "#" in text and ADDRESS.match(text):
                source = field_end(text, site, product, known, local=False)
                if source is not None:
                    yield Bound(Flow(source.at, field.address, None, site), source, of_field(field))
