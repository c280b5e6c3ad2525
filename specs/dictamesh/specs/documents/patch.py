# SPDX-License-Identifier: Apache-2.0
"""A change of files as a unified diff that `git apply` and `patch -p1` take."""

import difflib
import json
from collections.abc import Iterator, Mapping

_CONTEXT = 3  # lines around a change


def unified(changes: Mapping[str, tuple[str, str]]) -> str:
    """The diff of files, each by its path with the text before and after; empty where nothing differs."""
    return "".join(line for path in sorted(changes) for line in _file(path, *changes[path]))


def _file(path: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        _lines(before), _lines(after), _name("a", path), _name("b", path), n=_CONTEXT, lineterm="\n"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """Lines as git sees them: only a line feed ends one."""
    parts = text.split("\n")
    return [*(f"{part}\n" for part in parts[:-1]), *([parts[-1]] if parts[-1] else [])]


def _name(side: str, path: str) -> str:
    """A path as git writes it: in quotes where it has control characters, ended by a tab where it has blanks."""
    name = f"{side}/{path}"
    if any(character in name for character in '"\\') or not name.isprintable():
        return json.dumps(name, ensure_ascii=False)
    return f"{name}\t" if " " in name else name
