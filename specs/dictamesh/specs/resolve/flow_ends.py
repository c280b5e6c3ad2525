# SPDX-License-Identifier: Apache-2.0
"""The ends of flows: fields by address, and what protection flows from one to the other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Input, LineageEntry, Mesh, Product
from dictamesh.specs.resolve.declared import declared_names
from dictamesh.specs.resolve.sensitivity import Sensitivity, Vocabulary, covers
from dictamesh.specs.resolved import DatasetField, Declared, Field, Flow, ResolvedEntity
from dictamesh.specs.suggest import suggest

ADDRESS = re.compile(r"(?:[^#]+#)?\w+\.\w+(?:\.\w+)*\Z")


@dataclass(frozen=True, slots=True)
class Known:
    """Every field and entity by address; `complete` is false where a product could not be read."""

    fields: Mapping[str, Field]
    entities: Mapping[str, ResolvedEntity]
    words: Vocabulary
    mesh: Declared[Mesh]
    complete: bool
    findings: Findings


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow; `said` names it in findings, `what` is its protection, None where there is nothing to hold.

    `entity` is the address of the entity that lineage leads to, `column` whether it ends at a column of its source.
    """

    at: str | DatasetField
    said: str
    what: Sensitivity | None
    entity: str = ""
    column: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A flow with what its ends are protected by."""

    flow: Flow
    source: End
    target: End


def field_end(text: str, site: Site, product: Product, known: Known, *, local: bool) -> End | None:
    """Return the field of an address; one that is none, or lies elsewhere although it is `local`, is recorded."""
    if not ADDRESS.match(text) or (local and not is_inside(text, product)):
        form = "Entity.field of this product" if local else "product#Entity.field, or Entity.field of this product"
        known.findings.error("DM232", site, f"'{text}' cannot be this end of an input", f"Write {form}.")
        return None
    address = spelled(text, product)
    found = known.fields.get(address)
    if found is None:
        unknown(address, known.fields, "field", site, known)
        return None
    return of_field(found)


def of_field(field: Field, entity: str = "") -> End:
    return End(field.address, field.address, Sensitivity(field.tier, frozenset(field.tags)), entity)


def is_inside(text: str, product: Product) -> bool:
    return "#" not in text or text.startswith(f"{product.name}#")


def spelled(text: str, product: Product) -> str:
    """An address with its product."""
    return text if "#" in text else f"{product.name}#{text}"


def unknown(address: str, names: Mapping[str, object], what: str, site: Site, known: Known) -> None:
    """Record an address that nothing has, unless it may belong to a product that could not be read."""
    if not known.complete:
        return
    near = suggest(address, names)
    hint = f"did you mean '{near}'?" if near else f"No product of this mesh has that {what}."
    known.findings.error("DM232", site, f"there is no {what} '{address}'", hint)


def check_through(each: Input | LineageEntry, site: Site, known: Known) -> None:
    """Record what is said to break the flow of tags and does not."""
    if each.through == "hmac" and each.key is None:
        hint = "Add 'key:' with the name of the key, which this mesh must not hold."
        known.findings.error("DM231", site / "through", "'hmac' breaks the flow of tags only with a key", hint)
    elif each.key is not None and each.through != "hmac":
        known.findings.error("DM231", (site / "key").key_span, "'key' belongs to 'through: hmac'", "Remove it.")
    elif each.key is not None and each.key in declared_names(known.mesh, "keys"):
        message = f"this mesh holds the key '{each.key}', so its pseudonyms lead back and carry the tags"
        hint = "Use a key that only the pipeline has, or let the tags flow."
        known.findings.error("DM231", site / "key", message, hint)


def check_protected(bound: Bound, known: Known) -> None:
    """Record an output that is protected less than what it is made of."""
    flow = bound.flow
    broken = flow.model is not None and (flow.site / "declassify").exists  # reported by itself where it is faulty
    if broken or (flow.model is not None and flow.model.through is not None):
        return
    less = list(_less(bound.source.what, bound.target.what))
    if less:
        message = f"{bound.target.said} is made of {bound.source.said} and is protected less: {'; '.join(less)}"
        hint = "Protect it alike, say what breaks the flow ('through'), or 'declassify' with a reason and an approver."
        known.findings.error("DM230", flow.site, message, hint)


def _less(theirs: Sensitivity | None, own: Sensitivity | None) -> Iterator[str]:
    if theirs is None or own is None:
        return
    if own.rank < theirs.rank:
        yield f"'{own.tier}' is lower than '{theirs.tier}'"
    missing = sorted(tag for tag in theirs.tags if not any(covers(tag, mine) for mine in own.tags))
    if missing:
        yield f"it lacks {', '.join(missing)}"
