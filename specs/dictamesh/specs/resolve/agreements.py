# SPDX-License-Identifier: Apache-2.0
"""Agreements: what they name, and the terms that rules of policies take from them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Agreement, Mesh
from dictamesh.specs.model.agreement import Consumer
from dictamesh.specs.model.policy import Condition
from dictamesh.specs.resolve.declared import check_claim_values, check_each
from dictamesh.specs.resolve.matching import Known, glob
from dictamesh.specs.resolved import Declared
from dictamesh.specs.rules import Audience, Term
from dictamesh.specs.suggest import suggest

Agreements = Mapping[str, Declared[Agreement]]


def check_agreements(
    agreements: Agreements, mesh: Declared[Mesh], products: Iterable[str], findings: Findings, *, complete: bool
) -> None:
    """Record agreements that name unknown products, roles, purposes or claims, or that end before they begin."""
    names = sorted(products)
    for declared in agreements.values():
        model, site = declared.model, declared.site
        consumer = site / "consumer"
        check_each(model.consumer.roles or (), "roles", mesh, consumer / "roles", findings)
        check_each(model.consumer.purposes or (), "purposes", mesh, consumer / "purposes", findings)
        check_claim_values(model.consumer.claims or {}, mesh, consumer / "claims", findings)
        for index, name in enumerate(model.products):
            if complete and not any(map(glob(name), names)):
                at = site / "products" / index if (site / "products" / index).exists else site / "products"
                near = suggest(name, names)
                hint = f"did you mean '{near}'?" if near else "No product of this mesh has that name."
                findings.error("DM402", at, f"unknown product '{name}'", hint)
        if model.start_date and model.end_date and model.end_date < model.start_date:
            message = f"'{model.name}' ends before it begins"
            findings.error("DM410", site / "endDate", message, "Correct 'startDate' or 'endDate'.")
        if model.status == "approved" and model.approver is None:
            message = f"'{model.name}' is approved, and nobody is named who approved it"
            findings.error("DM410", site / "status", message, "Add 'approver:'.")


def check_named(entries: Iterable[Condition], site: Site, known: Known, findings: Findings) -> None:
    """Record agreements that rules ask for and nobody declares."""
    for position, entry in enumerate(entries):
        place = site / position / "agreements"
        for index, name in enumerate(entry.agreements or ()):
            if name not in known.agreements and known.complete:
                at = place / index if (place / index).exists else place
                near = suggest(name, sorted(known.agreements))
                hint = f"did you mean '{near}'?" if near else "Declare it in a document of kind Agreement."
                findings.error("DM411", at, f"unknown agreement '{name}'", hint)


def warn_unagreed(
    entries: Iterable[Condition], products: Iterable[str], site: Site, known: Known, findings: Findings
) -> None:
    """Warn of rules whose agreements cover none of the products that their policy governs, or are not approved."""
    governed = sorted(products)
    for index, entry in enumerate(entries):
        named = [name for name in entry.agreements or () if name in known.agreements]
        if named and not any(_terms(entry, product, known.agreements) for product in governed):
            message = f"'{entry.name}' can never speak: no approved agreement of it covers a product of this policy"
            findings.warning("DM802", site / index / "agreements", message, "Approve it, or correct its products.")


def audience(entry: Condition, product: str, agreements: Agreements) -> Audience:
    """Return whom a rule is for on the fields and rows of a product."""
    whom = _parties(entry)
    return whom if entry.agreements is None else replace(whom, agreements=_terms(entry, product, agreements))


def _terms(entry: Condition, product: str, agreements: Agreements) -> tuple[Term, ...]:
    found = (agreements[name].model for name in entry.agreements or () if name in agreements)
    return tuple(
        Term(each.name, _parties(each.consumer), each.start_date, each.end_date)
        for each in found
        if each.status == "approved" and any(glob(pattern)(product) for pattern in each.products)
    )


def _parties(said: Condition | Consumer) -> Audience:
    return Audience(
        roles=frozenset(said.roles) if said.roles is not None else None,
        purposes=frozenset(said.purposes) if said.purposes is not None else None,
        claims=tuple(sorted((said.claims or {}).items())),
    )
