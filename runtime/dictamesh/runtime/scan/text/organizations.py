# SPDX-License-Identifier: Apache-2.0
"""Organisations within sentences, by their legal forms and the words that they are spoken of with."""

import re
from collections.abc import Iterator

from dictamesh.runtime.scan.text.span import Span
from dictamesh.runtime.scan.text.tokens import tokens

_NAME = r"[A-Z][\w&'’-]{0,40}(?: (?:and |& |of |the )?[A-Z][\w&'’-]{0,40}){0,4}"
_FORMED = re.compile(
    r"\b(?:[A-Z][\w&'’-]{0,40},? (?:and |& )?){1,4}"
    r"(?:Inc|Ltd|LLC|LLP|PLC|GmbH|AG|SE|KG|SA|SAS|SARL|SpA|BV|NV|AB|HB|Oy|ApS|Corp|Corporation|Company|Co|Group|Groep"
    r"|Gruppe|Gruppo|Holdings?|Partners|Associates|Consulting|Software|Systems|Solutions|Technologies|Industries|Bank"
    r"|Insurance|Foundation|Institute|Sons|Brothers)\b\.?"
)
_CUED = re.compile(
    r"\b(?:works? for|worked for|working for|works? at|worked at|employed (?:by|at)|at|joined|founded"
    rf"|acquired by|became) (?P<name>{_NAME})(?= (?:as|in|where|and|since|until|for)\b|[.,]|$)"
)
_ACTING = re.compile(
    rf"\b(?P<name>{_NAME})"
    r"(?: (?:invested|announced|acquired|launched|manufactures|employs|merged|reported|raised|hired) "
    r"|,? (?:website|headquarters|subsidiary|shares|stock)\b"
    r"| is an? (?:501|non-?profit|company|startup|firm|provider|charity))"
)
_PARTNERS = re.compile(
    r"\b(?P<name>[A-Z]\w{1,40}, [A-Z]\w{1,40},? (?:and|&) [A-Z]\w{1,40})"
    r"(?= (?:website|headquarters|shares|stock|offices?|LLP)\b)"
)


def organizations(text: str) -> Iterator[Span]:
    """Names of organisations; they may overlap."""
    for found in _FORMED.finditer(text):
        yield Span(*found.span(), "organization", 0.91)
    for pattern, score in ((_CUED, 0.7), (_ACTING, 0.92), (_PARTNERS, 0.95)):
        for found in pattern.finditer(text):
            if not tokens(found["name"])[0].common:
                yield Span(*found.span("name"), "organization", score)
