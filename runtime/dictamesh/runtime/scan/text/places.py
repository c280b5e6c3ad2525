# SPDX-License-Identifier: Apache-2.0
"""Places within sentences: countries, peoples and large cities by lists, others where the sentence says so."""

import re
from collections.abc import Iterator
from functools import cache

from dictamesh.runtime.scan.formats.people import word_list
from dictamesh.runtime.scan.text.span import Span
from dictamesh.runtime.scan.text.tokens import tokens

_WIDEST = 5  # words of a place
_CAPITAL = r"[A-ZÀ-ÖØ-ÞΑ-ΩŁŚŻŹĆČŠŽŘŮĎŤŇĽŐŰİĞŞĀĒĪŌŪ]"
_LINK = "nad|am|an der|upon|sur|de|del|di|la|le|den|van|of|the"
_NAME = rf"{_CAPITAL}[\w'’-]+(?: (?:{_LINK}|{_CAPITAL}[\w'’-]+|\d{{1,2}}\b)){{0,4}}"
_AT_HOME = (
    "live|lives|lived|living|grew up|born|raised|based|located|stay|stays|stayed|residents?|citizens?|people|held"
)
_ON_THE_WAY = (
    "move|moved|moving|return|returned|returning|travel|travell?ed|travelling|flew|went|came|come|back|fly|flying|drove"
    "|relocated|emigrated|flight|trip|arrived|morning|evening|train|bus"
)
_CUED = re.compile(
    rf"\b(?:(?:{_AT_HOME}) (?:in|near|of|at)|(?:{_ON_THE_WAY}) (?:here |back |over )?(?:from|to|into|at|in)"
    r"|(?:University|Republic|Kingdom|City|Town|Village|Mayor) of"
    rf"|(?:visit|visited|visiting|leave|left|near|outside|towards|across|throughout|Where:)) (?P<place>{_NAME})"
)
_WITHIN = re.compile(rf"\bin (?P<place>{_CAPITAL}[\w'’-]+)(?=[,.;!?\n]|$)")


def places(text: str) -> Iterator[Span]:
    """Countries, cities and other places; they may overlap."""
    yield from _listed(text)
    for pattern, score in ((_CUED, 0.6), (_WITHIN, 0.5)):
        for found in pattern.finditer(text):
            first = tokens(found["place"])[0]
            if not first.common and not first.given:
                yield Span(*found.span("place"), "location", score)


def _listed(text: str) -> Iterator[Span]:
    words = tokens(text)
    at = 0
    while at < len(words):
        for width in range(min(_WIDEST, len(words) - at), 0, -1):
            run = words[at : at + width]
            phrase = " ".join(text[run[0].start : run[-1].end].lower().split())
            if phrase in _places() and (run[0].capital or phrase not in _ambiguous()):
                yield Span(run[0].start, run[-1].end, "location", 0.45 if phrase in _ambiguous() else 0.8)
                at += width - 1
                break
        at += 1


@cache
def _places() -> frozenset[str]:
    return word_list("places") | _ambiguous()


@cache
def _ambiguous() -> frozenset[str]:
    return word_list("places", "ambiguous")
