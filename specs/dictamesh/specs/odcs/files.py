# SPDX-License-Identifier: Apache-2.0
"""Files of contracts to files of products."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dictamesh.specs.diagnostics import Diagnostic, Findings, Severity, Source, in_file_order
from dictamesh.specs.documents import Document, Path, Site, read_file, write
from dictamesh.specs.odcs.check import check
from dictamesh.specs.odcs.importing import Imported, to_product
from dictamesh.specs.odcs.keeping import same

CONNECTORS = {"postgresql": "postgres", "local": "file", "api": "rest"}
"""Types of servers in ODCS whose connector has another name."""

_ENDING = re.compile(r"(\.odcs)?\.(ya?ml|json)\Z")
_NOTES = 50  # of one file


@dataclass(frozen=True, slots=True)
class ProductFile:
    """An imported product: its name, its contract's file, and its text; None where what is there says the same."""

    name: str
    file: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Import:
    """What an import comes to: nothing is to be written where an error is among the diagnostics."""

    products: tuple[ProductFile, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @property
    def failed(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.diagnostics)


def import_files(
    files: Mapping[str, bytes],
    existing: Callable[[str], bytes | None],
    *,
    connectors: Collection[str] = (),
    force: bool = False,
) -> Import:
    """Read contracts by the names of their files; `existing` gives the file of a product that is there already.

    A product with a source, or anything but a product, is written over only with `force`. `connectors` are
    those that are installed.
    """
    findings = Findings()
    sources: dict[str, Source] = {}
    products: dict[str, ProductFile] = {}
    for file, data in files.items():
        source, documents = read_file(file, data, findings)
        if source is not None:
            sources[file] = source
        for document in documents:
            imported = _imported(document, products, findings)
            if imported is not None:
                name = imported.product["name"]
                there = existing(name)
                _check_existing(document, name, there, imported.product, findings, force=force)
                text = None if _says_the_same(there, imported.product) else _text(imported.product, connectors)
                products[name] = ProductFile(name, file, text)
    return Import(tuple(products.values()), in_file_order(findings, files), sources)


def _imported(document: Document, products: Mapping[str, ProductFile], findings: Findings) -> Imported | None:
    found = Findings()
    check(document, found)
    findings.extend(found)
    if found.failed:
        return None
    stem = _ENDING.sub("", document.file.rpartition("/")[2])
    imported = to_product(document.plain(), stem, products)
    _tell(document, imported, to_product(document.plain(), stem).product["name"], products, findings)
    return imported


def _tell(
    document: Document, imported: Imported, wanted: str, products: Mapping[str, ProductFile], findings: Findings
) -> None:
    site, product = document.site, imported.product
    if product["name"] != wanted:
        message = (
            f"the product '{wanted}' is imported from {products[wanted].file}; this one is named '{product['name']}'"
        )
        findings.warning("DM123", _nearest(site, ("name",)), message)
    given = document.plain().get("status")
    if given != product["status"]:
        told = f"'{given}' is no status of the language" if given is not None else "the contract has no status"
        findings.note("DM125", _nearest(site, ("status",)), f"{told}; the product says '{product['status']}'")
    if "source" in product:
        at = _nearest(site, ("customProperties",))
        findings.note("DM128", at, f"the contract brings a source: '{product['name']}' will be served in a mesh")
    for path in [each for each in imported.kept if _nearest(site, each).exists][:_NOTES]:
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        message = f"the language has no word for this '{name}'; it is kept, and comes back with an export"
        findings.note("DM126", _nearest(site, path).key_span, message)
    for pointer in imported.lost[:_NOTES]:
        findings.warning("DM127", _nearest(site, ("customProperties",)), f"what was kept for '{pointer}' has no place")


def _nearest(site: Site, path: Path) -> Site:
    for step in path:
        site = site / step
    return site


def _check_existing(
    document: Document, name: str, there: bytes | None, product: Mapping[str, Any], findings: Findings, *, force: bool
) -> None:
    if there is None or force or _says_the_same(there, product):
        return
    found = _documents(there)
    if any("source" in each.node for each in found):
        message = f"the product '{name}' is there already, with a source that the import would take away"
    elif [each.kind for each in found] != ["DataProduct"]:
        message = f"'{name}.yaml' is there already, and holds something else than one product"
    else:
        return
    findings.error("DM124", _nearest(document.site, ("name",)), message)


def _says_the_same(there: bytes | None, product: Mapping[str, Any]) -> bool:
    documents = _documents(there) if there is not None else ()
    return len(documents) == 1 and same(documents[0].plain(), product)


def _documents(data: bytes) -> tuple[Document, ...]:
    return read_file("", data, Findings())[1]


def _text(product: Mapping[str, Any], connectors: Collection[str]) -> str:
    return write(product) + "".join(f"{line}\n" for line in _proposal(product, connectors))


def _proposal(product: Mapping[str, Any], connectors: Collection[str]) -> Iterable[str]:
    """A source in a comment, for the first server that a connector is installed for: a proposal, never a guess."""
    if "source" in product:
        return
    for server in product.get("servers", ()):
        connector = CONNECTORS.get(server["type"], server["type"])
        if connector in connectors and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", server["server"]):
            yield f"# To serve this contract, write its server for the connector '{connector}', and name it:"
            yield f"# source: {{server: {server['server']}}}"
            return
