# SPDX-License-Identifier: Apache-2.0
"""Packages of the guides, as an installer leaves them: modules beside a `.dist-info` with entry points."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType


def modules(guide: Path) -> dict[str, str]:
    """The modules that a guide shows under `<!-- module: NAME -->`, by file name."""
    text = guide.read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- module: (\S+) -->\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def install(folder: Path, name: str, sources: dict[str, str], entry_points: str) -> None:
    """Write a distribution into a folder that is, or will be, on the path."""
    described = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    described.mkdir(parents=True)
    for file, source in sources.items():
        (folder / file).write_text(source, encoding="utf-8")
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (described / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def imported(path: Path) -> ModuleType:
    """Run a module of a guide, such as its tests."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
