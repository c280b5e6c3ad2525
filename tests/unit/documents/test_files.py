# SPDX-License-Identifier: Apache-2.0
"""Folders and memory: the same patterns, nothing outside, nothing that blocks."""

import os
from pathlib import Path

import pytest

from dictamesh.specs.documents import MAX_BYTES, Folder, Memory, OutsidePathError, inside, load, matches

TREE = [
    "mesh.yaml",
    "a.yaml",
    "b.yml",
    ".hidden.yaml",
    "p/a.yaml",
    "p/q/b.yaml",
    "p/q/r/c.yaml",
    ".git/x.yaml",
    "p/.x/y.yaml",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kind: Policy\n")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.yaml", ["a.yaml", "mesh.yaml"]),
        ("*", ["a.yaml", "b.yml", "mesh.yaml"]),
        (".*", [".hidden.yaml"]),
        ("?.y*ml", ["a.yaml", "b.yml"]),
        ("[ab].y*", ["a.yaml", "b.yml"]),
        ("[!a].y*", ["b.yml"]),
        ("[z-a].yaml", []),
        ("p/*.yaml", ["p/a.yaml"]),
        ("p/*/*.yaml", ["p/q/b.yaml"]),
        ("*/*.yaml", ["p/a.yaml"]),
        ("p/**/*.yaml", ["p/a.yaml", "p/q/b.yaml", "p/q/r/c.yaml"]),
        ("**/*.yaml", ["a.yaml", "mesh.yaml", "p/a.yaml", "p/q/b.yaml", "p/q/r/c.yaml"]),
        ("**/**/c.yaml", ["p/q/r/c.yaml"]),
        ("p/**", ["p/a.yaml", "p/q/b.yaml", "p/q/r/c.yaml"]),
        ("none/*.yaml", []),
        ("*.YAML", []),
    ],
)
def test_patterns_mean_the_same_in_folder_and_memory(folder: Path, pattern: str, found: list[str]) -> None:
    assert Folder(folder).glob(pattern) == found
    assert Memory(dict.fromkeys(TREE, "")).glob(pattern) == found


def test_pattern_with_many_stars_is_cheap() -> None:
    assert not matches("*a" * 60 + "*b", "a" * 250)
    assert matches("*a" * 60, "a" * 250)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.yaml", "p/../../a.yaml", "~/a.yaml", "C:/a.yaml", "p\\a.yaml", "a\0.yaml"]
)
def test_paths_outside_are_refused(folder: Path, path: str) -> None:
    assert inside(path) is None
    for files in (Folder(folder / "p"), Memory({"a.yaml": ""})):
        with pytest.raises(OutsidePathError):
            files.read(path)


def test_links_may_lead_within_only(folder: Path) -> None:
    (folder / "p" / "within.yaml").symlink_to("../a.yaml")
    (folder / "p" / "out.yaml").symlink_to("/etc/hostname")
    assert Folder(folder).read("p/within.yaml") == b"kind: Policy\n"
    with pytest.raises(OutsidePathError):
        Folder(folder).read("p/out.yaml")
    with pytest.raises(OutsidePathError):
        Folder(folder / "p").read("within.yaml")


def test_linked_root_is_followed(folder: Path) -> None:
    (folder / "current").symlink_to("p")
    assert Folder(folder / "current").read("a.yaml") == b"kind: Policy\n"
    assert Folder(folder / "current").glob("*.yaml") == ["a.yaml"]


def codes(folder: Path, include: str) -> list[tuple[str, str, int]]:
    (folder / "mesh.yaml").write_text(f"kind: Mesh\ninclude:\n  - {include}\n")
    return [(each.code, each.file, each.line) for each in load(Folder(folder), "mesh.yaml").diagnostics]


def test_folder_fifo_and_loop_are_diagnostics(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "dangling.yaml").symlink_to("nothing.yaml")
    assert codes(folder, "p") == [("DM002", "mesh.yaml", 3)]
    assert codes(folder, "fifo.yaml") == [("DM002", "mesh.yaml", 3)]
    assert codes(folder, "loop.yaml") == [("DM002", "mesh.yaml", 3)]
    assert codes(folder, "dangling.yaml") == [("DM001", "mesh.yaml", 3)]
    assert codes(folder, "mesh.yaml/x.yaml") == [("DM002", "mesh.yaml", 3)]
    assert codes(folder, f"{'x' * 300}.yaml") == [("DM002", "mesh.yaml", 3)]


def test_name_that_is_not_utf8(folder: Path) -> None:
    odd = os.fsencode(folder) + b"/odd\xff.yaml"
    with open(odd, "w") as file:
        file.write("kind: Policy\n")
    (found,) = load_all(folder, "odd*.yaml")
    assert found.code == "DM002"
    found.to_json()["message"].encode()


def load_all(folder: Path, include: str):
    (folder / "mesh.yaml").write_text(f"kind: Mesh\ninclude: ['{include}']\n")
    return load(Folder(folder), "mesh.yaml").diagnostics


def test_large_file(folder: Path) -> None:
    (folder / "big.yaml").write_text("kind: Policy\n" + "#" * MAX_BYTES)
    assert codes(folder, "big.yaml") == [("DM005", "big.yaml", 1)]
    fits = "kind: Policy\n"
    (folder / "big.yaml").write_text(fits + "#" * (MAX_BYTES - len(fits)))
    assert codes(folder, "big.yaml") == []


def test_each_file_is_loaded_once_in_order(folder: Path) -> None:
    (folder / "mesh.yaml").write_text("kind: Mesh\ninclude: [p/q/*.yaml, a.yaml, '**/*.yaml', ./p/../a.yaml]\n")
    loaded = load(Folder(folder), "mesh.yaml")
    assert loaded.diagnostics == ()
    assert [each.file for each in loaded.documents] == ["mesh.yaml", "p/q/b.yaml", "a.yaml", "p/a.yaml", "p/q/r/c.yaml"]
    assert list(loaded.sources) == [each.file for each in loaded.documents]
