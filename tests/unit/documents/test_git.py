# SPDX-License-Identifier: Apache-2.0
"""Spec files of a commit, read without a checkout."""

import os
import subprocess
from pathlib import Path

import pytest

from dictamesh.specs.documents import load
from dictamesh.specs.documents.files import MAX_BYTES, OutsidePathError
from dictamesh.specs.documents.git import GitTree, GitUnreadable, repository

MESH = "apiVersion: dictamesh/v1\nkind: Mesh\nname: acme\ninclude: [products/*.yaml]\n"


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository whose mesh lies in a folder of its own; the second commit changes it."""
    git(tmp_path, "init", "-q", "-b", "main")
    mesh = tmp_path / "specs"
    (mesh / "products").mkdir(parents=True)
    (mesh / "mesh.yaml").write_text(MESH)
    (mesh / "products" / "ä b.yaml").write_text("kind: DataProduct\n")
    (mesh / "products" / ".hidden.yaml").write_text("x")
    (mesh / "link.yaml").symlink_to("../outside.yaml")
    (mesh / "large.yaml").write_text("#" * (MAX_BYTES + 5))
    (tmp_path / "outside.yaml").write_text("secret")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "tag", "v1")
    (mesh / "mesh.yaml").write_text(MESH.replace("acme", "other"))
    git(tmp_path, "commit", "-qam", "two")
    (mesh / "mesh.yaml").write_text("not committed")
    return tmp_path


def test_a_commit_is_read_as_it_was(repo: Path) -> None:
    mesh = repo / "specs"
    assert GitTree(mesh, "v1").read("mesh.yaml").decode() == MESH
    assert b"other" in GitTree(mesh, "main").read("mesh.yaml")
    assert GitTree(mesh, "HEAD~1").glob("products/*.yaml") == ["products/ä b.yaml"]
    assert load(GitTree(mesh, "v1"), "mesh.yaml").documents[1].kind == "DataProduct"
    assert (mesh / "mesh.yaml").read_text() == "not committed"


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("nothing.yaml", FileNotFoundError),
        ("products", IsADirectoryError),
        ("../outside.yaml", OutsidePathError),
        ("/etc/passwd", OutsidePathError),
        ("link.yaml", FileNotFoundError),
    ],
)
def test_what_is_no_file_of_the_folder_is_not_read(repo: Path, path: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        GitTree(repo / "specs", "main").read(path)


def test_a_file_too_large_is_told_by_its_length(repo: Path) -> None:
    assert len(GitTree(repo / "specs", "main").read("large.yaml")) == MAX_BYTES + 1


@pytest.mark.parametrize("revision", ["", "-x", "--all", "nowhere", "main:specs", "v1^{tree}", "a b", "main\n"])
def test_what_is_no_commit_is_refused(repo: Path, revision: str) -> None:
    with pytest.raises(GitUnreadable, match="no revision"):
        GitTree(repo / "specs", revision)


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GitUnreadable, match="lies in no git repository"):
        GitTree(tmp_path, "main")
    with pytest.raises(GitUnreadable):
        repository(tmp_path)
