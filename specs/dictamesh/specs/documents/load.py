# SPDX-License-Identifier: Apache-2.0
"""The first phase: from the mesh file to all documents it includes (DESIGN §1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dictamesh.specs.diagnostics import Diagnostic, Findings, Severity, Source, in_file_order
from dictamesh.specs.documents.document import Document, Site
from dictamesh.specs.documents.faults import decode, printable
from dictamesh.specs.documents.files import MAX_BYTES, Files, OutsidePathError, inside, is_pattern
from dictamesh.specs.documents.nodes import Mapping as MappingNode
from dictamesh.specs.documents.nodes import Node, Sequence
from dictamesh.specs.documents.reader import MAX_FAULTS, read
from dictamesh.specs.suggest import suggest

KINDS = ("Mesh", "DataProduct", "Policy", "Taxonomy", "Agreement")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading gave: documents and sources in the order of files, and all findings in that order."""

    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]

    @property
    def mesh(self) -> Document | None:
        """The document of kind Mesh."""
        return next((each for each in self.documents if each.kind == "Mesh"), None)

    @property
    def failed(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.diagnostics)


def load(files: Files, path: str) -> Loaded:
    """Read the mesh file and what its `include` names, each file once.

    Never raises for a user's fault: documents that could be read are returned beside the findings. Entries of `include`
    that are not text are left to the check of shapes.
    """
    reading = _Reading(files)
    own = reading.file(path, path)
    mesh = next((each for each in own if each.kind == "Mesh"), None)
    documents = list(own)
    if mesh is None:
        if reading.sources and not reading.findings.failed:
            reading.findings.error("DM008", path, "no document of kind Mesh in the mesh file")
    else:
        for site, entry in _includes(mesh):
            documents += reading.include(site, entry)
    kept = _one_mesh(documents, mesh, reading.findings)
    found = in_file_order(reading.findings, reading.sources)
    return Loaded(kept, found, MappingProxyType(reading.sources))


def read_file(name: str, data: bytes, findings: Findings) -> tuple[Source | None, tuple[Document, ...]]:
    """The documents of a single file that belongs to no mesh, whatever their kind; faults are recorded."""
    if len(data) > MAX_BYTES:
        findings.error("DM005", name, f"the file is larger than {MAX_BYTES >> 20} MiB")
        return None, ()
    source = decode(data, name, findings)
    if source is None or not printable(source, findings):
        return source, ()
    before = len(findings)
    nodes = read(source, findings)
    if not nodes and len(findings) == before:
        findings.error("DM010", name, "the file holds no document")
    found = (_mapping(source, index, node, findings) for index, node in enumerate(nodes))
    return source, tuple(each for each in found if each is not None)


class _Reading:
    """The files read so far in one load."""

    def __init__(self, files: Files) -> None:
        self.findings = Findings()
        self.sources: dict[str, Source] = {}
        self._files = files
        self._seen: set[str] = set()

    def file(self, path: str, at: Site | str) -> tuple[Document, ...]:
        """The documents of a file that `at` names; nothing for one that was read before."""
        name = inside(path)
        if name is None:
            self._outside(path, at)
            return ()
        if name in self._seen:
            return ()
        self._seen.add(name)
        if not name.isprintable():
            shown = name.encode("unicode_escape").decode("ascii")
            self.findings.error("DM002", at, f"'{shown}' cannot be read: its name has characters that do not print")
            return ()
        data = self._bytes(name, at)
        if data is None:
            return ()
        source = decode(data, name, self.findings)
        if source is None:
            return ()
        self.sources[name] = source
        if not printable(source, self.findings):
            return ()
        return tuple(_documents(source, self.findings))

    def include(self, at: Site, entry: str) -> list[Document]:
        """The documents of all files that an entry of `include` stands for."""
        if not is_pattern(entry):
            return list(self.file(entry, at))
        pattern = inside(entry)
        if pattern is None:
            self._outside(entry, at)
            return []
        names = self._files.glob(pattern)
        if not names:
            self.findings.error("DM004", at, f"no file matches '{entry}'")
        return [document for name in names for document in self.file(name, at)]

    def _outside(self, path: str, at: Site | str) -> None:
        self.findings.error("DM003", at, f"'{path}' leads out of the folder of the mesh file")

    def _bytes(self, name: str, at: Site | str) -> bytes | None:
        try:
            data = self._files.read(name)
        except OutsidePathError:
            self._outside(name, at)
        except FileNotFoundError:
            self._missing(name, at)
        except OSError as fault:
            why = "it is a folder" if isinstance(fault, IsADirectoryError) else (fault.strerror or "not a regular file")
            self.findings.error("DM002", at, f"'{name}' cannot be read: {why.lower()}")
        else:
            if len(data) <= MAX_BYTES:
                return data
            self.findings.error("DM005", name, f"the file is larger than {MAX_BYTES >> 20} MiB")
        return None

    def _missing(self, name: str, at: Site | str) -> None:
        folder, slash, last = name.rpartition("/")
        beside = [each.rpartition("/")[2] for each in self._files.glob(f"{folder}{slash}*")]
        near = suggest(last, beside)
        hint = f"did you mean '{folder}{slash}{near}'?" if near else None
        self.findings.error("DM001", at, f"the file '{name}' does not exist", hint)


def _includes(mesh: Document) -> Iterator[tuple[Site, str]]:
    site = mesh.site / "include"
    node = mesh.find(site.path)
    if isinstance(node, Sequence):
        for position, entry in enumerate(node.value):
            if isinstance(entry, str):
                yield site / position, entry
    elif node is not None and isinstance(node.value, str):
        yield site, node.value


def _documents(source: Source, findings: Findings) -> Iterator[Document]:
    before = len(findings)
    nodes = read(source, findings)
    if not nodes and len(findings) == before:
        findings.error("DM010", source.name, "the file holds no document")
    for index, node in enumerate(nodes):
        document = _document(source, index, node, findings)
        if document is not None:
            yield document
        if len(findings) - before > MAX_FAULTS:
            findings.error("DM023", source.span(node.start, node.end), f"more than {MAX_FAULTS:,} faults in this file")
            return


def _mapping(source: Source, index: int, node: Node, findings: Findings) -> Document | None:
    if not isinstance(node, MappingNode):
        what = "list" if isinstance(node, Sequence) else "single value"
        findings.error("DM022", source.span(node.start, node.end), f"the document is a {what}, not a mapping of keys")
        return None
    kind = node.child("kind")
    return Document(source, index, str(kind.value) if kind else "", node)


def _document(source: Source, index: int, node: Node, findings: Findings) -> Document | None:
    document = _mapping(source, index, node, findings)
    if document is None:
        return None
    kind = document.node.child("kind")
    if kind is None:
        findings.error("DM108", document.site, "the document does not say its kind")
    elif kind.value not in KINDS:
        near = suggest(kind.value, KINDS) if isinstance(kind.value, str) else None
        said = f"unknown kind '{kind.value}'" if isinstance(kind.value, str) else "the kind is not text"
        findings.error("DM107", document.site / "kind", said, f"did you mean '{near}'?" if near else None)
    else:
        return document
    return None


def _one_mesh(documents: list[Document], mesh: Document | None, findings: Findings) -> tuple[Document, ...]:
    """The documents without any Mesh but the first."""
    kept = []
    for each in documents:
        if each.kind == "Mesh" and each is not mesh and mesh is not None:
            first = (mesh.site / "kind").span
            findings.error("DM009", each.site / "kind", f"a second document of kind Mesh; the first is at {first}")
        else:
            kept.append(each)
    return tuple(kept)
