# SPDX-License-Identifier: Apache-2.0
"""The second phase: documents to checked specs. Pure; touches no network, no database, no secret (DESIGN §1)."""

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from dictamesh.specs.collecting import uncollected
from dictamesh.specs.diagnostics import Diagnostic, Findings, Severity, Source, in_file_order
from dictamesh.specs.documents import Files, Loaded, load
from dictamesh.specs.model import Agreement, Mesh, Policy, Product, Taxonomy
from dictamesh.specs.resolve.agreements import check_agreements
from dictamesh.specs.resolve.entities import resolve_product
from dictamesh.specs.resolve.flows import resolve_flows
from dictamesh.specs.resolve.inline_tests import check_tests
from dictamesh.specs.resolve.links import resolve_links
from dictamesh.specs.resolve.matching import known
from dictamesh.specs.resolve.mesh import check_mesh
from dictamesh.specs.resolve.naming import check_names
from dictamesh.specs.resolve.policies import bind_policies
from dictamesh.specs.resolve.scopes import Conditions, claim_types
from dictamesh.specs.resolve.secrets import check_references, check_secrets
from dictamesh.specs.resolve.sensitivity import Vocabulary, vocabulary
from dictamesh.specs.resolve.servers import Manifests, mesh_servers, product_servers
from dictamesh.specs.resolve.shape import build
from dictamesh.specs.resolve.taxonomy import check_taxonomy
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
    mesh = next(iter(_read(Mesh, "Mesh", loaded, findings)), None)
    products = _named(_read(Product, "DataProduct", loaded, findings), findings)
    policies = _named(_read(Policy, "Policy", loaded, findings), findings)
    agreements = _named(_read(Agreement, "Agreement", loaded, findings), findings)
    words, taxonomy = _taxonomy(loaded, findings, lost=lost)
    if mesh is None:
        return None
    check_mesh(mesh, findings)
    _check_ids(products.values(), findings)
    entities = _entities(mesh, products, manifests, words, findings)
    complete = not lost and _all_read(products, "DataProduct", loaded)
    links = resolve_links(products.values(), entities, findings, complete=complete)
    flows = resolve_flows(products.values(), entities, mesh, findings, complete=complete)
    check_names(entities, links, findings)
    conditions = Conditions(entities, _by_holder(links), claim_types(mesh.model))
    check_agreements(agreements, mesh, products, findings, complete=complete)
    complete = complete and _all_read(agreements, "Agreement", loaded)
    everything = known(words, products, entities, agreements, complete=complete)
    rules = bind_policies(policies.values(), mesh, everything, conditions, findings)
    check_tests(policies.values(), everything, mesh, findings)
    return Specs(mesh, taxonomy, products, policies, agreements, entities, links, flows, rules, words.pii)


def _all_read(found: Sized, kind: str, loaded: Loaded) -> bool:
    return len(found) == sum(each.kind == kind for each in loaded.documents)


def _read(model: type[M], kind: str, loaded: Loaded, findings: Findings) -> list[Declared[M]]:
    found = []
    for document in loaded.documents:
        if document.kind == kind:
            built = build(model, document.site, findings)
            if built.model is not None:
                found.append(Declared(built.model, document.site, built.broken))
    return found


def _named(found: list[Declared[M]], findings: Findings) -> dict[str, Declared[M]]:
    by_name: dict[str, Declared[M]] = {}
    for each in found:
        name = str((each.site / "name").plain)
        earlier = by_name.setdefault(name, each)
        if earlier is not each:
            message = f"'{name}' is declared already at {(earlier.site / 'name').span}"
            hint = "Names of products, of policies and of agreements are unique; rename one."
            findings.error("DM607", each.site / "name", message, hint)
    return dict(sorted(by_name.items()))


def _check_ids(products: Iterable[Declared[Product]], findings: Findings) -> None:
    seen: dict[str, Declared[Product]] = {}
    for each in products:
        first = seen.setdefault(each.model.id, each)
        if first is not each:
            message = f"the id '{each.model.id}' is that of product '{first.model.name}' too"
            findings.error("DM607", each.site / "id", message, "Give each product an id of its own.")


def _taxonomy(loaded: Loaded, findings: Findings, *, lost: bool) -> tuple[Vocabulary, Taxonomy]:
    documents = [each for each in loaded.documents if each.kind == "Taxonomy"]
    if len(documents) > 1:
        message = f"a second taxonomy; the first stands at {(documents[0].site / 'kind').span}"
        findings.error("DM607", documents[1].site / "kind", message, "A mesh has one Taxonomy document.")
    found = _read(Taxonomy, "Taxonomy", loaded, findings)
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
