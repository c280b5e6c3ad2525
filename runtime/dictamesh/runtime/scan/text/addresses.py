# SPDX-License-Identifier: Apache-2.0
"""Postal addresses within text: a way with a number, what follows it over some lines, and what is called an address."""

import re
from collections.abc import Iterator

from dictamesh.runtime.scan.text.span import Span

_WORD = r"[^\W\d_][\w'’.-]*"
_WAY = (
    r"(?:street|st|road|rd|avenue|ave|boulevard|blvd|lane|ln|drive|dr|court|ct|square|sq|terrace|crescent|close|highway"
    r"|hwy|parkway|pkwy|place|pl|way|row|rue|allée|impasse|chemin|calle|avenida|avda|paseo|plaza|via|viale|piazza|corso"
    r"|alameda|glorieta|pasaje|callejón|travesía|largo|strada|vicolo|rua|ulica|ul|utca|út|útja|tér|rkp|gate|gata|vej|väg"
    r"|platz|allee)"
)
_COMPOUND = (
    r"(?:[^\W\d_]{2,20}-){0,3}[^\W\d_]{0,30}(?:str\.|straße|strasse|straat|gasse|weg|platz|allee|ring|damm|ufer|laan|plein|kade|gracht|gatan|vägen"
    r"|veien|vegen|gade|gata)"
)
_UNIT = r"(?:apt|apartment|suite|unit|floor|flat|room|ste|wohnung|etage)\.?\s*#?\s*\d{1,5}[a-z]?"
_NUMBER = r"(?<![\w.,/-])\d{1,5}[a-z]?(?:\s+\d{1,5})?"

# 12 High Street, 12 Kerkstraat 3, 12 Bem rkp. 97; the number may stand twice.
_NUMBERED = re.compile(
    rf"{_NUMBER}\s+(?:(?:{_WORD}\s+){{0,3}}{_COMPOUND}|(?:{_WORD}\s+){{1,3}}{_WAY}\b\.?|{_WAY}\s+{_WORD})"
    rf"(?:\s+(?:{_WORD}\s+){{0,2}}\d{{1,5}}\.?)?(?:,?\s+{_UNIT})?",
    re.IGNORECASE,
)
# Hauptstraße 12, rue Descartes 48
_NAMED = re.compile(
    rf"(?<!\w)(?:{_COMPOUND}|{_WAY}(?:\s+{_WORD}){{1,4}})\s+\d{{1,5}}(?:[a-z]|/\d{{1,3}})?\b(?:,?\s+{_UNIT})?",
    re.IGNORECASE,
)
# 12 Ibirapita 80 at the end of a line or part
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
_DOUBLE = re.compile(
    rf"{_NUMBER}[ ]+(?!{_MONTH})(?:{_WORD}[ ]+){{1,3}}\d{{1,5}}\b\.?(?=\s*[\n,]|\s+{_UNIT})", re.IGNORECASE
)
# 18875 Leonard Keys Suite 694
_WITH_UNIT = re.compile(rf"{_NUMBER}[ ]+(?:{_WORD},?[ ]+){{1,3}}{_UNIT}", re.IGNORECASE)
_UNITS = re.compile(rf"\b{_UNIT}", re.IGNORECASE)
_ZIP = re.compile(
    r"\b(?:zip|zip code|postcode|postal code|plz|postleitzahl|code postal)\b\W{0,3}"
    r"(?P<code>[A-Z0-9][A-Z0-9 -]{2,9}\d\w*)",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:address(?:es)?\b[^.\n\d]{0,40}?|(?:lives?|lived|living|located|situated|resides?|return|moved|ship|send|deliver"
    r"|office is|house is|home is)\s+(?:at|to|on|in)\s*)[:\s]\s*"
    rf"(?P<block>\d{{1,4}}\s+(?:{_WORD}[ ]*|\d{{1,5}}\b\.?[ ]*){{1,6}})",
    re.IGNORECASE,
)
_CORNER = re.compile(
    rf"\bthe corner of (?:{_WORD}\s+|\d{{1,5}}\s+){{1,4}}(?:and|&)\s+{_WORD}(?:\s+{_WORD})?", re.IGNORECASE
)
_BLOCK_LINE = re.compile(
    rf"(?m)^[ ?\t]*(?P<line>\d{{1,4}}\s+(?:\d{{1,5}}\s+)?{_WORD}(?:[ ]+{_WORD}){{0,3}}(?:[ ]+\d{{1,5}})?\.?)[ \t]*$"
)
_TAIL = re.compile(
    r"\s*(?:\n\s*,?\s*|,\s*)(?P<part>[^\W\d_][^\n,.:;!?]{1,40}?)"
    r"(?=\s*[\n,.;!?]|\s+(?:in case|for|and|as|if|because)\b|\s*$)"
)
_CODE = re.compile(r"[\s,]+(?:[^\W\d_][\w'’-]*[\s,]+){0,4}\d{4,6}\b")
_CODE_AT_END = re.compile(r"(?m)(?:^|\s)(?P<code>\d{4,6})\s*$")
_MOST_PARTS = 4


def addresses(text: str) -> Iterator[Span]:
    """Addresses and their parts; they may overlap."""
    for pattern, score in ((_NUMBERED, 0.93), (_NAMED, 0.92), (_CORNER, 0.94), (_DOUBLE, 0.91), (_WITH_UNIT, 0.92)):
        for found in pattern.finditer(text):
            yield _followed(text, found.start(), found.end(), score)
    yield from (Span(*found.span(), "address", 0.8) for found in _UNITS.finditer(text))
    yield from (Span(*found.span("code"), "address", 0.85) for found in _ZIP.finditer(text))
    for found in _SAID.finditer(text):
        start, end = found.span("block")
        yield _followed(text, start, start + len(text[start:end].rstrip()), 0.9)
    blocks = list(_BLOCK_LINE.finditer(text))
    yield from (Span(*found.span("line"), "address", 0.88) for found in blocks)
    if blocks:
        yield from (Span(*found.span("code"), "address", 0.7) for found in _CODE_AT_END.finditer(text, blocks[0].end()))


def _followed(text: str, start: int, end: int, score: float) -> Span:
    """An address with city, state and country after it: at least two such parts, or up to the number of a postcode."""
    code = _CODE.match(text, end)
    if code is not None:
        return Span(start, code.end(), "address", score)
    at, parts = end, 0
    while parts < _MOST_PARTS and (found := _TAIL.match(text, at)) is not None:
        at, parts = found.end(), parts + 1
        if re.search(r"\d{4,6}$", found["part"]):
            return Span(start, at, "address", score)
    return Span(start, at if parts > 1 else end, "address", score)
