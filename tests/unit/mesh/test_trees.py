# SPDX-License-Identifier: Apache-2.0
"""Watching a tree: every change is seen, none before the tree stands still (S29)."""

import asyncio
import os
from pathlib import Path

import pytest

from dictamesh.runtime.mesh import trees
from dictamesh.runtime.mesh.trees import changes, fingerprint
from dictamesh.specs.documents import Folder, Loaded, load

MESH = "apiVersion: dictamesh/v1\nkind: Mesh\nname: m\ninclude: [products/*.yaml, one.yaml]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "products").mkdir()
    (tmp_path / "mesh.yaml").write_text(MESH, encoding="utf-8")
    (tmp_path / "one.yaml").write_text("a: 1\n", encoding="utf-8")
    (tmp_path / "products" / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    return tmp_path / "mesh.yaml"


def loaded(config: Path) -> Loaded:
    return load(Folder(config.parent), config.name)


def test_what_changes_a_fingerprint(config: Path) -> None:
    read = loaded(config)
    folder = config.parent
    seen = [fingerprint(config, read)]

    def changed() -> bool:
        seen.append(fingerprint(config, read))
        return seen[-1] != seen[-2]

    assert not changed()
    (folder / "products" / "b.yaml").write_text("b: 1\n", encoding="utf-8")
    assert changed()
    (folder / "products" / "b.yaml").unlink()
    assert changed()
    os.utime(folder / "one.yaml", ns=(1, 1))
    assert changed()
    (folder / "one.yaml").unlink()
    assert changed()
    (folder / "notes.txt").write_text("not of the tree\n", encoding="utf-8")
    (folder / "products" / ".hidden.yaml").write_text("a: 1\n", encoding="utf-8")
    assert not changed()
    config.unlink()
    assert changed()


async def test_a_burst_is_one_change(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "POLL", 0.02)
    monkeypatch.setattr(trees, "QUIET", 0.3)
    read = loaded(config)
    told: list[str] = []

    async def watch() -> None:
        async for _ in changes(config, lambda: read):
            told.append((config.parent / "one.yaml").read_text(encoding="utf-8"))

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.1)
    for number in range(8):
        (config.parent / "one.yaml").write_text(f"a: {'x' * number}\n", encoding="utf-8")
        await asyncio.sleep(0.05)
    assert told == []
    async with asyncio.timeout(10):
        while not told:
            await asyncio.sleep(0.02)
    assert told == ["a: xxxxxxx\n"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
