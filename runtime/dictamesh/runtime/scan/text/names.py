# SPDX-License-Identifier: Apache-2.0
"""Names of persons within sentences: by lists of names, titles before them, and the words that go with persons.

It reads English. Names that are in no list are found only where the sentence says that they are names.
"""

import re
from collections.abc import Iterator, Sequence

from dictamesh.runtime.scan.text.span import Span
from dictamesh.runtime.scan.text.tokens import Token, tokens

_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Sir|Madam|Herr|Frau|Sr|Sra|Mme|Mlle)\b\.?", re.IGNORECASE)
_WRITTEN_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.?")
_PARTICLES = frozenset(
    (
        "de",
        "la",
        "le",
        "du",
        "van",
        "von",
        "der",
        "den",
        "di",
        "da",
        "del",
        "dos",
        "bin",
        "ibn",
        "al",
        "el",
        "ter",
        "ten",
    )
)
_SUFFIX = re.compile(r"\s+(?:MD|PhD|Jr\.?|Sr\.?|III|II|IV|DDS|DVM)\b")
_MOST = 4  # words of a name

_KIN = "kid|son|daughter|wife|husband|brother|sister|mother|father|uncle|aunt|friend|colleague|boss|partner|assistant"
_SAY = "said|says|asked|replied|added|shouted|wrote|explained|told"
_MADE = "directed|written|sung|played|composed|painted|produced|founded|signed|performed|edited|created"
_DO = (
    "lives?|lived|works?|worked|was born|grew up|died|spent|began|listed|sang|sings|plays|played|will be|has been"
    "|had been|had given|had|married|likes?|loves?|moved|called"
)
_ARE = "reliable|nice|kind|late|ill|sick|married|old|young"
_HAVE = "address|phone|number|email|kids?|wife|husband|son|daughter|mother|father|house|birthday|name|friend|book|song"

# What stands before a name; the name begins where a match ends.
_BEFORE = re.compile(
    r"(?:\bnames? (?:is|was|:)|\bnamed|\b(?:my|his|her|their|the) (?:first |last |maiden |full )?name(?: is|:)?"
    r"|\b(?:first|last|maiden|full|family) name\?|\bcall(?:s|ed)? (?:me|him|her|myself)|\bI(?:'m| am)"
    rf"|\b(?:{_SAY})(?: to)?|\b(?:shouted|spoke|talked|talk|speak) (?:at|to|with)|\b(?:{_MADE}) by"
    r"|\bstarring|\bfeaturing|\bfeat\.|\bdear|\bregards,?|\bsincerely,?|\bsigned,?|\bthanks,?|\bhi|\bhello|\battn:?"
    rf"|\b(?:{_KIN})(?: of| to|'s name)?|\bgiven|\bgave|\bbetween (?:him|her|them|me|you) and"
    r"|\b(?:not )?by|\bfollow up with|\bmeet|\bmet|\bcontact|\bask for)\s+",
    re.IGNORECASE,
)
# What stands after one: what persons say, do, are and have.
_AFTER = re.compile(
    rf"\s*(?:,? (?:{_SAY}|{_DO}|is an? (?:\d+[- ]year|young|old)\w*|is (?:very |so )?(?:{_ARE})"
    rf"|can I (?:please )?speak|could you|would you)\b|['’]s (?:\w+ )?(?:{_HAVE})\b)",
    re.IGNORECASE,
)


def titles(text: str) -> Iterator[Span]:
    """Titles before names."""
    for found in _WRITTEN_TITLE.finditer(text):
        if re.match(r"\s+\w", text[found.end() :]):
            yield Span(found.start(), found.end(), "title", 0.8)


def names(text: str) -> Iterator[Span]:
    """Names of persons; they may overlap."""
    words = tokens(text)
    lower = not any(letter.isupper() for letter in text)
    begins = {found.end() for found in _BEFORE.finditer(text)}
    titled = {_next(text, found.end()) for found in _TITLE.finditer(text)}
    at = 0
    while at < len(words):
        size = _extent(text, words, at, anyhow=lower)
        start = words[at].start
        run = words[at : at + size]
        span = _judged(text, run, cued=start in begins, titled=start in titled) if run else None
        if span is not None:
            yield span
        at += max(1, size if span is not None else 1)


def _next(text: str, at: int) -> int:
    """Where the next word begins."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _extent(text: str, words: Sequence[Token], at: int, *, anyhow: bool) -> int:
    """How many words from here on could be one name: capitalised ones, particles between them, on one line."""
    end = at
    while end < len(words) and end - at < _MOST:
        word = words[end]
        if end > at and not re.fullmatch(r"[ .]{1,2}", text[words[end - 1].end : word.start]):
            break
        if end > at and "." in text[words[end - 1].end : word.start] and len(words[end - 1].text) > 1:
            break
        particle = end > at and word.lower in _PARTICLES
        if not (word.capital or particle or (anyhow and (word.given or word.family))):
            break
        if word.common and not particle and not (word.given and end > at):
            break
        end += 1
    while end > at and words[end - 1].lower in _PARTICLES and not words[end - 1].capital:
        end -= 1
    alone = anyhow and end - at == 1 and words[at].given and end < len(words)
    return end - at + (1 if alone and _ends_line(text, words[at], words[end]) else 0)


def _ends_line(text: str, word: Token, follow: Token) -> bool:
    """Whether a line ends with two words, the second of which is an unknown one."""
    apart = text[word.end : follow.start] == " " and not follow.common
    return apart and (follow.end >= len(text) or text[follow.end] == "\n")


def _judged(text: str, run: Sequence[Token], *, cued: bool, titled: bool) -> Span | None:
    start, end = run[0].start, run[-1].end
    known = sum(word.given for word in run), sum(word.family for word in run)
    after = _AFTER.match(text, end) is not None
    score = 0.0
    if titled or (run[0].given and (len(run) > 1 or after or cued)):
        score = 0.9
    elif any(known) and (cued or after or len(run) > 1):
        score = 0.85
    elif known[0] and not run[0].shouted:
        score = 0.75
    elif (cued or after) and not any(word.shouted for word in run):
        score = 0.65
    elif known[1] and not run[0].first:
        score = 0.55
    if not score:
        return None
    suffix = _SUFFIX.match(text, end)
    return Span(start, suffix.end() if suffix else end, "name", score)
