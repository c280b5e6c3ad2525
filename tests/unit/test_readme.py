# SPDX-License-Identifier: Apache-2.0
"""The documents: every link leads somewhere, every whole YAML document is a valid one (DO-5)."""

import re
from pathlib import Path

import pytest

from dictamesh.runtime.mesh.build import build_file
from dictamesh.specs.diagnostics import Diagnostic, Severity
from dictamesh.specs.model import Runtime
from tests.support.running import ROOT, example_tree

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
BLOCKS = {
    page: [
        body
        for language, body in FENCE.findall(page.read_text(encoding="utf-8"))
        if language == "yaml" and re.search(r"^apiVersion:", body, re.MULTILINE)
    ]
    for page in PAGES
}
PLACES = {
    "Mesh": "mesh.yaml",
    "Taxonomy": "taxonomy.yaml",
    "DataProduct": "products/{}.yaml",
    "Policy": "policies/{}.yaml",
    "Agreement": "policies/{}.yaml",
}
MEANT = {"find-personal-data.md": ["DM805"]}
"""Findings that a page is about."""
WHOLE = [pytest.param(page, id=str(page.relative_to(ROOT))) for page, blocks in BLOCKS.items() if blocks]


def prose(page: Path) -> str:
    """The text of a page without its code, in which brackets mean other things."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(prose(page)):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


def test_there_are_documents_to_check() -> None:
    assert len(WHOLE) >= 3
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 50


@pytest.mark.parametrize("page", WHOLE)
def test_whole_documents_are_valid(page: Path, tmp_path: Path) -> None:
    """Each document joins the example; the documents of a page with a mesh file are a tree of their own."""
    config = example_tree(tmp_path)
    if any(kind(block) == "Mesh" for block in BLOCKS[page]):
        for path in [*config.parent.rglob("*.yaml")]:
            path.unlink()
        for number, block in enumerate(BLOCKS[page]):
            (config.parent / PLACES[kind(block)].format(number)).write_text(block, encoding="utf-8")
        assert not findings(config)
        return
    for number, block in enumerate(BLOCKS[page]):
        path = config.parent / PLACES[kind(block)].format(f"documented-{number}")
        path.write_text(block, encoding="utf-8")
        assert [each.code for each in findings(config)] == MEANT.get(page.name, [])
        path.unlink()


def kind(block: str) -> str:
    found = re.search(r"^kind: (\w+)$", block, re.MULTILINE)
    assert found is not None
    return found[1]


def findings(config: Path) -> list[Diagnostic]:
    return [each for each in build_file(config).diagnostics if each.severity is not Severity.NOTE]


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/how-to/run-it.md").read_text(encoding="utf-8")
    for name, field in Runtime.model_fields.items():
        assert f"| `{field.alias}` | `DICTAMESH_{name.upper()}` |" in text
        assert str(field.default).lower().removesuffix(".0") in text.lower()
