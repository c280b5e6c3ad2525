# SPDX-License-Identifier: Apache-2.0
"""Contracts without a source: what would be a fault of a served product is a warning, for nothing is served (ADR 8)."""

from collections.abc import Iterable
from dataclasses import replace

from dictamesh.specs.diagnostics import Findings, Severity
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Contract, Product
from dictamesh.specs.model.contract import ContractElement
from dictamesh.specs.resolve.contract import check_contract
from dictamesh.specs.resolve.keys import aliases
from dictamesh.specs.resolve.sensitivity import Vocabulary, declared
from dictamesh.specs.resolved import Declared

RUNTIME_KEYS = frozenset(aliases(Product)) - frozenset(aliases(Contract))
"""Keys of the language that say how a product is served."""


def check_unserved(contract: Declared[Contract], words: Vocabulary, findings: Findings) -> None:
    """Note that nothing of the document is served; warn of words that would be faults if it were."""
    model, site = contract.model, contract.site
    findings.note("DM120", site / "name", f"'{model.name}' is a contract without a source: nothing of it is served")
    found = Findings()
    check_contract(contract, found)
    declared(None, model.tags, site, words, found)
    _check_unique((entity.name for entity in model.entities), site / "schema", "entity", found)
    for index, entity in enumerate(model.entities):
        place = site / "schema" / index
        declared(None, entity.tags, place, words, found)
        _check_elements(entity.properties, place / "properties", words, found)
    findings.extend(replace(each, severity=Severity.WARNING) for each in found)


def _check_elements(elements: Iterable[ContractElement], site: Site, words: Vocabulary, found: Findings) -> None:
    named = list(elements)
    _check_unique((str(getattr(each, "name", "")) for each in named), site, "property", found)
    for index, each in enumerate(named):
        _check_element(each, site / index, words, found)


def _check_element(element: ContractElement, site: Site, words: Vocabulary, found: Findings) -> None:
    declared(element.classification, element.tags, site, words, found)
    _check_elements(element.properties, site / "properties", words, found)
    if element.items is not None:
        _check_element(element.items, site / "items", words, found)


def _check_unique(names: Iterable[str], site: Site, what: str, found: Findings) -> None:
    seen: dict[str, Site] = {}
    for index, name in enumerate(names):
        place = site / index / "name"
        earlier = seen.setdefault(name, place)
        if earlier is not place:
            message = f"a second {what} '{name}'; the first is at {earlier.span}"
            found.error("DM604", place, message, "Rename one of them.")
