# SPDX-License-Identifier: Apache-2.0
"""References to the environment and to files inside text: `${env:X}`, `${env:X:-default}`, `${file:path}` (S27).

`$${` stands for a literal `${`. Everything but `resolve` leaves references as they are written.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

# An escaped opening, or an opening with what follows it up to the closing brace.
_TOKEN = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)(?P<close>\})?")
_ENV = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_FILE = re.compile(r"file:(?P<name>[^\s:][^\0\n]*?)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference at characters `start` to `end` of its text; `default` is None where none is written."""

    kind: Literal["env", "file"]
    name: str
    default: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A `${` at characters `start` to `end` that is no reference, with the reason; the reason quotes nothing."""

    reason: str
    start: int
    end: int


class MissingReference(LookupError):  # noqa: N818 - the name says what is wrong
    """A variable or file that a reference names is not there."""

    def __init__(self, kind: Literal["env", "file"], name: str) -> None:
        super().__init__(f"environment variable {name} is not set" if kind == "env" else f"file {name} cannot be read")
        self.kind: Literal["env", "file"] = kind
        self.name = name


class Secret:
    """A resolved secret. `str`, `repr` and format show `***`; `reveal` gives the text. It cannot be pickled."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Secret is frozen: {name}")

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, form: str) -> str:
        return format("***", form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written out")


def has_reference(text: str) -> bool:
    """Whether the text holds a reference that is well formed."""
    return "${" in text and any(isinstance(part, Reference) for part in _parts(text))


def references(text: str) -> tuple[Reference, ...]:
    """The well-formed references of a text in order."""
    if "${" not in text:
        return ()
    return tuple(part for part in _parts(text) if isinstance(part, Reference))


def malformed(text: str) -> tuple[Malformed, ...]:
    """The `${` of a text that are no references, in order."""
    if "${" not in text:
        return ()
    return tuple(part for part in _parts(text) if isinstance(part, Malformed))


def resolve(text: str, env: Mapping[str, str], read_file: Callable[[str], str]) -> str:
    """The text with references replaced, in one pass, and `$${` as `${`; malformed ones stay as written.

    A default stands in for a variable that is unset or empty. The content of a file loses its last line break. Raises
    MissingReference, which names the reference and no value.
    """
    if "${" not in text:
        return text
    return "".join(part if isinstance(part, str) else _value(part, env, read_file) for part in _resolvable(text))


def _resolvable(text: str) -> Iterator[str | Reference]:
    last = 0
    for part in _parts(text):
        start, end = (part.start(), part.end()) if isinstance(part, re.Match) else (part.start, part.end)
        yield text[last:start]
        if isinstance(part, Reference):
            yield part
        else:
            yield "${" if isinstance(part, re.Match) else text[start:end]
        last = end
    yield text[last:]


def _value(reference: Reference, env: Mapping[str, str], read_file: Callable[[str], str]) -> str:
    if reference.kind == "env":
        value = env.get(reference.name)
        if reference.default is not None:
            return value or reference.default
        if value is None:
            raise MissingReference("env", reference.name)
        return value
    try:
        content = read_file(reference.name)
    except (OSError, UnicodeDecodeError):
        # The cause is left out: its text may quote the content.
        raise MissingReference("file", reference.name) from None
    return content.removesuffix("\n").removesuffix("\r")


def _parts(text: str) -> Iterator[Reference | Malformed | re.Match[str]]:
    """References, malformed ones, and matches of the escape, in order."""
    for found in _TOKEN.finditer(text):
        if found["body"] is None:
            yield found
            continue
        parsed = _parsed(found)
        yield Malformed(parsed, *found.span()) if isinstance(parsed, str) else parsed


def _parsed(found: re.Match[str]) -> Reference | str:
    if not found["close"]:
        return "the reference is not closed by `}`"
    body = found["body"]
    env = _ENV.fullmatch(body)
    if env:
        return Reference("env", env["name"], env["default"], *found.span())
    file = _FILE.fullmatch(body)
    if file:
        return Reference("file", file["name"], None, *found.span())
    kind, colon, _ = body.partition(":")
    if kind == "env" and colon:
        return "the name of an environment variable has letters, digits and `_` only"
    if kind == "file" and colon:
        return "the reference names no file"
    return "a reference begins with `env:` or `file:`"
