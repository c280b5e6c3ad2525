# SPDX-License-Identifier: Apache-2.0
"""Names of columns and tags as words: `customerSSN`, `customer_ssn` and `Customer-SSN` are the same two."""

import re
import unicodedata

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
_LONGEST = 200  # characters of a name that are looked at


def words(name: str) -> list[str]:
    """Split a name at case, digits and punctuation into lower-case words without accents; `ß` becomes `ss`."""
    text = name[:_LONGEST]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ẞ", "SS"))
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return [word.casefold() for word in _WORD.findall(text)]


def joined(name: str) -> str:
    """The words of a name without anything between them."""
    return "".join(words(name))
