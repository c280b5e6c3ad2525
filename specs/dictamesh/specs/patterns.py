# SPDX-License-Identifier: Apache-2.0
"""Patterns that specs give for values, run by RE2: time linear in the value, whatever the pattern."""

import contextlib
from typing import Any, Protocol

MAX_PATTERN = 500  # characters
MAX_MEMORY = 1 << 20  # bytes that one compiled pattern may need
MAX_VALUE = 1000  # characters of a value that are looked at
LARGEST = 1 << 23  # bytes of one whose values are bounded by it: classes of Unicode, repeated, are large
_SIZES = (1 << 14, 1 << 16, 1 << 18, MAX_MEMORY, 1 << 21, 1 << 22, LARGEST)
_WORK = 1 << 32  # characters of a text times bytes of a pattern: a second or two at worst

_PROBES = ("", "a", "Zq", "7", "40219", "x-1", "two words", "§ 1", "ÄÖ ÜÉ")
_FAULTS = (
    ("invalid perl operator", "it looks around (?=, ?!, ?<), which a linear engine cannot"),
    ("invalid escape sequence", "it has an escape that is not known, such as a reference back to a group"),
    ("missing ]", "a [ is not closed"),
    ("missing )", "a ( is not closed"),
    ("unexpected )", "a ) closes nothing"),
    ("no argument for repetition", "a repetition has nothing to repeat"),
    ("bad repetition operator", "two repetitions stand together"),
    ("invalid repetition size", "it repeats more than 1,000 times"),
    ("invalid character class", "a class of characters in it is not known"),
    ("invalid named capture", "the name of a group is not well formed"),
    ("trailing \\", "it ends in a \\"),
    ("pattern too large", "it needs too much memory"),
)


class Pattern(Protocol):
    """A compiled pattern."""

    def fullmatch(self, text: str) -> Any: ...

    def search(self, text: str) -> Any: ...


class PatternProblem(ValueError):  # noqa: N818 - what is wrong with a text of the user, told as a diagnostic
    """A pattern cannot be used; the text is ours and says why."""


def compile_pattern(text: str, memory: int = MAX_MEMORY) -> Pattern:
    """Compile a pattern that needs no more than so many bytes; raises PatternProblem."""
    return _compiled(text, memory)


def longest_text(text: str) -> int:
    """Return how long a text may be, in characters, that a pattern is run on: linear time is long for a large one, too.

    262,144 for most, 512 at least; repetitions that are counted make a pattern large. Raises PatternProblem.
    """
    for size in _SIZES[:-1]:
        with contextlib.suppress(PatternProblem):
            _compiled(text, size)
            return _WORK // size
    _compiled(text, LARGEST)
    return _WORK // LARGEST


def _compiled(text: str, memory: int) -> Pattern:
    import re2  # noqa: PLC0415 - most specs have no patterns, and `validate` starts often

    if len(text) > MAX_PATTERN:
        raise PatternProblem(f"it is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.never_capture = True  # whether it matches is all that is asked
    try:
        found: Pattern = re2.compile(text, options)
    except UnicodeEncodeError:
        raise PatternProblem("it has half a surrogate pair") from None
    except re2.error as error:
        told = str(error)
        raise PatternProblem(
            next((ours for theirs, ours in _FAULTS if theirs in told), "RE2 does not take it")
        ) from None
    return found


def too_wide(pattern: Pattern) -> bool:
    """Whether a pattern matches values that have nothing in common, or no text at all."""
    matched = sum(1 for probe in _PROBES if pattern.fullmatch(probe))
    return bool(pattern.fullmatch("")) or matched > len(_PROBES) // 2
