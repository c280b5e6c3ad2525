# SPDX-License-Identifier: Apache-2.0
"""Places by path, and sites."""

import pytest

from dictamesh.specs.documents import Document, Memory, Site, load

TEXT = """\
kind: Mesh
servers:
  cms: {type: rest, url: "http://x"}
  erp:
    type: sqlite
include: []
tags:
  - a
  - {b: c}
"""


@pytest.fixture
def document() -> Document:
    loaded = load(Memory({"mesh.yaml": TEXT}), "mesh.yaml")
    assert loaded.diagnostics == ()
    assert loaded.mesh is not None
    return loaded.mesh


def written(document: Document, span) -> str:
    lines = TEXT.split("\n")
    return lines[span.line - 1][span.column - 1 : span.end_column - 1 if span.end_line == span.line else None]


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("servers", "cms", "url"), '"http://x"', "url"),
        (("servers", "cms"), '{type: rest, url: "http://x"}', "cms"),
        (("servers", "erp"), "type: sqlite", "erp"),
        (("tags", 0), "a", "a"),
        (("tags", 1, "b"), "c", "b"),
        (("tags", 7, "b"), "- a", "- a"),
        (("servers", "cms", "port"), '{type: rest, url: "http://x"}', '{type: rest, url: "http://x"}'),
        (("servers", "none", "port"), 'cms: {type: rest, url: "http://x"}', 'cms: {type: rest, url: "http://x"}'),
        (("servers", "cms", "url", "host"), '"http://x"', '"http://x"'),
        ((), "kind", "kind"),
        (("none",), "kind", "kind"),
    ],
)
def test_value_and_key_or_nearest_ancestor(document: Document, path: tuple, value: str, key: str) -> None:
    assert written(document, document.locate(path)) == value
    assert written(document, document.locate_key(path)) == key


def test_loose_path_skips_what_is_not_written(document: Document) -> None:
    assert document.locate_loose(("servers", "cms", "RestServer", "url", "function-after[x()]")) == document.locate(
        ("servers", "cms", "url")
    )
    assert document.written(("servers", "tagged", "erp", "type", 3)) == ("servers", "erp", "type")


def test_site(document: Document) -> None:
    site = document.site / "servers" / "erp"
    assert site == Site(document, ("servers", "erp"))
    assert str(site) == "mesh.yaml:5:5"
    assert str(site.key_span) == "mesh.yaml:4:3"
    assert site.plain == {"type": "sqlite"}
    assert site.exists
    assert not (site / "port").exists
    assert (site / "port").plain is None
    assert (document.site / "tags" / 1 / "b").plain == "c"
    assert len({site, document.site / "servers" / "erp"}) == 1


def test_plain_keeps_types(document: Document) -> None:
    assert document.plain() is document.plain()
    assert document.plain()["servers"]["cms"] == {"type": "rest", "url": "http://x"}
