# SPDX-License-Identifier: Apache-2.0
"""The documents: every link leads somewhere, every whole YAML document is a valid one (DO-5)."""

import re
import shutil
from pathlib import Path

import pytest

from dictamesh.runtime.mesh.build import build_file
from dictamesh.specs.diagnostics import Severity
from dictamesh.specs.model import Runtime
from tests.support.running import ROOT, example_tree

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
BLOCKS = [
    pytest.param(body, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, (language, body) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")), 1)
    if language == "yaml" and re.search(r"^apiVersion:", body, re.MULTILINE)
]


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
    assert len(BLOCKS) >= 4
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 50


@pytest.mark.parametrize("block", BLOCKS)
def test_a_whole_document_is_valid(block: str, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    (config.parent / "sources").mkdir()
    shutil.copy(ROOT / "examples" / "sources" / "suppliers.csv", config.parent / "sources")
    if re.search(r"^kind: Mesh$", block, re.MULTILINE):
        config.write_text(block, encoding="utf-8")
    else:
        (config.parent / "products" / "documented.yaml").write_text(block, encoding="utf-8")
    built = build_file(config)
    assert not [each for each in built.diagnostics if each.severity is not Severity.NOTE]
    assert built.plan is not None


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/how-to/run-it.md").read_text(encoding="utf-8")
    for name, field in Runtime.model_fields.items():
        assert f"| `{field.alias}` | `DICTAMESH_{name.upper()}` |" in text
        assert str(field.default).lower().removesuffix(".0") in text.lower()
