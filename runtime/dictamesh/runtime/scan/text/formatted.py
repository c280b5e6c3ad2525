# SPDX-License-Identifier: Apache-2.0
"""What has a format within a sentence: found by its shape, accepted by its check or by the words before it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dictamesh.runtime.scan.formats.banking import card, iban
from dictamesh.runtime.scan.formats.contact import email, phone_international, phone_national
from dictamesh.runtime.scan.formats.european import EUROPEAN
from dictamesh.runtime.scan.formats.network import ipv4, ipv6, mac
from dictamesh.runtime.scan.formats.worldwide import us_ssn, us_ssn_digits
from dictamesh.runtime.scan.text.span import Span, SpanKind

_BEFORE = 60  # characters before a candidate in which words of its context count
_AFTER = 12

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_URL = re.compile(r"\b(?:https?://|ftp://|www\.)[^\s<>\"'()\[\]{}]{3,300}", re.IGNORECASE)
_DOMAIN = re.compile(
    r"\b(?:[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?\.){1,4}(?:com|org|net|edu|gov|io|info|biz|co|eu|uk|de|fr|es|it|nl|pl|se|ch|at)\b",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]\d|\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\w:-])")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{2,4}){3,8}\b")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_SSN = re.compile(r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])")
_NINE = re.compile(r"(?<![\d.,-])\d{9}(?![\d-])")
_COMPACT = re.compile(r"(?<![\w.-])[A-Z0-9][A-Z0-9./+-]{7,20}(?![\w-])")
_CODE = re.compile(r"(?<![\w-])[A-Z]{0,3}\d[A-Z0-9-]{4,17}(?![\w-])")
_DATE = re.compile(
    r"(?<![\d/.-])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2}))"
    r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\d/-])"
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_SPELLED = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th|\.)? (?:of )?(?:{_MONTHS}),? \d{{4}}"
    rf"|(?:{_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})\b",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![\w.+/-])\+?\(?\d{1,15}\)?(?:(?:[ ./-]{1,2}\(?|\(|(?<=\)))\d{1,10}\)?){0,7}"
    r"(?:\s?(?:x|ext\.?|extension)\s?\d{1,6})?(?![\w/-])",
    re.IGNORECASE,
)

_SAYS_PHONE = re.compile(
    r"\b(?:phone|call|calls|called|calling|mobile|cell|tel|telephone|fax|desk|office|contact|reach|dial|text|sms|whatsapp"
    r"|my (?:new |work |home )?number|telefon|handy|rufnummer|anrufen|tél|téléphone|appel\w*|teléfono|móvil|llam\w+"
    r"|telefono|cellulare|chiam\w+|bel\w*)\b",
    re.IGNORECASE,
)
_SAYS_CARD = re.compile(r"\b(?:card|visa|mastercard|amex|kreditkarte|carte|tarjeta|carta)\b", re.IGNORECASE)
_SAYS_SSN = re.compile(r"\b(?:ssn|social security|tax id|taxpayer)\b", re.IGNORECASE)
_SAYS_LICENCE = re.compile(
    r"driv\w*['’]?s?\s+licen[cs]e|driving licen[cs]e|\bDL\b|führerschein|permis de conduire", re.IGNORECASE
)
_SAYS_PASSPORT = re.compile(r"\bpassport|reisepass|passeport|pasaporte|passaporto|paspoort", re.IGNORECASE)
_SAYS_BIRTH = re.compile(r"\b(?:born|birth\w*|dob|geboren|née?|nacid[oa]|nat[oa])\b", re.IGNORECASE)

Check = Callable[[str, str], float]
"""From a candidate and the text around it to a score; 0 refuses."""


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: SpanKind
    shape: re.Pattern[str]
    check: Check


def _surely(check: Callable[[str], bool], score: float = 0.95) -> Check:
    return lambda text, _around: score if check(text) else 0.0


def _said(words: re.Pattern[str], check: Callable[[str], bool], score: float = 0.85) -> Check:
    return lambda text, around: score if words.search(around) and check(text) else 0.0


def _digits(text: str) -> int:
    return sum(letter.isdigit() for letter in text)


def _card(text: str, around: str) -> float:
    if card(text):
        return 0.95
    return 0.7 if _SAYS_CARD.search(around) and _digits(text) in {15, 16} else 0.0


def _phone(text: str, around: str) -> float:
    number, _, _ = text.lower().partition("x")
    count = _digits(number)
    groups = re.findall(r"\d+", number)
    if not 7 <= count <= 15 or us_ssn(text) or _DATE.fullmatch(text.strip()):
        return 0.0
    if _SAYS_PHONE.search(around):
        return 0.85
    if phone_international(text):
        return 0.9
    written = len(groups) >= 3 and max(map(len, groups)) <= 4 and len(groups[-1]) >= 2
    punctuated = written and (re.search(r"[().+-]", number) is not None or number.startswith("0"))
    return (
        0.6 if punctuated and (phone_national(number) or "x" in text.lower() or number.startswith(("0", "+"))) else 0.0
    )


_IDS = tuple(each.check for each in EUROPEAN if each.alone >= 0.9)

_RULES = (
    _Rule("email", _EMAIL, _surely(lambda text: email(text.rstrip(".")))),
    _Rule("url", _URL, _surely(lambda _text: True)),
    _Rule("url", _DOMAIN, _surely(lambda text: not text.isdigit(), 0.6)),
    _Rule("ip", _IPV4, lambda text, _around: 0.9 if ipv4(text) else 0.0),
    _Rule("ip", _IPV6, _surely(lambda text: ipv6(text) and _digits(text) > 1)),
    _Rule("mac", _MAC, _surely(mac)),
    _Rule("iban", _IBAN, _surely(iban)),
    _Rule("card", _CARD, _card),
    _Rule("national-id", _SSN, _surely(us_ssn, 0.9)),
    _Rule("national-id", _NINE, _said(_SAYS_SSN, us_ssn_digits)),
    _Rule("national-id", _COMPACT, _surely(lambda text: any(check(text) for check in _IDS), 0.8)),
    _Rule("driver-licence", _CODE, _said(_SAYS_LICENCE, lambda text: _digits(text) >= 4)),
    _Rule("passport", _CODE, _said(_SAYS_PASSPORT, lambda text: _digits(text) >= 5)),
    _Rule("date", _DATE, _surely(lambda _text: True, 0.8)),
    _Rule("date", _SPELLED, _said(_SAYS_BIRTH, lambda _text: True)),
    _Rule("phone", _PHONE, _phone),
)


def formatted(text: str) -> Iterator[Span]:
    """The spans of checked formats; they may overlap."""
    for rule in _RULES:
        for found in rule.shape.finditer(text):
            around = text[max(0, found.start() - _BEFORE) : found.end() + _AFTER]
            value = found[0].rstrip(" .,;:!?") if rule.kind in {"url", "email", "phone"} else found[0]
            score = rule.check(value, around)
            if score:
                yield Span(found.start(), found.start() + len(value), rule.kind, score)
