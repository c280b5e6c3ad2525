# SPDX-License-Identifier: Apache-2.0
"""docs/reference/plan.md lists the keys of the plan, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dictamesh.runtime.compile.artefacts import artefacts
from dictamesh.runtime.mesh.build import build_file

ROOT = Path(__file__).parents[3]
NAMED = {
    "servers": "<server>", "products": "<product>", "entities": "<address>", "topics": "<topic>", "fields": "<field>",
    "relations": "<relation>", "decisions.fields": "<address>", "decisions.rows": "<address>",
}  # fmt: skip
"""Where names of the specs stand as keys."""


def documented() -> set[str]:
    text = (ROOT / "docs" / "reference" / "plan.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def paths(value: Any, path: str, known: set[str]) -> Iterator[str]:
    """Every key of a plan by its documented form; what is documented as a whole is not looked into."""
    if path in known and not any(each.startswith((f"{path}.", f"{path}[")) for each in known):
        yield path
    elif isinstance(value, dict):
        if path in known:
            yield path
        name = NAMED.get(path) or NAMED.get(path.rpartition(".")[2])
        for key, each in value.items():
            below = f"{path}.{name or key}" if path else key
            if below.endswith(".fields.<field>.fields"):
                yield below
                below = below.removesuffix(".<field>.fields")
            yield from paths(each, below, known)
    elif isinstance(value, list):
        if path in known:
            yield path
        for each in value:
            yield from paths(each, f"{path}[]", known)
    else:
        yield path


def test_the_page_lists_every_key() -> None:
    found: set[str] = set()
    known = documented()
    for config in (ROOT / "examples" / "mesh.yaml", ROOT / "tests" / "e2e" / "canaries" / "mesh.yaml"):
        built = build_file(config)
        assert built.plan is not None
        found |= set(paths(artefacts(built.plan), "", known))
    unknown = found - known
    assert not unknown, f"not on the page: {sorted(unknown)}"
    missing = {each for each in known - found if not any(other.startswith(each) for other in found)}
    assert not missing, f"on the page, and in no plan: {sorted(missing)}"
