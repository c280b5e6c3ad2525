# SPDX-License-Identifier: Apache-2.0
"""Names of resources as names of products, entities and fields; a glob over the ones is a glob over the others.

Small letters and digits stand for themselves; every other character of ASCII becomes a letter of A to H and one of I
to X. A piece of a name can therefore be found in a written name only where it stands in the name itself.
"""

import re

from tests.conformance.ranger.model import Level, Reason, Unsaid

PLAIN = re.compile(r"[a-z0-9]\Z")
TAG = re.compile(r"[A-Za-z0-9-]\Z")


class NoGlob(Exception):  # noqa: N818 - control flow: what matches is listed instead
    """A pattern that no glob over our names says."""


def written(text: str, level: Level) -> str:
    """A value of a level as a part of a name."""
    return "".join(_letter(char) for char in (text.lower() if level.ignore_case else text))


def globbed(text: str, level: Level) -> str:
    """A pattern of a level as a glob over what `written` gives; raises NoGlob for `?`, one letter of the value."""
    if not level.wildcard:
        return written(text, level)
    if "?" in text:
        raise NoGlob
    return "*".join(written(piece, level) for piece in re.split(r"\*+", text))


def _letter(char: str) -> str:
    if PLAIN.match(char):
        return char
    code = ord(char)
    if code > 127:
        raise Unsaid(Reason.UNREAD)
    return chr(ord("A") + code // 16) + chr(ord("I") + code % 16)


def word(text: str) -> str:
    """A name of a kind of resource as a part of a name."""
    return "".join(char if PLAIN.match(char) else _letter(char) for char in text.lower())


def tag_name(text: str) -> str:
    """A type of tags as a tag."""
    return "".join(char if TAG.match(char) else f"_{ord(char):02x}_" for char in text)


def quoted(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("'", "''") + "'"


def like(text: str) -> str:
    """A text as a part of a pattern of LIKE, standing for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)
