# SPDX-License-Identifier: Apache-2.0
"""The second phase: documents to checked specs. Pure; touches no network, no database, no secret (DESIGN §1)."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from dictamesh.specs.collecting import uncollected
from dictamesh.specs.diagnostics import Diagnostic, Findings, Severity, Source, in_file_order
from dictamesh.specs.documents import Document, Files, Loaded, Site, load
from dictamesh.specs.model import Agreement, Contract, Mesh, Policy, Product, Taxonomy
from dictamesh.specs.resolve.agreements import check_agreements
from dictamesh.specs.resolve.changes import check_changes, check_events
from dictamesh.specs.resolve.entities import resolve_product
from dictamesh.specs.resolve.flows import resolve_flows
from dictamesh.specs.resolve.inline_tests import check_tests
from dictamesh.specs.resolve.links import resolve_links
from dictamesh.specs.resolve.matching import known
from dictamesh.specs.resolve.mesh import check_mesh
from dictamesh.specs.resolve.naming import check_names
from dictamesh.specs.resolve.policies import bind_policies
from dictamesh.specs.resolve.regimes import resolve_regimes
from dictamesh.specs.resolve.scopes import Conditions, claim_types
from dictamesh.specs.resolve.sealed import check_sealed
from dictamesh.specs.resolve.secrets import check_references, check_secrets
from dictamesh.specs.resolve.sensitivity import Vocabulary, vocabulary
from dictamesh.specs.resolve.servers import Manifests, mesh_servers, product_servers
from dictamesh.specs.resolve.shape import build
from dictamesh.specs.resolve.subjects import check_subjects
from dictamesh.specs.resolve.taxonomy import check_taxonomy
from dictamesh.specs.resolve.unserved import RUNTIME_KEYS, check_unserved
from dictamesh.specs.resolved import Declared, Link, ResolvedEntity, Specs

M = TypeVar("M", bound=BaseModel)

WHOLE = frozenset({"DM009", "DM013", "DM014", "DM015", "DM016", "DM017", "DM018", "DM021"})
"""Findings of loading that leave the document they stand in."""


@dataclass(frozen=True, slots=True)
class Validated:
    """The outcome: `specs` is None where an error stands in the way; `diagnostics` are in file order."""

    specs: Specs | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @property
    def failed(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.diagnostics)


def validate(files: Files, path: str, manifests: Manifests) -> Validated:
    """Read and check the mesh whose main file is `path`; every fault of the whole tree is found in one run."""
    with uncollected():
        return validate_loaded(load(files, path), manifests)


def validate_loaded(loaded: Loaded, manifests: Manifests) -> Validated:
    """Check documents that were read before."""
    findings = Findings(loaded.diagnostics)
    with uncollected():
        specs = _specs(loaded, manifests, findings)
    found = in_file_order(findings, loaded.sources)
    failed = any(each.severity is Severity.ERROR for each in found)
    return Validated(None if failed else specs, found, loaded.sources)


def _specs(loaded: Loaded, manifests: Manifests, findings: Findings) -> Specs | None:
    for document in loaded.documents:
        check_references(document, findings)
        check_secrets(document, manifests, findings)
    lost = any(each.severity is Severity.ERROR and each.code not in WHOLE for each in loaded.diagnostics)
    mesh = next(iter(_read(Mesh, _of(loaded, "Mesh"), findings)), None)
    products, contracts = _products(loaded, findings)
    policies = _named(_read(Policy, _of(loaded, "Policy"), findings), findings)
    agreements = _named(_read(Agreement, _of(loaded, "Agreement"), findings), findings)
    words, taxonomy = _taxonomy(loaded, findings, lost=lost)
    if mesh is None:
        return None
    check_mesh(mesh, findings)
    _check_ids(products.values(), contracts.values(), findings)
    for contract in contracts.values():
        check_unserved(contract, words, findings)
    entities = _entities(mesh, products, manifests, words, findings)
    complete = not lost and _all_read([*products, *contracts], "DataProduct", loaded)
    links = resolve_links(products.values(), entities, findings, complete=complete, contracts=contracts)
    flows = resolve_flows(products.values(), entities, mesh, words, findings, complete=complete)
    regimes = resolve_regimes(products.values(), contracts.values(), entities, taxonomy, findings)
    check_names(entities, links, findings)
    check_subjects(products.values(), entities, findings)
    check_sealed(entities, findings)
    check_changes(entities.values(), mesh, words, findings)
    check_events(mesh, entities, findings)
    conditions = Conditions(entities, _by_holder(links), claim_types(mesh.model))
    names = [*products, *contracts]
    check_agreements(agreements, mesh, names, findings, complete=complete)
    complete = complete and _all_read(agreements, "Agreement", loaded)
    everything = known(words, names, entities, agreements, complete=complete)
    rules = bind_policies(policies.values(), mesh, everything, conditions, findings)
    check_tests(policies.values(), everything, mesh, findings)
    return Specs(
        mesh, taxonomy, products, policies, agreements, entities, links, flows, rules, words.pii, contracts, regimes
    )


def _all_read(found: Sized, kind: str, loaded: Loaded) -> bool:
    return len(found) == len(list(_of(loaded, kind)))


def _of(loaded: Loaded, kind: str) -> Iterator[Document]:
    return (each for each in loaded.documents if each.kind == kind)


def _read(
    model: type[M], documents: Iterable[Document], findings: Findings, *, beside: frozenset[str] = frozenset()
) -> list[Declared[M]]:
    found = []
    for document in documents:
        built = build(model, document.site, findings, beside=beside)
        if built.model is not None:
            found.append(Declared(built.model, document.site, built.broken))
    return found


def _products(loaded: Loaded, findings: Findings) -> tuple[dict[str, Declared[Product]], dict[str, Declared[Contract]]]:
    """Products, and contracts without a source, by name."""
    documents = list(_of(loaded, "DataProduct"))
    unserved = [each for each in documents if "source" not in each.node]
    for document in unserved:
        for key in (each for each in document.node.value if each in RUNTIME_KEYS):
            message = f"'{key}' says how a product is served, and without 'source' nothing of it is"
            findings.error("DM121", (document.site / key).key_span, message)
    products = _named(_read(Product, (each for each in documents if "source" in each.node), findings), findings)
    contracts = _named(_read(Contract, unserved, findings, beside=RUNTIME_KEYS), findings)
    for name in sorted(products.keys() & contracts.keys()):
        _taken(name, contracts.pop(name).site, products[name].site, findings)
    return products, contracts


def _named(found: list[Declared[M]], findings: Findings) -> dict[str, Declared[M]]:
    by_name: dict[str, Declared[M]] = {}
    for each in found:
        name = str((each.site / "name").plain)
        earlier = by_name.setdefault(name, each)
        if earlier is not each:
            _taken(name, each.site, earlier.site, findings)
    return dict(sorted(by_name.items()))


def _taken(name: str, site: Site, earlier: Site, findings: Findings) -> None:
    message = f"'{name}' is declared already at {(earlier / 'name').span}"
    hint = "Names of products, of policies and of agreements are unique; rename one."
    findings.error("DM607", site / "name", message, hint)


def _check_ids(
    products: Iterable[Declared[Product]], contracts: Iterable[Declared[Contract]], findings: Findings
) -> None:
    """Ids are unique, for they scope pseudonyms; two contracts without a source may be versions of one."""
    seen: dict[str, str] = {}
    for each in products:
        if seen.setdefault(each.model.id, each.model.name) != each.model.name:
            message = f"the id '{each.model.id}' is that of product '{seen[each.model.id]}' too"
            findings.error("DM607", each.site / "id", message, "Give each product an id of its own.")
    for contract in contracts:
        if seen.setdefault(contract.model.id, contract.model.name) != contract.model.name:
            message = f"the id '{contract.model.id}' is that of product '{seen[contract.model.id]}' too"
            findings.warning("DM607", contract.site / "id", message, "Give each product an id of its own.")


def _taxonomy(loaded: Loaded, findings: Findings, *, lost: bool) -> tuple[Vocabulary, Taxonomy]:
    documents = [each for each in loaded.documents if each.kind == "Taxonomy"]
    if len(documents) > 1:
        message = f"a second taxonomy; the first stands at {(documents[0].site / 'kind').span}"
        findings.error("DM607", documents[1].site / "kind", message, "A mesh has one Taxonomy document.")
    found = _read(Taxonomy, documents, findings)
    if not found:
        empty = Taxonomy(api_version="dictamesh/v1", kind="Taxonomy")
        return vocabulary(empty, "", complete=not lost and not documents), empty
    check_taxonomy(found[0], findings)
    site = found[0].site
    complete = found[0].sound(site / "tags") and len(documents) == 1
    return vocabulary(found[0].model, site.file, complete=complete), found[0].model


def _entities(
    mesh: Declared[Mesh],
    products: Mapping[str, Declared[Product]],
    manifests: Manifests,
    words: Vocabulary,
    findings: Findings,
) -> Mapping[str, ResolvedEntity]:
    servers = mesh_servers(mesh, manifests, findings)
    found: dict[str, ResolvedEntity] = {}
    for product in products.values():
        own = product_servers(product, servers, manifests, findings)
        for entity in resolve_product(product, {**servers, **own}, mesh, words, findings):
            found[entity.address] = entity
    return MappingProxyType(found)


def _by_holder(links: tuple[Link, ...]) -> dict[str, dict[str, Link]]:
    found: dict[str, dict[str, Link]] = {}
    for link in links:
        found.setdefault(link.holder, {})[link.name] = link
    return found
