# SPDX-License-Identifier: Apache-2.0
"""Check digits: Luhn, Verhoeff, ISO 7064 and weighted sums; and dates within numbers."""

from collections.abc import Sequence
from datetime import date

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def digits(text: str, *lengths: int) -> bool:
    """Whether a text is so many ASCII digits."""
    return len(text) in lengths and text.isascii() and text.isdigit()


def weighted(text: str, weights: Sequence[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(weight * int(digit) for weight, digit in zip(weights, text, strict=False))


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1: every second digit from the right doubled, the sum of all digits ends in 0."""
    odd = sum(int(digit) for digit in text[-1::-2])
    return (odd + sum(_DOUBLED[int(digit)] for digit in text[-2::-2])) % 10 == 0


def verhoeff(text: str) -> bool:
    """Verhoeff's scheme over the dihedral group of order 10."""
    state = 0
    for position, digit in enumerate(reversed(text)):
        state = _DIHEDRAL[state][_PERMUTED[position % 8][int(digit)]]
    return state == 0


def mod_11_10(text: str) -> bool:
    """ISO 7064, MOD 11,10."""
    product = 10
    for digit in text[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[-1])


def ean(text: str) -> bool:
    """GS1: weights 1 and 3 in turn, the sum ends in 0."""
    return weighted(text[::-1], (1, 3) * len(text)) % 10 == 0


def real_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def yymmdd(text: str) -> bool:
    """Whether six digits are a day of some century."""
    return real_date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6]))


def ddmmyy(text: str) -> bool:
    """Whether six digits are a day of some century, the day first."""
    return real_date(2000 + int(text[4:6]), int(text[2:4]), int(text[:2]))
