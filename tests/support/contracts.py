# SPDX-License-Identifier: Apache-2.0
"""Contracts and products as plain data, and the official schema held against them by the library alone."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Document, read_file
from dictamesh.specs.odcs import schemas

SCHEMAS = Path(schemas.__file__).parent


def documents(path: Path) -> list[Document]:
    findings = Findings()
    _, found = read_file(path.name, path.read_bytes(), findings)
    assert not list(findings), [each.message for each in findings]
    return list(found)


@cache
def official(version: str = "v3.1.0") -> jsonschema.Draft201909Validator:
    """A validator of the library's own, with nothing of ours in it."""
    text = (SCHEMAS / f"odcs-json-schema-{version}.json").read_text(encoding="utf-8")
    return jsonschema.Draft201909Validator(json.loads(text))


def complaints(contract: Any, version: str = "v3.1.0") -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in official(version).iter_errors(contract)]
