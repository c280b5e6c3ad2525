# SPDX-License-Identifier: Apache-2.0
"""Parameters of a route: what each means, its JSON Schema, and how its text is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

LONGEST_TEXT = 1024
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_SAFE_TEXT = r"^[^\u0000]*$"
_LONGEST_INSTANT = 64
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path or the query.

    ``read`` raises ``ValueError``; ``told`` says what it takes, for the message. ``many``: it may be repeated, and its
    value is a tuple. ``slashes``: in the path it may take several segments.
    """

    name: str
    doc: str
    told: str
    schema: Mapping[str, Any]
    read: Callable[[str], Any]
    place: Literal["query", "path"] = "query"
    default: Any = None
    required: bool = False
    many: bool = False
    slashes: bool = False
    example: str | None = None

    def in_path(self, *, slashes: bool = False) -> "Parameter":
        """The same parameter as a segment of the path, or as all that is left of it."""
        return replace(self, place="path", required=True, slashes=slashes)

    def needed(self) -> "Parameter":
        """The same parameter, which has to be there."""
        return replace(self, required=True)

    def such_as(self, example: str) -> "Parameter":
        """The same parameter with an example for readers."""
        return replace(self, example=example)

    def repeated(self) -> "Parameter":
        """The same parameter, which may stand several times."""
        return replace(self, many=True, default=())


def text(name: str, doc: str, longest: int = LONGEST_TEXT, default: str | None = None) -> Parameter:
    """A text of 1 to ``longest`` characters that PostgreSQL can hold."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": _SAFE_TEXT}
    if default is not None:
        schema["default"] = default

    def read(given: str) -> str:
        if not 0 < len(given) <= longest or _NO_TEXT.search(given):
            raise ValueError(name)
        return given

    return Parameter(name, doc, f"a text of 1 to {longest} characters, none of them NUL", schema, read, default=default)


def whole(name: str, doc: str, least: int, most: int, default: int | None) -> Parameter:
    """A whole number within bounds."""
    schema: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default
    digits = len(str(most))

    def read(given: str) -> int:
        if not (given.isascii() and given.isdigit() and len(given) <= digits and least <= int(given) <= most):
            raise ValueError(name)
        return int(given)

    return Parameter(name, doc, f"a whole number between {least} and {most}", schema, read, default=default)


def choice(name: str, doc: str, values: Sequence[str], default: str | None = None) -> Parameter:
    """One of some words."""
    schema: dict[str, Any] = {"type": "string", "enum": list(values)}
    if default is not None:
        schema["default"] = default

    def read(given: str) -> str:
        if given not in values:
            raise ValueError(name)
        return given

    return Parameter(name, doc, f"one of {', '.join(values)}", schema, read, default=default)


def flag(name: str, doc: str) -> Parameter:
    """True or false."""
    words = {"true": True, "false": False}

    def read(given: str) -> bool:
        if given not in words:
            raise ValueError(name)
        return words[given]

    return Parameter(name, doc, "true or false", {"type": "boolean"}, read)


def instant(name: str, doc: str) -> Parameter:
    """An instant with its zone, RFC 3339."""

    def read(given: str) -> datetime:
        # a plus sign that was not escaped arrives as a space
        found = _INSTANT.fullmatch(given.replace(" ", "+")) if len(given) <= _LONGEST_INSTANT else None
        if found is None:
            raise ValueError(name)
        try:
            return datetime.fromisoformat(found[0].upper()).astimezone(UTC)
        except OverflowError:
            raise ValueError(name) from None

    return Parameter(
        name, doc, "an instant, as in 2026-01-31T13:45:00Z", {"type": "string", "format": "date-time"}, read
    )


def day_or_instant(name: str, doc: str) -> Parameter:
    """A day, which begins at midnight UTC, or an instant of RFC 3339."""
    schema = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
    told = "a day, as in 2026-01-31, or an instant, as in 2026-01-31T13:45:00Z"
    return Parameter(name, doc, told, schema, read_day_or_instant)


def read_day_or_instant(given: str) -> datetime:
    """A day, which begins at midnight, or an instant of RFC 3339; UTC unless it says otherwise; raises ValueError."""
    if len(given) > _LONGEST_INSTANT:
        raise ValueError(given[:_LONGEST_INSTANT])
    found = datetime.fromisoformat(given.replace(" ", "+"))  # a plus sign that was not escaped arrives as a space
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise ValueError(given) from None


def page(most: int = 100, default: int = 20, furthest: int = 1_000_000) -> tuple[Parameter, Parameter]:
    """``limit`` and ``offset`` (MC-11)."""
    return (
        whole("limit", "Entries of a page.", 1, most, default),
        whole("offset", "Entries before the page.", 0, furthest, 0),
    )
