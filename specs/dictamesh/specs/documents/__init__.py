# SPDX-License-Identifier: Apache-2.0
"""Documents: YAML files as trees that know where each key and value is written, and references inside text."""

from dictamesh.specs.documents.document import Document, Path, Site
from dictamesh.specs.documents.files import MAX_BYTES, Files, Folder, Memory, OutsidePathError, inside, matches
from dictamesh.specs.documents.load import KINDS, Loaded, load, read_file
from dictamesh.specs.documents.nodes import Mapping, Node, Plain, Scalar, Sequence
from dictamesh.specs.documents.reader import MAX_DEPTH, MAX_NODES
from dictamesh.specs.documents.references import (
    Malformed,
    MissingReference,
    Reference,
    Secret,
    has_reference,
    malformed,
    references,
    resolve,
)
from dictamesh.specs.documents.writing import write

__all__ = [
    "KINDS",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Files",
    "Folder",
    "Loaded",
    "Malformed",
    "Mapping",
    "Memory",
    "MissingReference",
    "Node",
    "OutsidePathError",
    "Path",
    "Plain",
    "Reference",
    "Scalar",
    "Secret",
    "Sequence",
    "Site",
    "has_reference",
    "inside",
    "load",
    "malformed",
    "matches",
    "read_file",
    "references",
    "resolve",
    "write",
]
