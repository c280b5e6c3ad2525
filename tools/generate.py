# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from the code: JSON Schemas and reference pages. `--check` only says whether they are current."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from dictamesh.connectors.reference import reference as connectors_page
from dictamesh.connectors.registry import BUILT_IN, manifests
from dictamesh.runtime.catalog.rest.openapi import openapi
from dictamesh.runtime.compile.avro import envelope
from dictamesh.runtime.mesh.api import described
from dictamesh.runtime.observe import reference as metrics_page
from dictamesh.specs.expressions import reference as expressions_page
from dictamesh.specs.jsonschema import document_schema
from dictamesh.specs.reference import diagnostics, language

ROOT = Path(__file__).resolve().parents[1]


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def built_in_schema() -> str:
    """The schema with the connectors of this repository; an installed one of somebody else stays out."""
    return as_json(document_schema({name: manifests()[name] for name in sorted(BUILT_IN)}))


PAGES: dict[str, Callable[[], str]] = {
    "schemas/dictamesh.schema.json": built_in_schema,
    "schemas/openapi.json": lambda: as_json(openapi(described())),
    "schemas/envelope.avsc": lambda: as_json(envelope("Entity", ())),
    "docs/reference/language.md": language,
    "docs/reference/diagnostics.md": diagnostics,
    "docs/reference/connectors.md": connectors_page,
    "docs/reference/expressions.md": expressions_page,
    "docs/reference/metrics.md": metrics_page,
}


def main(arguments: list[str]) -> int:
    stale = [name for name, make in PAGES.items() if _differs(ROOT / name, make())]
    if "--check" in arguments:
        for name in stale:
            print(f"{name} is stale: run `make docs` and commit it", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
