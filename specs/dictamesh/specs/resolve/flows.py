# SPDX-License-Identifier: Apache-2.0
"""Flows between products: what a field is made of elsewhere in the mesh, and the protection that flows along."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Input, Mesh, Product
from dictamesh.specs.resolve.declared import declared_names
from dictamesh.specs.resolve.matching import every_field
from dictamesh.specs.resolve.sensitivity import Sensitivity, covers
from dictamesh.specs.resolved import Declared, Field, Flow, ResolvedEntity
from dictamesh.specs.suggest import suggest

ADDRESS = re.compile(r"(?:[^#]+#)?\w+\.\w+(?:\.\w+)*\Z")

Entities = Mapping[str, ResolvedEntity]


@dataclass(frozen=True, slots=True)
class _Known:
    """Every field by address; `complete` is false where a product could not be read."""

    fields: Mapping[str, Field]
    mesh: Declared[Mesh]
    complete: bool
    findings: Findings


def resolve_flows(
    products: Iterable[Declared[Product]],
    entities: Entities,
    mesh: Declared[Mesh],
    findings: Findings,
    *,
    complete: bool,
) -> tuple[Flow, ...]:
    """Bind the inputs of every product, and see that no output is protected less than they are.

    Besides `inputs`, entries of `transformSourceObjects` that are written `product#Entity.field` name inputs.
    """
    fields = {each.address: each for entity in entities.values() for each in every_field(entity.fields.values())}
    known = _Known(fields, mesh, complete, findings)
    flows = [flow for product in products for flow in _of_product(product, known)]
    for flow in flows:
        _check(flow, known)
    return tuple(sorted(flows, key=lambda flow: (flow.target, flow.source)))


def _of_product(product: Declared[Product], known: _Known) -> Iterator[Flow]:
    for index, each in enumerate(product.model.inputs):
        site = product.site / "inputs" / index
        target = _end(each.to, site / "to", product.model, known, local=True)
        _check_through(each, site, known)
        for position, text in enumerate(each.from_):
            at = site / "from" / position if (site / "from" / position).exists else site / "from"
            source = _end(text, at, product.model, known, local=False)
            if source is not None and target is not None:
                yield Flow(source.address, target.address, each, site)
    yield from _of_fields(product.model, known)


def _of_fields(product: Product, known: _Known) -> Iterator[Flow]:
    for field in known.fields.values():
        if not field.address.startswith(f"{product.name}#"):
            continue
        for index, text in enumerate(field.model.transform_source_objects):
            site = field.site / "transformSourceObjects" / index
            if "#" in text and ADDRESS.match(text):
                source = _end(text, site, product, known, local=False)
                if source is not None:
                    yield Flow(source.address, field.address, None, site)


def _end(text: str, site: Site, product: Product, known: _Known, *, local: bool) -> Field | None:
    inside = "#" not in text or text.startswith(f"{product.name}#")
    if not ADDRESS.match(text) or (local and not inside):
        form = "Entity.field of this product" if local else "product#Entity.field, or Entity.field of this product"
        known.findings.error("DM232", site, f"'{text}' cannot be this end of an input", f"Write {form}.")
        return None
    address = text if "#" in text else f"{product.name}#{text}"
    found = known.fields.get(address)
    if found is None and known.complete:
        near = suggest(address, known.fields)
        hint = f"did you mean '{near}'?" if near else "No product of this mesh has that field."
        known.findings.error("DM232", site, f"there is no field '{address}'", hint)
    return found


def _check_through(each: Input, site: Site, known: _Known) -> None:
    if each.through == "hmac" and each.key is None:
        hint = "Add 'key:' with the name of the key, which this mesh must not hold."
        known.findings.error("DM231", site / "through", "'hmac' breaks the flow of tags only with a key", hint)
    elif each.key is not None and each.through != "hmac":
        known.findings.error("DM231", (site / "key").key_span, "'key' belongs to 'through: hmac'", "Remove it.")
    elif each.key is not None and each.key in declared_names(known.mesh, "keys"):
        message = f"this mesh holds the key '{each.key}', so its pseudonyms lead back and carry the tags"
        hint = "Use a key that only the pipeline has, or let the tags flow."
        known.findings.error("DM231", site / "key", message, hint)


def _check(flow: Flow, known: _Known) -> None:
    model = flow.model
    broken = model is not None and (flow.site / "declassify").exists  # reported by itself where it is faulty
    if broken or (model is not None and model.through is not None):
        return
    source, target = known.fields[flow.source], known.fields[flow.target]
    less = list(_less(source, target))
    if less:
        message = f"{flow.target} is made of {flow.source} and is protected less: {'; '.join(less)}"
        hint = "Protect it alike, say what breaks the flow ('through'), or 'declassify' with a reason and an approver."
        known.findings.error("DM230", flow.site, message, hint)


def _less(source: Field, target: Field) -> Iterator[str]:
    theirs, own = (_sensitivity(each) for each in (source, target))
    if own.rank < theirs.rank:
        yield f"'{own.tier}' is lower than '{theirs.tier}'"
    missing = sorted(tag for tag in theirs.tags if not any(covers(tag, mine) for mine in own.tags))
    if missing:
        yield f"it lacks {', '.join(missing)}"


def _sensitivity(field: Field) -> Sensitivity:
    return Sensitivity(field.tier, frozenset(field.tags))
