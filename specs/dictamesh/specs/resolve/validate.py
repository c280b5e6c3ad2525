# SPDX-License-Identifier: Apache-2.0
"""The second phase: documents to checked specs. Pure; touches no network, no database, no secret (DESIGN §1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from dictamesh.specs.diagnostics import Diagnostic, Findings, Severity, Source, in_file_order
from dictamesh.specs.documents import Document, Files, Loaded, load
from dictamesh.specs.model import Mesh, Policy, Product, Taxonomy
from dictamesh.specs.resolve.entities import resolve_product
from dictamesh.specs.resolve.inline_tests import check_tests
from dictamesh.specs.resolve.links import resolve_links
from dictamesh.specs.resolve.matching import Known
from dictamesh.specs.resolve.mesh import check_mesh
from dictamesh.specs.resolve.naming import check_names
from dictamesh.specs.resolve.policies import bind_policies
from dictamesh.specs.resolve.scopes import Conditions, claim_types
from dictamesh.specs.resolve.secrets import check_references
from dictamesh.specs.resolve.sensitivity import Vocabulary, vocabulary
from dictamesh.specs.resolve.servers import Manifests, mesh_servers, product_servers
from dictamesh.specs.resolve.shape import read_model
from dictamesh.specs.resolved import Declared, Link, ResolvedEntity, Specs

M = TypeVar("M", bound=BaseModel)


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
    return validate_loaded(load(files, path), manifests)


def validate_loaded(loaded: Loaded, manifests: Manifests) -> Validated:
    """Check documents that were read before."""
    findings = Findings(loaded.diagnostics)
    specs = _specs(loaded, manifests, findings)
    found = in_file_order(findings, loaded.sources)
    failed = any(each.severity is Severity.ERROR for each in found)
    return Validated(None if failed else specs, found, loaded.sources)


def _specs(loaded: Loaded, manifests: Manifests, findings: Findings) -> Specs | None:
    for document in loaded.documents:
        check_references(document, findings)
    mesh = next(iter(_read(Mesh, "Mesh", loaded, findings)), None)
    products = _named(_read(Product, "DataProduct", loaded, findings), findings)
    policies = _named(_read(Policy, "Policy", loaded, findings), findings)
    words, taxonomy = _taxonomy(loaded, findings)
    if mesh is None:
        return None
    check_mesh(mesh, findings)
    entities = _entities(mesh, products, manifests, words, findings)
    complete = len(products) == sum(each.kind == "DataProduct" for each in loaded.documents)
    links = resolve_links(products.values(), entities, findings if complete else Findings())
    check_names(entities, links, findings)
    conditions = Conditions(entities, _by_holder(links), claim_types(mesh.model))
    known = Known(words, frozenset(products), complete, entities)
    rules = bind_policies(policies.values(), mesh.model, known, conditions, findings)
    for policy in policies.values() if complete else ():
        check_tests(policy, entities, mesh.model, findings)
    return Specs(mesh, taxonomy, products, policies, entities, links, rules, words.pii)


def _read(model: type[M], kind: str, loaded: Loaded, findings: Findings) -> list[Declared[M]]:
    found = []
    for document in loaded.documents:
        if document.kind == kind:
            made = read_model(model, document, findings)
            if made is not None:
                found.append(Declared(made, document.site))
    return found


def _named(found: list[Declared[M]], findings: Findings) -> dict[str, Declared[M]]:
    by_name: dict[str, Declared[M]] = {}
    for each in found:
        name = str(each.site.plain["name"])
        earlier = by_name.setdefault(name, each)
        if earlier is not each:
            message = f"'{name}' is declared already at {earlier.site.span}"
            findings.error(
                "DM607", each.site / "name", message, "Names of products and of policies are unique; rename one."
            )
    return dict(sorted(by_name.items()))


def _taxonomy(loaded: Loaded, findings: Findings) -> tuple[Vocabulary, Taxonomy]:
    empty = Taxonomy(api_version="dictamesh/v1", kind="Taxonomy")
    found = _read(Taxonomy, "Taxonomy", loaded, findings)
    documents: list[Document] = [each for each in loaded.documents if each.kind == "Taxonomy"]
    if len(documents) > 1:
        message = f"a second taxonomy; the first stands at {documents[0].site.span}"
        findings.error("DM607", documents[1].site / "kind", message, "A mesh has one Taxonomy document.")
    if not found:
        return vocabulary(empty, ""), empty
    return vocabulary(found[0].model, found[0].site.file), found[0].model


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
        own = product_servers(product, manifests, findings)
        for entity in resolve_product(product, {**servers, **own}, mesh.model, words, findings):
            found.setdefault(entity.address, entity)
    return MappingProxyType(found)


def _by_holder(links: tuple[Link, ...]) -> dict[str, dict[str, Link]]:
    found: dict[str, dict[str, Link]] = {}
    for link in links:
        found.setdefault(link.holder, {})[link.name] = link
    return found
