# SPDX-License-Identifier: Apache-2.0
"""Where spec files come from (S27)."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

MAX_BYTES = 1 << 20
"""The largest spec file."""


class OutsidePathError(OSError):
    """A path that leads out of the folder of the mesh file."""


class Files(Protocol):
    """A tree of files by paths with `/`, relative to the folder of the mesh file."""

    def read(self, path: str) -> bytes:
        """The content, at most `MAX_BYTES` + 1 bytes. Raises OSError, OutsidePathError for a path that leads out."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """The paths of the files that match, sorted; the meaning of patterns is that of `matches`."""
        ...


def inside(path: str) -> str | None:
    """The path without `.` and empty parts; None where it is absolute or leads out through `..`."""
    if path.startswith(("/", "~")) or "\\" in path or "\0" in path or re.match(r"[A-Za-z]:", path):
        return None
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def is_pattern(path: str) -> bool:
    return any(character in path for character in "*?[")


def matches(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern: `*`, `?`, `[...]` within a name, `**` for folders; none fits a leading dot."""
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.sub(r"(?:\*\*/)+", "**/", pattern).split("/")
    whole = ""
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if part == "**":
            whole += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else "")
        else:
            whole += _name(part) + ("" if last else "/")
    return re.compile(whole, re.DOTALL)


def _name(part: str) -> str:
    """The regular expression of one name; the groups between stars are atomic, so that matching stays linear."""
    groups = [""]
    for piece in re.findall(r"\*+|\?|\[!?\]?[^\]/]*\]|.", part, re.DOTALL):
        if piece[0] == "*":
            groups.append("")
        elif piece == "?":
            groups[-1] += "[^/]"
        elif piece[0] == "[" and len(piece) > 1:
            groups[-1] += _class(piece)
        else:
            groups[-1] += re.escape(piece)
    written = ("" if part.startswith(".") else r"(?!\.)") + groups[0]
    if len(groups) > 1:
        written += "".join(f"(?>[^/]*?{group})" for group in groups[1:-1]) + "[^/]*" + groups[-1]
    return written


def _class(piece: str) -> str:
    """The regular expression of a class `[...]`; one that is none, such as `[z-a]`, stands for itself."""
    negation = "^/" if piece[1] == "!" else ""
    content = re.sub(r"([\\^\[\]&~|])", r"\\\1", piece[1:-1].removeprefix("!"))
    try:
        re.compile(f"[{negation}{content}]")
    except re.error:
        return re.escape(piece)
    return f"[{negation}{content}]"


class Memory:
    """Files held in memory, as tests and generated trees need them; text is encoded as UTF-8."""

    __slots__ = ("_content",)

    def __init__(self, content: Mapping[str, str | bytes]) -> None:
        self._content = {
            path: data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
            for path, data in content.items()
        }

    def read(self, path: str) -> bytes:
        known = inside(path)
        if known is None:
            raise OutsidePathError(path)
        if known not in self._content:
            raise FileNotFoundError(path)
        return self._content[known][: MAX_BYTES + 1]

    def glob(self, pattern: str) -> list[str]:
        return sorted(path for path in self._content if matches(pattern, path))


class Overlay:
    """Other files with the texts of some replaced, as a change that is not written yet is tried."""

    __slots__ = ("_below", "_texts")

    def __init__(self, below: Files, texts: Mapping[str, str]) -> None:
        self._below = below
        self._texts = texts

    def read(self, path: str) -> bytes:
        text = self._texts.get(inside(path) or "")
        return self._below.read(path) if text is None else text.encode()[: MAX_BYTES + 1]

    def glob(self, pattern: str) -> list[str]:
        return self._below.glob(pattern)


class Folder:
    """The files of a folder and below. Links are followed only to what lies inside the folder.

    The folder is resolved once, where it is a link itself: make a new one for each load.
    """

    __slots__ = ("_root",)

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.path.realpath(root)

    def read(self, path: str) -> bytes:
        known = inside(path)
        if known is None:
            raise OutsidePathError(path)
        real = os.path.realpath(os.path.join(self._root, known))
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            raise OutsidePathError(path)
        # Opening a FIFO would wait for a writer for ever.
        opened = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(opened).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(path)
            if not stat.S_ISREG(mode):
                raise OSError(path)
            with open(opened, "rb", closefd=False) as file:
                return file.read(MAX_BYTES + 1)
        finally:
            os.close(opened)

    def glob(self, pattern: str) -> list[str]:
        names = pattern.split("/")
        fixed = next((count for count, name in enumerate(names) if is_pattern(name)), len(names) - 1)
        depth = None if "**" in names else len(names) - fixed
        return sorted(path for path in self._walk("/".join(names[:fixed]), depth) if matches(pattern, path))

    def _walk(self, top: str, depth: int | None) -> Iterator[str]:
        """The files below a folder, hidden ones and linked folders left out, `depth` levels deep."""
        try:
            entries = list(os.scandir(os.path.join(self._root, top)))
        except OSError:
            return
        for entry in entries:
            path = f"{top}/{entry.name}" if top else entry.name
            if entry.is_dir(follow_symlinks=False):
                if depth is None or depth > 1:
                    yield from self._walk(path, None if depth is None else depth - 1)
            elif not os.path.isdir(entry.path):
                yield path
