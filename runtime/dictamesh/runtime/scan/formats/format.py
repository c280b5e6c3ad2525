# SPDX-License-Identifier: Apache-2.0
"""What a checked format is, and how often values of the same shape pass by chance."""

from collections.abc import Callable
from dataclasses import dataclass

from dictamesh.specs.pii import KindName

LONGEST = 400  # characters of a value that any check looks at


@dataclass(frozen=True, slots=True)
class Format:
    """One format that single values are checked for.

    `shapes` are templates of values that look alike (9 a digit, A and a letters, X a capital or a digit, F a
    hexadecimal digit, anything else itself); of random values of each at most the share `base_rate` passes. `passes` is
    the share of a true column that is expected to pass, `least` the share below which values say nothing. `alone`
    bounds the confidence that values without a telling name give. `words` are what a tag for this format alone would be
    called.
    """

    name: str
    kind: KindName
    check: Callable[[str], bool]
    shapes: tuple[str, ...]
    base_rate: float
    alone: float
    passes: float = 0.98
    least: float = 0.8
    words: tuple[str, ...] = ()


def compact(text: str, separators: str = " -./") -> str:
    """A value without the characters that people write between groups of digits."""
    return text.translate(str.maketrans("", "", separators))
