# SPDX-License-Identifier: Apache-2.0
"""Text functions with PostgreSQL's meaning; a position is a code point, case is mapped one code point to one."""

import hashlib
from collections.abc import Callable

from dictamesh.specs.expressions.problems import ExpressionFailed

MAX_PATTERN = 256
MAX_WILDCARDS = 8
MAX_TEXT_RESULT = 65_536  # code points that repeat, lpad and rpad may make
_MAX_GROWN = 10_000_000  # code points that replace may make


def lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def upper(text: str) -> str:
    return text.upper() if text.isascii() else "".join(map(_upper, text))


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _lower(char: str) -> str:
    return char.lower()[0] if char == "İ" else _single(char, char.lower())


def _upper(char: str) -> str:
    mapped = char.upper()
    return mapped if len(mapped) == 1 else _single(char, char.title())


def _single(char: str, mapped: str) -> str:
    return mapped if len(mapped) == 1 else char


def initcap(text: str) -> str:
    """Capitalise the first letter of each run of letters and digits, lower the others."""
    result, inside = [], False
    for char in text:
        result.append(_lower(char) if inside else _upper(char))
        inside = char.isalnum()
    return "".join(result)


def trim(text: str, chars: str = " ") -> str:
    return text.strip(chars)


def ltrim(text: str, chars: str = " ") -> str:
    return text.lstrip(chars)


def rtrim(text: str, chars: str = " ") -> str:
    return text.rstrip(chars)


def substring(text: str, start: int, length: int | None = None) -> str:
    """Return `length` code points from position `start` (1 is the first), positions before 1 counting as empty."""
    first = max(start, 1) - 1
    if length is None:
        return text[first:]
    if length < 0:
        raise ExpressionFailed("negative substring length not allowed")
    return text[first : max(start + length - 1, first)]


def left(text: str, count: int) -> str:
    return text[:count]


def right(text: str, count: int) -> str:
    return text[-count:] if count else ""


def replace(text: str, old: str, new: str) -> str:
    if not old:
        return text
    if len(new) > len(old) and len(text) + text.count(old) * (len(new) - len(old)) > _MAX_GROWN:
        raise ExpressionFailed("a text is too long")
    return text.replace(old, new)


def position(text: str, part: str) -> int:
    return text.find(part) + 1


def split_part(text: str, delimiter: str, number: int) -> str:
    """Return the part at `number` between delimiters, counted from the end when negative; '' where there is none."""
    if number == 0:
        raise ExpressionFailed("field position must not be zero")
    parts = text.split(delimiter) if delimiter else [text]
    index = number - 1 if number > 0 else number
    return parts[index] if -len(parts) <= index < len(parts) else ""


def starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


def lpad(text: str, size: int, fill: str = " ") -> str:
    return _padding(text, size, fill) + text[: max(size, 0)]


def rpad(text: str, size: int, fill: str = " ") -> str:
    return text[: max(size, 0)] + _padding(text, size, fill)


def _padding(text: str, size: int, fill: str) -> str:
    _bounded(size)
    missing = size - len(text)
    if missing <= 0 or not fill:
        return ""
    return (fill * (missing // len(fill) + 1))[:missing]


def repeat(text: str, count: int) -> str:
    if count <= 0 or not text:
        return ""
    _bounded(len(text) * count)
    return text * count


def _bounded(size: int) -> None:
    if size > MAX_TEXT_RESULT:
        raise ExpressionFailed("a text is too long")


def reverse(text: str) -> str:
    return text[::-1]


def concat(*parts: str | None) -> str:
    return "".join(part for part in parts if part is not None)


def like_matcher(pattern: str) -> Callable[[str], bool]:
    """Compile a LIKE pattern; raises ExpressionFailed when it is too long or ends in its escape character.

    Between two `%` the leftmost match is taken: the time is at most length of text times length of pattern (S5).
    """
    anchored_end, segments = _segments(pattern)
    if len(segments) == 1 and anchored_end:
        only = segments[0]
        return lambda text: len(text) == len(only) and _matches(text, 0, only)
    first, middle = segments[0], segments[1:]
    last = middle.pop() if anchored_end else []

    def match(text: str) -> bool:
        if len(text) < len(first) + len(last) or not _matches(text, 0, first):
            return False
        end = len(text) - len(last)
        if not _matches(text, end, last):
            return False
        at = len(first)
        for segment in middle:
            found = _find(text, at, end, segment)
            if found < 0:
                return False
            at = found + len(segment)
        return at <= end

    return match


_Segment = list[str | None]


def _segments(pattern: str) -> tuple[bool, list[_Segment]]:
    """Split at `%`; a segment is a list of characters in which None stands for `_`."""
    if len(pattern) > MAX_PATTERN:
        raise ExpressionFailed(f"a LIKE pattern has more than {MAX_PATTERN} characters")
    segments: list[_Segment] = [[]]
    wildcards, escaped = 0, False
    for char in pattern:
        if escaped or char not in "%_\\":
            segments[-1].append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            wildcards += 1
            if char == "%":
                segments.append([])
            else:
                segments[-1].append(None)
    if escaped:
        raise ExpressionFailed("a LIKE pattern must not end with its escape character")
    if wildcards > MAX_WILDCARDS:
        raise ExpressionFailed(f"a LIKE pattern has more than {MAX_WILDCARDS} wildcards")
    anchored_end = len(segments) == 1 or bool(segments[-1])
    return anchored_end, segments if anchored_end or len(segments) == 1 else segments[:-1]


def _matches(text: str, at: int, segment: _Segment) -> bool:
    return all(char is None or text[at + i] == char for i, char in enumerate(segment))


def _find(text: str, at: int, end: int, segment: _Segment) -> int:
    if None not in segment:
        return text.find("".join(map(str, segment)), at, end)
    for start in range(at, end - len(segment) + 1):
        if _matches(text, start, segment):
            return start
    return -1


def like(text: str, pattern: str) -> bool:
    return like_matcher(pattern)(text)
