# SPDX-License-Identifier: Apache-2.0
"""Golden cases in Markdown: a tree of files in, text out. The format is described in tests/cases/README.md."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CASES = Path(__file__).parent.parent / "cases"
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)(?: +(?P<path>\S+))?(?P<escaped> +escaped)? *$")
_OPTION = re.compile(r"^(?P<name>[a-z][a-z-]*): *(?P<value>\S.*?) *$")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the input files by path, and the expected text with its language (`text`, `json`, ...)."""

    file: Path
    title: str
    line: int
    options: dict[str, str]
    files: dict[str, bytes]
    expected: str | None
    language: str

    @property
    def runner(self) -> str:
        return self.options["runner"]


@dataclass(slots=True)
class _Block:
    language: str
    path: str
    escaped: bool
    first: int  # the line of the opening fence, from 0
    last: int  # the line of the closing fence
    content: str


@dataclass(slots=True)
class _Section:
    title: str
    line: int  # of the title, from 0
    end: int = 0  # of the last option, or the title
    options: dict[str, str] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)


def cases(pattern: str) -> list:
    """pytest parameters for the cases in the files of tests/cases that match a pattern."""
    files = sorted(path for path in CASES.glob(pattern) if path.name != "README.md")
    assert files, f"no case file matches {pattern}"
    return [pytest.param(case, id=f"{case.file.stem}: {case.title}") for file in files for case in read(file)]


def read(file: Path) -> list[Case]:
    """The cases of a file. What stands before the first case is common to all; a case's own comes after it."""
    common, *sections = _sections(file)
    titles = [section.title for section in sections]
    assert len(set(titles)) == len(titles), f"{file.name}: two cases have the same title"
    return [_case(file, common, section) for section in sections]


def check(case: Case, actual: str) -> None:
    """Compare with the expected block, or write it where DICTAMESH_REWRITE is set."""
    actual = actual.rstrip("\n") + "\n"
    if os.environ.get("DICTAMESH_REWRITE"):
        _rewrite(case, actual)
    else:
        where = f"{case.file.name}:{case.line}"
        assert case.expected is not None, f"{where} has no expected block; pytest --rewrite writes it"
        assert actual == case.expected, f"{where}; pytest --rewrite accepts what it gives now"


def _case(file: Path, common: _Section, section: _Section) -> Case:
    files: dict[str, bytes] = {}
    expected = None
    for block in [*common.blocks, *section.blocks]:
        if block.language == "edit":
            files[block.path] = _edited(files[block.path], block.content)
        elif block.path:
            files[block.path] = _unescaped(block.content) if block.escaped else block.content.encode()
        else:
            assert expected is None, f"{file.name}:{block.first + 1}: a second expected block"
            expected = block
    return Case(
        file=file,
        title=section.title,
        line=section.line + 1,
        options=common.options | section.options,
        files=files,
        expected=expected.content if expected else None,
        language=expected.language if expected else "text",
    )


def _unescaped(content: str) -> bytes:
    return content.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def _edited(data: bytes, content: str) -> bytes:
    """The file with the text of the `-` lines, which stands in it once, replaced by that of the `+` lines."""
    lines = content.splitlines()
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    text = data.decode()
    if not old:
        return f"{text}{new}\n".encode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the file that it edits"
    return text.replace(old, new).encode()


def _sections(file: Path) -> list[_Section]:
    sections = [_Section("", 0)]
    lines = iter(enumerate(file.read_text("utf-8").split("\n")))
    for number, line in lines:
        if line.startswith("## "):
            sections.append(_Section(line[3:].strip(), number, number))
        elif fence := _FENCE.match(line):
            sections[-1].blocks.append(_block(fence, number, lines))
        elif (option := _OPTION.match(line)) and not sections[-1].blocks:
            sections[-1].options[option["name"]] = option["value"]
            sections[-1].end = number
    return sections


def _block(fence: re.Match[str], first: int, lines: Iterator[tuple[int, str]]) -> _Block:
    content = ""
    for number, line in lines:
        if line.rstrip() == fence["fence"]:
            return _Block(fence["language"], fence["path"] or "", bool(fence["escaped"]), first, number, content)
        content += line + "\n"
    raise AssertionError(f"the block that begins in line {first + 1} is not closed")


def _rewrite(case: Case, actual: str) -> None:
    """Put the text into the file, which is read anew: cases before this one may have moved it."""
    lines = case.file.read_text("utf-8").split("\n")
    section = next(each for each in _sections(case.file) if each.title == case.title)
    own = [block for block in section.blocks if not block.path]
    if own:
        lines[own[0].first + 1 : own[0].last] = actual.removesuffix("\n").split("\n")
    else:
        after = section.blocks[-1].last if section.blocks else section.end
        lines[after + 1 : after + 1] = ["", f"```{case.language}", *actual.removesuffix("\n").split("\n"), "```"]
    case.file.write_text("\n".join(lines), "utf-8")
